# A least-squares GAN (Mao et al. 2017). Both players see images blurred by noise that shrinks
# (instance noise; Arjovsky & Bottou 2017), since 1,438 digits are soon known by heart.
import gan: lsgan_discriminator, lsgan_generator
import nn: dense
import schedules: linear_warmup

batch B
dim hidden = 256
dim Z = 16
hyper blur = 0.3 in 0..1

data x: [B, (C H W)] in 0..1 from digits

net generator(z: [..b, Z]) -> [..b, (C H W)]:
    h1 = relu(dense[hidden](z))
    h2 = relu(dense[hidden](h1))
    return sigmoid(dense[(C H W)](h2))

net discriminator(x: [..b, D]) -> [..b]:
    h1 = dense[hidden](x)
    h2 = dense[hidden](maximum(h1, 0.2 * h1))
    score = dense[one: 1](maximum(h2, 0.2 * h2))
    return sum[one](score)

objective d_loss:
    noise: [B, Z] ~ normal(mean = 0, var = 1)
    real_blur: [B, (C H W)] ~ normal(mean = 0, var = 1)
    fake_blur: [B, (C H W)] ~ normal(mean = 0, var = 1)
    real_score = discriminator(x + blur * real_blur)
    fake_score = discriminator(stop_grad(generator(noise)) + blur * fake_blur)
    term d_real = mse[B](real_score, 1)
    term d_fake = mse[B](fake_score, 0)
    minimize d_real + d_fake

objective g_loss:
    noise: [B, Z] ~ normal(mean = 0, var = 1)
    fake_blur: [B, (C H W)] ~ normal(mean = 0, var = 1)
    score = discriminator(generator(noise) + blur * fake_blur)
    term g_fake = lsgan_generator(score)
    minimize g_fake

claims d_loss:
    d_is_lsgan:  d_loss == lsgan_discriminator(real_score, fake_score)
    d_nonneg:    d_loss >= 0
    d_zero_iff:  d_loss == 0 iff real_score == 1 and fake_score == 0
    d_stays:     step d_loss leaves generator unchanged
    d_no_g_grad: grad(d_loss, generator) == 0

claims g_loss:
    g_nonneg:   g_loss >= 0
    g_zero_iff: g_loss == 0 iff score == 1
    g_stays:    step g_loss leaves discriminator unchanged

train:
    step d_loss over discriminator with adam(lr = 2e-4, beta1 = 0.5)
    step g_loss over generator with adam(lr = 2e-4, beta1 = 0.5)
    schedule blur = linear_warmup(0.4, 0.05, steps = 12000)
    batch B = 128
    steps 14000
    ema 0.999

sampler digits[N = 64] -> [N, (C H W)] in 0..1:
    z: [N, Z] ~ normal(mean = 0, var = 1)
    return generator(z)
