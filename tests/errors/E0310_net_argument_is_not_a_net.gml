# The function wants a net and gets a tensor.
fn apply_twice(f: net(x: [..b, Z]) -> [..b, Z], x: [..b, Z]) -> [..b, Z]:
    return f(f(x))

fn g(x: [..b, Z]) -> [..b, Z]:
    return apply_twice(x, x)
