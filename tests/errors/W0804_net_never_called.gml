# The discriminator is declared and never called.
import nn: dense

batch B
data x: [B, D] from digits
param centre: [D]

net discriminator(x: [..b, I]) -> [..b, k: 1]:
    return dense[k: 1](x)

objective o:
    minimize mse[B, D](x, centre)
