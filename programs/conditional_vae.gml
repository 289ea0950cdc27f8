# A conditional VAE (Sohn, Lee & Yan 2015): the digit's class goes into encoder and decoder.
import gaussian: reparameterize, kl_to_standard
import losses: gaussian_nll
import nn: dense

batch B
dim hidden = 512
dim Z = 6
hyper variance = 0.04 in 1e-4..inf

data x: [B, (C H W)] in 0..1 from digits
data y: [B] of fin[10] from digits

net encoder(x: [..b, D], y: [..b] of fin[10]) -> (mu: [..b, Z], logvar: [..b, Z]):
    h = relu(dense[hidden](concat[f](rearrange x: [..b, D] -> [..b, f: D], one_hot[f: 10](y))))
    mu = dense[Z](h)
    logvar = dense[Z](h)

net decoder(z: [..b, Z], y: [..b] of fin[10]) -> [..b, (C H W)]:
    h = relu(dense[hidden](concat[f](rearrange z: [..b, Z] -> [..b, f: Z], one_hot[f: 10](y))))
    return sigmoid(dense[(C H W)](h))

objective neg_elbo:
    mu, logvar = encoder(x, y)
    eps: [B, Z] ~ normal(mean = 0, var = 1)
    z = reparameterize(mu, logvar, eps)
    xhat = decoder(z, y)
    term recon = mean[B](gaussian_nll(xhat, variance, x))
    term kl = mean[B](kl_to_standard(mu, logvar))
    minimize recon + kl
    show reconstruction = decoder(mu, y)

claims neg_elbo:
    kl_nonneg:    kl >= 0
    kl_zero:      kl == 0 iff mu == 0 and logvar == 0
    likelihood:   recon == nll(x, normal(mean = xhat, var = variance))
    elbo:         neg_elbo bounds nll(x) under z: normal(mean = 0, var = 1),
        x given z: normal(mean = xhat, var = variance),
        posterior normal(mean = mu, var = exp(logvar))
    sampling_law: z has law normal(mean = mu, var = exp(logvar))
    per_example:  neg_elbo is separable over B

train:
    step neg_elbo over encoder, decoder with adam(lr = 1e-3)
    batch B = 128
    steps 6000

sampler digits[N = 100](y: [N] of fin[10] = cycle) -> [N, (C H W)] in 0..1:
    z: [N, Z] ~ normal(mean = 0, var = 1)
    return decoder(z, y)
