# A linear VAE: its best negative ELBO is the likelihood of probabilistic PCA (Lucas et al. 2019).
import gaussian: kl_to_standard, reparameterize
import nn: dense
import schedules: cosine

batch B
dim Z = 4

data x: [B, D] from synthetic_gauss8

param posterior: [Z] > 0 init 0.5
param variance: [one: 1] > 0 init 1

net encoder(x: [..b, D]) -> [..b, Z]:
    return dense[Z](x)

net decoder(z: [..b, Z]) -> [..b, D]:
    return dense[D](z)

objective neg_elbo:
    mu = encoder(x)
    logvar = expand log(posterior): [Z] -> [B, Z]
    eps: [B, Z] ~ normal(mean = 0, var = 1)
    z = reparameterize(mu, logvar, eps)
    v = sum[one](variance)
    term recon = mean[B](sum[D](0.5 * (log(2 * pi) + log(v) + square(x - decoder(z)) / v)))
    term kl = mean[B](kl_to_standard(mu, logvar))
    minimize recon + kl

train:
    step neg_elbo over encoder, decoder, posterior, variance with adam()
    schedule lr = cosine(1e-2, 1e-4, steps = 3000)
    batch B = 256
    steps 3000
