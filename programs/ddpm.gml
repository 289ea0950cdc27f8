# Denoising diffusion (Ho, Jain & Abbeel 2020) with DDIM and probability-flow samplers of the same
# trained network (Song, Meng & Ermon 2021; Song et al. 2021). Images are scaled to -1..1.
import diffusion: ddim_update, pf_ode_euler, q_sample
import nn: conv, conv_up, dense, residual_block, time_features

batch B
dim width = 32
dim T = 200 >= 2

data x: [B, C, H, W] in 0..1 from digits

# Index 0 of the schedule is the clean image, so no step can be off by one.
const betas: [T] = linspace[T](5e-4, 0.1)
const alpha_bar: [time: T + 1] = cumprod[time](concat[time](1, 1 - betas))

net denoiser(x: [..b, C, H, W], t: [..b] of fin[T + 1]) -> [..b, C, H, W]:
    e1 = silu(dense[width](time_features[width](t)))
    e = silu(dense[e: width](e1))
    h0 = conv[f: width](x)
    h1 = residual_block[8](h0, e)
    down = conv[f: 2 * width, k: 4, s: 2](h1)
    h2 = residual_block[8](down, e)
    h3 = residual_block[8](h2, e)
    up = conv_up[f: width](h3)
    h4 = conv[f: width, k: 1](concat[f](h1, up))
    h5 = residual_block[8](h4, e)
    return conv[C](silu(h5))

objective simple:
    t: [B] of fin[T + 1] ~ uniform(1..T)
    noise: [B, C, H, W] ~ normal(mean = 0, var = 1)
    x_t = q_sample(alpha_bar[t], 2 * x - 1, noise)
    eps = denoiser(x_t, t)
    term eps_mse = mse[B, C, H, W](eps, noise)
    minimize eps_mse

claims simple:
    nonneg:      simple >= 0
    zero_iff:    simple == 0 iff eps == noise
    noising:     x_t has law normal(mean = sqrt(alpha_bar[t]) * (2 * x - 1), var = 1 - alpha_bar[t])
    per_example: simple is separable over B

train:
    step simple over denoiser with adam(lr = 1e-3)
    batch B = 128
    steps 2500
    ema 0.995

sampler ddim[N = 64, S = 50]() -> [N, C, H, W] in 0..1:
    x: [N, C, H, W] ~ normal(mean = 0, var = 1)
    for (t, s) in descending(T, S) carrying x:
        x = ddim_update(alpha_bar[t], alpha_bar[s], 0, x, denoiser(x, t), 0)
    return clamp(0.5 * x + 0.5, 0, 1)

sampler ddpm[N = 64, S = T]() -> [N, C, H, W] in 0..1:
    x: [N, C, H, W] ~ normal(mean = 0, var = 1)
    for (t, s) in descending(T, S) carrying x:
        z: [N, C, H, W] ~ normal(mean = 0, var = 1)
        x = ddim_update(alpha_bar[t], alpha_bar[s], 1, x, denoiser(x, t), z)
    return clamp(0.5 * x + 0.5, 0, 1)

sampler pf_ode[N = 64, S = 50]() -> [N, C, H, W] in 0..1:
    x: [N, C, H, W] ~ normal(mean = 0, var = 1)
    for (t, s) in descending(T, S) carrying x:
        x = pf_ode_euler(alpha_bar[t], alpha_bar[s], x, denoiser(x, t))
    return clamp(0.5 * x + 0.5, 0, 1)
