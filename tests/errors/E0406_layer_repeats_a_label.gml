# A dense layer from Z to Z over an axis that is already there.
import nn: dense

dim Z = 8

net mixer(x: [..b, Z, C]) -> [..b, Z, k: Z]:
    return dense[Z](x)
