# The program's T is not the T that the function is about.
import modules_ramp: decayed, kept, rate

dim T = 1000

fn scaled(x: [D]) -> [D]:
    return T * x
