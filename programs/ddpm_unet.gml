# A class-conditional diffusion U-Net on 28 x 28 clothes with classifier-free guidance (Ho & Salimans
# 2022), the cosine schedule (Nichol & Dhariwal 2021) and velocities as targets (Salimans & Ho 2022).
# The network works on 2 x 2 patches as channels.
import diffusion: clipped_noise, cosine_alpha_bar, ddim_update, noise_from_velocity, q_sample,
    velocity
import nn: attention_block, conv, conv_up, dense, embedding, residual_block, time_features
import schedules: cosine

batch B
dim width = 32
dim T = 500 >= 2
hyper drop = 0.1 in 0..1

data x: [B, C, H, W] in 0..1 from fashion2k
data y: [B] of fin[10] from fashion2k

const alpha_bar: [time: T + 1] = cosine_alpha_bar[time: T + 1]()

# The class `last[11]` means: no class.
net denoiser(x: [..b, C, H, W], t: [..b] of fin[T + 1], y: [..b] of fin[11]) -> [..b, C, H, W]:
    time = dense[e: 2 * width](time_features[width](t))
    class = embedding[e: 2 * width](y)
    e = silu(dense[e: 2 * width](silu(time + class)))
    packed = rearrange x: [..b, C, (v p: 2), (u q: 2)] -> [..b, c: (C p q), v, u]
    h0 = conv[f: width](packed)
    h1 = residual_block[8](h0, e)
    down = conv[f: 2 * width, k: 4, s: 2](h1)
    h2 = residual_block[8](down, e)
    h3 = attention_block[4](h2)
    h4 = residual_block[8](h3, e)
    up = conv_up[f: width](h4)
    h5 = conv[f: width, k: 1](concat[f](h1, up))
    h6 = residual_block[8](h5, e)
    out = conv[c: 4 * C](silu(h6))
    return rearrange out: [..b, c: (C p: 2 q: 2), v, u] -> [..b, C, H: (v p), W: (u q)]

objective simple:
    t: [B] of fin[T + 1] ~ uniform(1..T)
    noise: [B, C, H, W] ~ normal(mean = 0, var = 1)
    u: [B] ~ uniform(0, 1)
    label = where(u < drop, last[11](), widen(y))
    x_t = q_sample(alpha_bar[t], 2 * x - 1, noise)
    target = velocity(alpha_bar[t], 2 * x - 1, noise)
    v = denoiser(x_t, t, label)
    term v_mse = mse[B, C, H, W](v, target)
    minimize v_mse

claims simple:
    nonneg:      simple >= 0
    noising:     x_t has law normal(mean = sqrt(alpha_bar[t]) * (2 * x - 1), var = 1 - alpha_bar[t])
    per_example: simple is separable over B

train:
    step simple over denoiser with adam()
    schedule lr = cosine(2e-3, 1e-4, steps = 2200)
    batch B = 32
    steps 2200
    ema 0.995

sampler clothes[N = 60, S = 25](
    y: [N] of fin[10] = cycle,
    guidance: real = 1.0,
) -> [N, C, H, W] in 0..1:
    x: [N, C, H, W] ~ normal(mean = 0, var = 1)
    for (t, s) in descending(T, S) carrying x:
        plain = denoiser(x, t, last[11]())
        given_class = denoiser(x, t, widen(y))
        v = (1 + guidance) * given_class - guidance * plain
        eps = clipped_noise(alpha_bar[t], x, noise_from_velocity(alpha_bar[t], x, v))
        x = ddim_update(alpha_bar[t], alpha_bar[s], 0, x, eps, 0)
    return clamp(0.5 * x + 0.5, 0, 1)
