# A function that calls itself.
fn f(x: real) -> real:
    return f(x)
