# Gaussian diffusion (Ho, Jain & Abbeel 2020; Song, Meng & Ermon 2021). `a` is alpha_bar at a time:
# 1 at time 0, falling.

# The forward law: x_t = sqrt(a) x_0 + sqrt(1 - a) noise.
fn q_sample(a: [..s], x0: [..s], noise: [..s]) -> [..s]:
    return sqrt(a) * x0 + sqrt(1 - a) * noise

# The clean image that a noise prediction stands for.
fn predict_x0(a: [..s], x_t: [..s], eps: [..s]) -> [..s]:
    return (x_t - sqrt(1 - a) * eps) / sqrt(a)

# One step of DDIM from time t (a_t) to an earlier time (a_s); eta = 1 is DDPM's variance.
fn ddim_update(a_t: real, a_s: real, eta: real, x: [..s], eps: [..s], z: [..s]) -> [..s]:
    variance = square(eta) * (1 - a_s) / (1 - a_t) * (1 - a_t / a_s)
    direction = sqrt(relu(1 - a_s - variance)) * eps
    return sqrt(a_s) * predict_x0(a_t, x, eps) + direction + sqrt(variance) * z

# The posterior of DDPM: mean and variance of x_s given x_t and x_0, a = a_t / a_s.
fn posterior_mean(a_t: real, a_s: real, x0: [..s], x_t: [..s]) -> [..s]:
    keep = a_t / a_s
    return sqrt(a_s) * (1 - keep) / (1 - a_t) * x0 + sqrt(keep) * (1 - a_s) / (1 - a_t) * x_t

fn posterior_variance(a_t: real, a_s: real) -> real:
    return (1 - a_s) / (1 - a_t) * (1 - a_t / a_s)

# The probability-flow ODE in the variable x / sqrt(a), by Euler (Song et al. 2021, DDIM's eq. 14).
fn pf_ode_euler(a_t: real, a_s: real, x: [..s], eps: [..s]) -> [..s]:
    slope = sqrt((1 - a_s) / a_s) - sqrt((1 - a_t) / a_t)
    return sqrt(a_s) * (x / sqrt(a_t) + slope * eps)

claims q_sample(a, x0, noise):
    clean_at_one: given a == 1: q_sample(a, x0, noise) == x0

claims ddim_update(a_t, a_s, eta, x, eps, z):
    ddim_deterministic: given a_t > 0 and a_t < 1 and a_s > 0 and a_s <= 1:
        ddim_update(a_t, a_s, 0, x, eps, z)
        == sqrt(a_s) * predict_x0(a_t, x, eps) + sqrt(1 - a_s) * eps
    ddim_last_step:     given a_t > 0 and a_t < 1:
        ddim_update(a_t, 1, eta, x, eps, z) == predict_x0(a_t, x, eps)
    pf_ode_is_ddim:     given a_t > 0 and a_t < 1 and a_s > 0 and a_s <= 1:
        pf_ode_euler(a_t, a_s, x, eps) == ddim_update(a_t, a_s, 0, x, eps, z)
