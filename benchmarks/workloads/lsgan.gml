# The LSGAN of the CPU benchmark: 64-256-512-784 against 784-512-256-1 (Mao et al. 2017).
import nn: dense

batch B
dim wide = 512
dim narrow = 256
dim Z = 64

data x: [B, (C H W)] in 0..1 from fashion2k

net generator(z: [..b, Z]) -> [..b, (C H W)]:
    h1 = relu(dense[narrow](z))
    h2 = relu(dense[wide](h1))
    return sigmoid(dense[(C H W)](h2))

net discriminator(x: [..b, D]) -> [..b]:
    h1 = dense[wide](x)
    h2 = dense[narrow](maximum(h1, 0.2 * h1))
    score = dense[one: 1](maximum(h2, 0.2 * h2))
    return sum[one](score)

objective d_loss:
    noise: [B, Z] ~ normal(mean = 0, var = 1)
    fake = stop_grad(generator(noise))
    term d_real = mse[B](discriminator(x), 1)
    term d_fake = mse[B](discriminator(fake), 0)
    minimize d_real + d_fake

objective g_loss:
    noise: [B, Z] ~ normal(mean = 0, var = 1)
    term g_fake = mse[B](discriminator(generator(noise)), 1)
    minimize g_fake

train:
    step d_loss over discriminator with adam(lr = 2e-4, beta1 = 0.5)
    step g_loss over generator with adam(lr = 2e-4, beta1 = 0.5)
    batch B = 128
    steps 1000
