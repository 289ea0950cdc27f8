# A net that sees the batch could mix its examples: it must say so.
import nn: dense

batch B
dim K = 3
data x: [B, D] from digits

net head(x: [B, D]) -> [B, K]:
    return dense[K](x)

objective o:
    minimize mean[B, K](square(head(x)))
