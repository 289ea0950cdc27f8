# A function that repeats a net is given one that changes the width.
import nn: dense

batch B
dim Z = 4
data x: [B, D] from digits

net encoder(x: [..b, I]) -> [..b, Z]:
    return dense[Z](x)

fn twice(f: net(x: [..b, D]) -> [..b, D], x: [..b, D]) -> [..b, D]:
    return f(f(x))

objective o:
    minimize mean[..](square(twice(encoder, x)))
