# The small beta-VAE of the CPU benchmark: 64-128-64-8 on 8 x 8 digits, cross-entropy.
import gaussian: reparameterize, kl_to_standard
import losses: bernoulli_nll
import nn: dense

batch B
dim wide = 128
dim narrow = 64
dim Z = 8
hyper beta = 0.25 in 0..inf

data x: [B, (C H W)] in 0..1 from digits

net encoder(x: [..b, D]) -> (mu: [..b, Z], logvar: [..b, Z]):
    h1 = relu(dense[wide](x))
    h2 = relu(dense[narrow](h1))
    mu = dense[Z](h2)
    logvar = dense[Z](h2)

net decoder(z: [..b, Z]) -> [..b, (C H W)]:
    h1 = relu(dense[narrow](z))
    h2 = relu(dense[wide](h1))
    return dense[(C H W)](h2)

objective neg_elbo:
    mu, logvar = encoder(x)
    eps: [B, Z] ~ normal(mean = 0, var = 1)
    z = reparameterize(mu, logvar, eps)
    term recon = mean[B](bernoulli_nll(decoder(z), x))
    term kl = mean[B](kl_to_standard(mu, logvar))
    minimize recon + beta * kl

train:
    step neg_elbo over encoder, decoder with adam(lr = 1e-3)
    batch B = 64
    steps 1000
