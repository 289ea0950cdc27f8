dim T = 10
const rate: [T] = linspace[T](1e-4, 0.02)
const kept: [T] = 1 - rate

fn decayed(x: [..s], t: fin[T]) -> [..s]:
    return sqrt(kept[t]) * x
