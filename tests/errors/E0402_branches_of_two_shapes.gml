# The two branches of a static choice make different things.
fn f(x: [B, D], pooled: bool = false) -> [B, D]:
    if pooled:
        y = mean[D](x)
    else:
        y = x
    return y
