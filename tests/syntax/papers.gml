# A beta-VAE (Kingma & Welling 2014; Higgins et al. 2017).
import gaussian: reparameterize, kl_to_standard
import losses: bernoulli_nll
import nn: dense

batch B
dim hidden = 256
dim Z = 16
hyper beta = 1.0 in 0..inf

data x: [B, (C H W)] in 0..1 from digits

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
    minimize recon + beta * kl

claims neg_elbo:
    two_term:     neg_elbo == weighted_two_term(beta, recon, kl)
    kl_nonneg:    kl >= 0
    kl_zero:      kl == 0 iff mu == 0 and logvar == 0
    plain_ae:     neg_elbo with beta = 0 == recon
    monotone:     neg_elbo is nondecreasing in beta
    sampling_law: z has law normal(mean = mu, var = exp(logvar))
    per_example:  neg_elbo is separable over B
    no_kl_to_dec: grad(kl, decoder) == 0

train:
    step neg_elbo over encoder, decoder with adam(lr = 1e-3)
    batch B = 128
    steps 2000

sampler digits[N = 64] -> [N, (C H W)] in 0..1:
    z: [N, Z] ~ normal(mean = 0, var = 1)
    return sigmoid(decoder(z))

# The two lines of a VQ-VAE that public code bases get wrong, and the claims that see it.
objective vq:
    z = encoder(x)                                       # [B, P, C]
    k = nearest(codebook, z)                             # [B, P] of fin[K]
    e = codebook[k]                                      # [B, P, C]
    term recon = mean[B](sum[..](square(decoder(straight_through(z, e)) - x)))
    term codebook_loss = mse[B, P, C](e, stop_grad(z))
    term commitment = mse[B, P, C](z, stop_grad(e))
    minimize recon + codebook_loss + beta * commitment

claims vq:
    three_term: vq == weighted_three_term(beta, recon, codebook_loss, commitment)
    flow_1:     grad(commitment, codebook) == 0
    flow_2:     grad(codebook_loss, encoder) == 0
    flow_3:     grad(vq, codebook) does not depend on beta

# Diffusion: the schedule's index 0 is the clean image, so no step can be off by one.
dim T = 1000 >= 2
const betas: [T] = linspace[T](1e-4, 0.02)
const alpha_bar: [time: T + 1] = cumprod[time](concat[time](1, 1 - betas))

objective simple:
    t: [B] of fin[T + 1] ~ uniform(1..T)
    noise: [B, C, H, W] ~ normal(mean = 0, var = 1)
    x_t = sqrt(alpha_bar[t]) * x + sqrt(1 - alpha_bar[t]) * noise      # [B] meets [B, C, H, W] by label
    term eps_mse = mse[B, C, H, W](denoiser(x_t, t), noise)
    minimize eps_mse

sampler ddim[N = 64, S = 50](eta: real = 0.0) -> [N, C, H, W]:
    x: [N, C, H, W] ~ normal(mean = 0, var = 1)
    for (t, s) in descending(T, S) carrying x:           # S pairs, first t = T, each s the next t, last s = 0; needs S <= T
        z: [N, C, H, W] ~ normal(mean = 0, var = 1)
        x = ddim_step(denoiser, x, t, s, eta, z)
    return x
