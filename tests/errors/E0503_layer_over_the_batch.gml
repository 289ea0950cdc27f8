# The axes are swapped, so that the layer would mix examples.
import nn: dense

batch B
dim K = 3
data x: [B, D] from digits

net head(x: [..b, I]) -> [..b, K]:
    return dense[K](x)

objective o:
    minimize mean[..](square(head(rearrange x: [B, D] -> [D, B])))
