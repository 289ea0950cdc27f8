# Loops stand in samplers.
fn f(x: [D]) -> [D]:
    y = x
    for i in steps(3) carrying y:
        y = y * y
    return y
