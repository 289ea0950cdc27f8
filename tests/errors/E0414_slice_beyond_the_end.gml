# The second half begins at Z and has Z + 1 elements.
fn second(x: [f: 2 * Z]) -> [f: Z]:
    return slice[f](x, start = Z, size = Z + 1)
