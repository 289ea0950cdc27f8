# Nothing follows a return.
fn f(x: [D]) -> [D]:
    return x
    y = x + 1
