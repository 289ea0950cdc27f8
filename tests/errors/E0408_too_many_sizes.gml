# A dense layer has one size of its own.
import nn: dense

net f(x: [..b, D]) -> [..b, k: 3]:
    return dense[k: 3, 4](x)
