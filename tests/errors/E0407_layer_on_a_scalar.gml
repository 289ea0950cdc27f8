# A scalar has no axis that a layer could take in.
import nn: dense

net f(x: real) -> [k: 3]:
    return dense[k: 3](x)
