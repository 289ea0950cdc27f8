# The diffusion model of the CPU benchmark: two residual blocks of 32 channels at 32 x 32 (Ho, Jain &
# Abbeel 2020).
import diffusion: q_sample
import nn: conv, dense, time_features

batch B
dim width = 32
dim T = 200 >= 2

data x: [B, C, H, W] in 0..1 from cifar10

const betas: [T] = linspace[T](5e-4, 0.1)
const alpha_bar: [time: T + 1] = cumprod[time](concat[time](1, 1 - betas))

net denoiser(x: [..b, C, H, W], t: [..b] of fin[T + 1]) -> [..b, C, H, W]:
    e = dense[width](time_features[width](t))
    h0 = conv[f: width](x)
    h = h0 + (rearrange e: [..b, width] -> [..b, f: width])
    a1 = conv[f: width](silu(h))
    a2 = conv[f: width](silu(a1))
    a = h + a2
    b1 = conv[f: width](silu(a))
    b2 = conv[f: width](silu(b1))
    b = a + b2
    return conv[C](silu(b))

objective simple:
    t: [B] of fin[T + 1] ~ uniform(1..T)
    noise: [B, C, H, W] ~ normal(mean = 0, var = 1)
    x_t = q_sample(alpha_bar[t], 2 * x - 1, noise)
    term eps_mse = mse[B, C, H, W](denoiser(x_t, t), noise)
    minimize eps_mse

train:
    step simple over denoiser with adam(lr = 1e-3)
    batch B = 32
    steps 1000
