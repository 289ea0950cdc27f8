# A group of axes where its axes are wanted.
import nn: conv

batch B
data x: [B, (C H W)] in 0..1 from digits
net f(x: [..b, C, H, W]) -> [..b, 4, H, W]:
    return conv[4](x)
objective o:
    minimize mean[..](f(x))
