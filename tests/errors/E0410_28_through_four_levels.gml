# 28 x 28 pictures halved four times: 28, 14, 7, and then?
import nn: conv

batch B
data x: [B, C, H: 28, W: 28] in 0..1 from fashion2k

net encoder(x: [..b, C, H, W]) -> [..b, f: 64, y: H / 16, x: W / 16]:
    h1 = relu(conv[f: 8, k: 4, s: 2](x))
    h2 = relu(conv[f: 16, k: 4, s: 2](h1))
    h3 = relu(conv[f: 32, k: 4, s: 2](h2))
    return conv[f: 64, k: 4, s: 2](h3)

objective o:
    minimize mean[..](square(encoder(x)))
