# The VQ-VAE of the CPU benchmark: 512 codes of size 64, 8 x 8 places (van den Oord et al. 2017).
import codebook: nearest
import nn: conv, conv_up

batch B
dim width = 64
dim K = 512
hyper beta = 0.25 in 0..inf

data x: [B, C, H, W] in 0..1 from cifar10

param codebook: [K, d: width] init uniform(-1 / K, 1 / K)

net encoder(x: [..b, C, H, W]) -> [..b, P: (y: (H / 4) x: (W / 4)), d: width]:
    h1 = relu(conv[f: width, k: 4, s: 2](x))
    h2 = relu(conv[f: width, k: 4, s: 2](h1))
    h3 = relu(conv[f: width, k: 3](h2))
    z = conv[d: width, k: 1](h3)
    return rearrange z: [..b, d, y, x] -> [..b, P: (y x), d]

net decoder(e: [..b, P: (y: (H / 4) x: (W / 4)), d: width]) -> [..b, C, H, W]:
    z = rearrange e: [..b, (y: (H / 4) x: (W / 4)), d] -> [..b, d, y, x]
    h1 = relu(conv[f: width, k: 1](z))
    h2 = relu(conv[f: width, k: 3](h1))
    h3 = relu(conv_up[f: width](h2))
    return sigmoid(conv_up[C](h3))

objective vq:
    z = encoder(x)
    k = nearest(codebook, z)
    e = codebook[k]
    xhat = decoder(straight_through(z, e))
    term recon = mean[B](sum[C, H, W](square(xhat - x)))
    term codebook_loss = mean[B](sum[P, d](square(e - stop_grad(z))))
    term commitment = mean[B](sum[P, d](square(z - stop_grad(e))))
    minimize recon + codebook_loss + beta * commitment

train:
    step vq over encoder, decoder, codebook with adam(lr = 1e-3)
    batch B = 64
    steps 1000
