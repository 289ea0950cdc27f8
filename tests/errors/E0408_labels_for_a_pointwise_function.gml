# `exp` works entry by entry; there is nothing to say in brackets.
fn f(x: [D]) -> [D]:
    return exp[D](x)
