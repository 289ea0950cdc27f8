# A Wasserstein GAN with gradient penalty (Gulrajani et al. 2017).
import gan: critic, gradient_penalty
import nn: dense

batch B
dim hidden = 256
dim Z = 16
hyper penalty = 10.0 in 0..inf

data x: [B, (C H W)] in 0..1 from digits

net generator(z: [..b, Z]) -> [..b, (C H W)]:
    h1 = relu(dense[hidden](z))
    h2 = relu(dense[hidden](h1))
    return sigmoid(dense[(C H W)](h2))

net discriminator(x: [..b, D]) -> [..b]:
    h1 = silu(dense[hidden](x))
    h2 = silu(dense[hidden](h1))
    score = dense[one: 1](h2)
    return sum[one](score)

objective d_loss:
    noise: [B, Z] ~ normal(mean = 0, var = 1)
    u: [B] ~ uniform(0, 1)
    fake = stop_grad(generator(noise))
    between = u * x + (1 - u) * fake
    slope = grad[between](discriminator(between))
    term distance = critic(discriminator(x), discriminator(fake))
    term smoothness = mean[B](gradient_penalty(slope))
    minimize distance + penalty * smoothness

objective g_loss:
    noise: [B, Z] ~ normal(mean = 0, var = 1)
    term g_fake = -mean[B](discriminator(generator(noise)))
    minimize g_fake

claims d_loss:
    smooth_nonneg: smoothness >= 0
    monotone:      d_loss is nondecreasing in penalty
    no_penalty:    d_loss with penalty = 0 == distance
    d_stays:       step d_loss leaves generator unchanged

train:
    step d_loss over discriminator with adam(lr = 2e-4, beta1 = 0.5) times 3
    step g_loss over generator with adam(lr = 2e-4, beta1 = 0.5)
    batch B = 64
    steps 14000
    ema 0.999

sampler digits[N = 64]() -> [N, (C H W)] in 0..1:
    z: [N, Z] ~ normal(mean = 0, var = 1)
    return generator(z)
