# A conditional VAE (Sohn, Lee & Yan 2015): the digit's class goes into encoder and decoder.
import gaussian: reparameterize, kl_to_standard
import losses: bernoulli_nll
import nn: dense

batch B
dim hidden = 256
dim Z = 16

data x: [B, (C H W)] in 0..1 from digits
data y: [B] of fin[10] from digits

net encoder(x: [..b, D], y: [..b] of fin[10]) -> (mu: [..b, Z], logvar: [..b, Z]):
    h = relu(dense[hidden](concat[f](rearrange x: [..b, D] -> [..b, f: D], one_hot[f: 10](y))))
    mu = dense[Z](h)
    logvar = dense[Z](h)

net decoder(z: [..b, Z], y: [..b] of fin[10]) -> [..b, (C H W)]:
    h = relu(dense[hidden](concat[f](rearrange z: [..b, Z] -> [..b, f: Z], one_hot[f: 10](y))))
    return dense[(C H W)](h)

objective neg_elbo:
    mu, logvar = encoder(x, y)
    eps: [B, Z] ~ normal(mean = 0, var = 1)
    z = reparameterize(mu, logvar, eps)
    term recon = mean[B](bernoulli_nll(decoder(z, y), x))
    term kl = mean[B](kl_to_standard(mu, logvar))
    minimize recon + kl
    show reconstruction = sigmoid(decoder(mu, y))

claims neg_elbo:
    kl_nonneg:    kl >= 0
    kl_zero:      kl == 0 iff mu == 0 and logvar == 0
    sampling_law: z has law normal(mean = mu, var = exp(logvar))
    per_example:  neg_elbo is separable over B

train:
    step neg_elbo over encoder, decoder with adam(lr = 1e-3)
    batch B = 128
    steps 2000

sampler digits[N = 60](y: [N] of fin[10] = cycle) -> [N, (C H W)] in 0..1:
    z: [N, Z] ~ normal(mean = 0, var = 1)
    return sigmoid(decoder(z, y))
