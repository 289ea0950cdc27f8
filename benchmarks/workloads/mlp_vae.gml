# The MLP VAE of the CPU benchmark: 784-400-20, cross-entropy (Kingma & Welling 2014).
import gaussian: reparameterize, kl_to_standard
import losses: bernoulli_nll
import nn: dense

batch B
dim hidden = 400
dim Z = 20

data x: [B, (C H W)] in 0..1 from fashion2k

net encoder(x: [..b, D]) -> (mu: [..b, Z], logvar: [..b, Z]):
    h = relu(dense[hidden](x))
    mu = dense[Z](h)
    logvar = dense[Z](h)

net decoder(z: [..b, Z]) -> [..b, (C H W)]:
    h = relu(dense[hidden](z))
    return dense[(C H W)](h)

objective neg_elbo:
    mu, logvar = encoder(x)
    eps: [B, Z] ~ normal(mean = 0, var = 1)
    z = reparameterize(mu, logvar, eps)
    term recon = mean[B](bernoulli_nll(decoder(z), x))
    term kl = mean[B](kl_to_standard(mu, logvar))
    minimize recon + kl

train:
    step neg_elbo over encoder, decoder with adam(lr = 1e-3)
    batch B = 128
    steps 1000
