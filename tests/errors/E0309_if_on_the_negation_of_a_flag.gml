# A flag is chosen by as it is.
fn noisy(x: [D], noise: [D], clean: bool = false) -> [D]:
    if not clean:
        y = x + noise
    else:
        y = x
    return y
