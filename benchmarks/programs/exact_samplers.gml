# Samplers with the exact noise prediction, whose law is therefore known: of normal(0, 0.25), and of
# 0.3 normal(1.5, 0.04) + 0.7 normal(-1, 0.04). The last two are wrong on purpose: time reversed, and
# without the factor 1/2 of the probability flow.
import diffusion: ddim_update, pf_ode_euler, pf_ode_heun

dim T = 400 >= 2

const betas: [T] = linspace[T](2.5e-4, 0.05)
const alpha_bar: [time: T + 1] = cumprod[time](concat[time](1, 1 - betas))
const backwards: [time: T + 1] = flip[time](alpha_bar)

fn gaussian_noise(a: real, x: [..s]) -> [..s]:
    return sqrt(1 - a) * x / (0.25 * a + 1 - a)

fn mixture_noise(a: real, x: [..s]) -> [..s]:
    v = 0.04 * a + 1 - a
    up = square(x - 1.5 * sqrt(a))
    down = square(x + sqrt(a))
    first = sigmoid(log(0.3 / 0.7) + 0.5 * (down - up) / v)
    centre = sqrt(a) * (1.5 * first - (1 - first))
    return sqrt(1 - a) * (x - centre) / v

sampler ddpm_gaussian[N = 4000]() -> [N]:
    x: [N] ~ normal(mean = 0, var = 1)
    for (t, s) in descending(T, T) carrying x:
        z: [N] ~ normal(mean = 0, var = 1)
        x = ddim_update(alpha_bar[t], alpha_bar[s], 1, x, gaussian_noise(alpha_bar[t], x), z)
    return x

sampler ddim_gaussian[N = 4000]() -> [N]:
    x: [N] ~ normal(mean = 0, var = 1)
    for (t, s) in descending(T, T) carrying x:
        x = ddim_update(alpha_bar[t], alpha_bar[s], 0, x, gaussian_noise(alpha_bar[t], x), 0)
    return x

sampler euler_gaussian[N = 4000]() -> [N]:
    x: [N] ~ normal(mean = 0, var = 1)
    for (t, s) in descending(T, T) carrying x:
        x = pf_ode_euler(alpha_bar[t], alpha_bar[s], x, gaussian_noise(alpha_bar[t], x))
    return x

sampler ddpm_mixture[N = 4000]() -> [N]:
    x: [N] ~ normal(mean = 0, var = 1)
    for (t, s) in descending(T, T) carrying x:
        z: [N] ~ normal(mean = 0, var = 1)
        x = ddim_update(alpha_bar[t], alpha_bar[s], 1, x, mixture_noise(alpha_bar[t], x), z)
    return x

sampler ddim_mixture[N = 4000]() -> [N]:
    x: [N] ~ normal(mean = 0, var = 1)
    for (t, s) in descending(T, T) carrying x:
        x = ddim_update(alpha_bar[t], alpha_bar[s], 0, x, mixture_noise(alpha_bar[t], x), 0)
    return x

sampler half_eta_mixture[N = 4000]() -> [N]:
    x: [N] ~ normal(mean = 0, var = 1)
    for (t, s) in descending(T, T) carrying x:
        z: [N] ~ normal(mean = 0, var = 1)
        x = ddim_update(alpha_bar[t], alpha_bar[s], 0.5, x, mixture_noise(alpha_bar[t], x), z)
    return x

sampler euler_mixture[N = 4000]() -> [N]:
    x: [N] ~ normal(mean = 0, var = 1)
    for (t, s) in descending(T, T) carrying x:
        x = pf_ode_euler(alpha_bar[t], alpha_bar[s], x, mixture_noise(alpha_bar[t], x))
    return x

# Heun's rule needs fewer steps; the last one is at time s = 0, where the prediction is 0.
sampler heun_mixture[N = 4000]() -> [N]:
    x: [N] ~ normal(mean = 0, var = 1)
    for (t, s) in descending(T, 100) carrying x:
        e = mixture_noise(alpha_bar[t], x)
        there = pf_ode_euler(alpha_bar[t], alpha_bar[s], x, e)
        x = pf_ode_heun(alpha_bar[t], alpha_bar[s], x, e, mixture_noise(alpha_bar[s], there))
    return x

sampler reversed_mixture[N = 4000]() -> [N]:
    x: [N] ~ normal(mean = 0, var = 1)
    for (t, s) in descending(T, T) carrying x:
        x = ddim_update(alpha_bar[t], alpha_bar[s], 0, x, mixture_noise(backwards[t], x), 0)
    return x

sampler no_half_mixture[N = 4000]() -> [N]:
    x: [N] ~ normal(mean = 0, var = 1)
    for (t, s) in descending(T, T) carrying x:
        e = 2 * mixture_noise(alpha_bar[t], x)
        x = pf_ode_euler(alpha_bar[t], alpha_bar[s], x, e)
    return x
