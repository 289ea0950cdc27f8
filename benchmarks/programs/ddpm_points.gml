# Diffusion of points of the plane, to see whether the weights of a mixture are recovered.
import diffusion: ddim_update, q_sample
import nn: dense, time_features
import schedules: cosine

batch B
dim hidden = 128
dim T = 100 >= 2

data x: [B, D] from synthetic_ring8

const betas: [T] = linspace[T](1e-3, 0.15)
const alpha_bar: [time: T + 1] = cumprod[time](concat[time](1, 1 - betas))

net denoiser(x: [..b, D], t: [..b] of fin[T + 1]) -> [..b, D]:
    e = dense[hidden](time_features[hidden](t))
    h1 = silu(dense[hidden](x) + e)
    h2 = silu(dense[hidden](h1) + e)
    h3 = silu(dense[hidden](h2) + e)
    return dense[D](h3)

objective simple:
    t: [B] of fin[T + 1] ~ uniform(1..T)
    noise: [B, D] ~ normal(mean = 0, var = 1)
    x_t = q_sample(alpha_bar[t], x, noise)
    term eps_mse = mse[B, D](denoiser(x_t, t), noise)
    minimize eps_mse

train:
    step simple over denoiser with adam()
    schedule lr = cosine(2e-3, 1e-5, steps = 6000)
    batch B = 512
    steps 6000
    ema 0.995

sampler points[N = 10000]() -> [N, D]:
    x: [N, D] ~ normal(mean = 0, var = 1)
    for (t, s) in descending(T, T) carrying x:
        z: [N, D] ~ normal(mean = 0, var = 1)
        x = ddim_update(alpha_bar[t], alpha_bar[s], 1, x, denoiser(x, t), z)
    return x
