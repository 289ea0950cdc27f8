# The function has one parameter.
fn double(x: real) -> real:
    return 2 * x

claims double(x, y):
    linear: double(x + y) == double(x) + double(y)
