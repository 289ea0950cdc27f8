# `if` chooses when the program is compiled; a tensor is not known then.
fn f(x: real) -> real:
    if x > 0:
        y = x
    else:
        y = 0
    return y
