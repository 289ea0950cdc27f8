# The function may call the net anywhere, the net takes values in 0..1 only.
fn entropy(p: [..s] in 0..1) -> [..s]:
    return -p * log(p + 1e-6)

fn twice(f: net(x: [..s]) -> [..s], x: [..s]) -> [..s]:
    return f(2 * x)

fn use(x: [D]) -> [D]:
    return twice(entropy, x)
