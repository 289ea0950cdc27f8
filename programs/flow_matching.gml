# Flow matching with straight paths (Lipman et al. 2023): a velocity field from noise to images.
import nn: conv, conv_up, dense, residual_block, time_features

batch B
dim width = 32
dim T = 100 >= 2

data x: [B, C, H, W] in 0..1 from digits

net velocity(x: [..b, C, H, W], t: [..b] of fin[T + 1]) -> [..b, C, H, W]:
    e1 = silu(dense[width](time_features[width](t)))
    e = silu(dense[e: width](e1))
    h0 = conv[f: width](x)
    h1 = residual_block[8](h0, e)
    down = conv[f: 2 * width, k: 4, s: 2](h1)
    h2 = residual_block[8](down, e)
    up = conv_up[f: width](h2)
    h3 = conv[f: width, k: 1](concat[f](h1, up))
    h4 = residual_block[8](h3, e)
    return conv[C](silu(h4))

objective matching:
    t: [B] of fin[T + 1] ~ uniform(0..T)
    noise: [B, C, H, W] ~ normal(mean = 0, var = 1)
    s = index(t) / T
    clean = 2 * x - 1
    x_t = (1 - s) * clean + s * noise
    term velocity_mse = mse[B, C, H, W](velocity(x_t, t), noise - clean)
    minimize velocity_mse

claims matching:
    nonneg:      matching >= 0
    per_example: matching is separable over B

train:
    step matching over velocity with adam(lr = 1e-3)
    batch B = 128
    steps 2500
    ema 0.995

# Euler from time T (noise) to time 0 (images).
sampler digits[N = 64, S = 50]() -> [N, C, H, W] in 0..1:
    x: [N, C, H, W] ~ normal(mean = 0, var = 1)
    for (t, s) in descending(T, S) carrying x:
        x = x + (index(s) - index(t)) / T * velocity(x, t)
    return clamp(0.5 * x + 0.5, 0, 1)
