# The function reads a constant of its module, of a size of its module.
import modules_ramp: T, decayed

fn decayed_twice(x: [D], t: fin[T]) -> [D]:
    return decayed(decayed(x, t), t)
