# A layer of the standard library that is not imported; another one of its module is.
import nn: layer_norm

batch B
data x: [B, D] in 0..1 from digits

net encoder(x: [..b, D]) -> [..b, k: 3]:
    return dense[k: 3](layer_norm(x))

objective o:
    minimize sum[..](square(encoder(x)))
