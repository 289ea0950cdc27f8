# `where` chooses by a condition, not by a number.
fn f(x: [D]) -> [D]:
    return where(x, 1, 0)
