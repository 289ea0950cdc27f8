# A stride must be a number when the program is compiled.
import nn: conv

batch B
dim S = 2
data x: [B, C, H, W] from fashion2k

net encoder(x: [..b, C, H, W]) -> [..b, f: 8, y: H / S, x: W / S]:
    return conv[f: 8, k: 2, s: S](x)

objective o:
    minimize mean[..](square(encoder(x)))
