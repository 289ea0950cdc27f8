# A least-squares GAN (Mao et al. 2017) on points of the plane: eight Gaussians on a circle.
import gan: lsgan_discriminator, lsgan_generator
import nn: dense

batch B
dim hidden = 128
dim Z = 8

data x: [B, D] from synthetic_ring8

net generator(z: [..b, Z]) -> [..b, D]:
    h1 = relu(dense[hidden](z))
    h2 = relu(dense[hidden](h1))
    return dense[D](h2)

net discriminator(x: [..b, D]) -> [..b]:
    h1 = dense[hidden](x)
    h2 = dense[hidden](maximum(h1, 0.2 * h1))
    score = dense[one: 1](maximum(h2, 0.2 * h2))
    return sum[one](score)

objective d_loss:
    noise: [B, Z] ~ normal(mean = 0, var = 1)
    real_score = discriminator(x)
    fake_score = discriminator(stop_grad(generator(noise)))
    term d_real = mse[B](real_score, 1)
    term d_fake = mse[B](fake_score, 0)
    minimize d_real + d_fake

objective g_loss:
    noise: [B, Z] ~ normal(mean = 0, var = 1)
    score = discriminator(generator(noise))
    term g_fake = lsgan_generator(score)
    minimize g_fake

claims d_loss:
    d_is_lsgan: d_loss == lsgan_discriminator(real_score, fake_score)
    d_nonneg:   d_loss >= 0
    d_stays:    step d_loss leaves generator unchanged

claims g_loss:
    g_nonneg: g_loss >= 0
    g_stays:  step g_loss leaves discriminator unchanged

train:
    step d_loss over discriminator with adam(lr = 5e-4, beta1 = 0.5)
    step g_loss over generator with adam(lr = 5e-4, beta1 = 0.5)
    batch B = 256
    steps 8000
    ema 0.999

sampler points[N = 10000] -> [N, D]:
    z: [N, Z] ~ normal(mean = 0, var = 1)
    return generator(z)
