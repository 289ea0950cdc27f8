# The function calls the net without its flag.
fn noisy(x: [..s], train: bool) -> [..s]:
    if train:
        y = 2 * x
    else:
        y = x
    return y

fn twice(f: net(x: [..s]) -> [..s], x: [..s]) -> [..s]:
    return f(f(x))

fn use(x: [D]) -> [D]:
    return twice(noisy, x)
