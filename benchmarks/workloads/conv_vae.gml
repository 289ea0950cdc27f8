# The convolutional VAE of the CPU benchmark: 3 x 32 x 32 images, 32, 64 and 128 channels.
import gaussian: reparameterize, kl_to_standard
import losses: bernoulli_cross_entropy
import nn: conv, conv_up, dense

batch B
dim width = 32
dim Z = 64

data x: [B, C, H, W] in 0..1 from cifar10

net encoder(x: [..b, C, H, W]) -> (mu: [..b, Z], logvar: [..b, Z]):
    h1 = relu(conv[f: width, k: 4, s: 2](x))
    h2 = relu(conv[f: 2 * width, k: 4, s: 2](h1))
    h3 = relu(conv[f: 4 * width, k: 4, s: 2](h2))
    flat = rearrange h3: [..b, f, y, x] -> [..b, (f y x)]
    mu = dense[Z](flat)
    logvar = dense[Z](flat)

net decoder(z: [..b, Z]) -> [..b, C, H, W]:
    flat = relu(dense[d: 4 * width * (H / 8) * (W / 8)](z))
    h3 = rearrange flat: [..b, (f: (4 * width) y: (H / 8) x: (W / 8))] -> [..b, f, y, x]
    h2 = relu(conv_up[f: 2 * width](h3))
    h1 = relu(conv_up[f: width](h2))
    return conv_up[C](h1)

objective neg_elbo:
    mu, logvar = encoder(x)
    eps: [B, Z] ~ normal(mean = 0, var = 1)
    z = reparameterize(mu, logvar, eps)
    term recon = mean[B](sum[C, H, W](bernoulli_cross_entropy(decoder(z), x)))
    term kl = mean[B](kl_to_standard(mu, logvar))
    minimize recon + kl

train:
    step neg_elbo over encoder, decoder with adam(lr = 1e-3)
    batch B = 64
    steps 1000
