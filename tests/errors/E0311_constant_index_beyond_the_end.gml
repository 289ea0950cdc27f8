# The last of T + 1 entries is at T.
dim T = 10
const levels: [time: T + 1] = linspace[T + 1](0, 1)

fn last_level(x: real) -> real:
    return x * levels[T + 1]
