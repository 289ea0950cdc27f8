# `x[0]`, not `x(0)`.
fn f(x: [D]) -> real:
    return x(0)
