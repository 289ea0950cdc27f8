# Gaussian diffusion (Ho, Jain & Abbeel 2020; Song, Meng & Ermon 2021). `a` is alpha_bar at a time:
# 1 at time 0, falling.

# The cosine schedule (Nichol & Dhariwal 2021): 1 at time 0, never below 1e-4.
fn cosine_alpha_bar[time]() -> [time]:
    phase = (index(iota[time]()) / (time - 1) + 0.008) / 1.008
    start = square(cos(0.008 / 1.008 * 1.5707963267948966))
    return clamp(square(cos(phase * 1.5707963267948966)) / start, 1e-4, 1)

# The forward law: x_t = sqrt(a) x_0 + sqrt(1 - a) noise.
fn q_sample(a: [..s], x0: [..s], noise: [..s]) -> [..s]:
    return sqrt(a) * x0 + sqrt(1 - a) * noise

# The clean image that a noise prediction stands for.
fn predict_x0(a: [..s], x_t: [..s], eps: [..s]) -> [..s]:
    return (x_t - sqrt(1 - a) * eps) / sqrt(a)

# The noise prediction whose clean image is the predicted one, clipped to -1..1.
fn clipped_noise(a: [..s], x_t: [..s], eps: [..s]) -> [..s]:
    return (x_t - sqrt(a) * clamp(predict_x0(a, x_t, eps), -1, 1)) / sqrt(1 - a)

# The velocity (Salimans & Ho 2022), and what a predicted one says of noise and clean image.
fn velocity(a: [..s], x0: [..s], noise: [..s]) -> [..s]:
    return sqrt(a) * noise - sqrt(1 - a) * x0

fn noise_from_velocity(a: [..s], x_t: [..s], v: [..s]) -> [..s]:
    return sqrt(1 - a) * x_t + sqrt(a) * v

fn x0_from_velocity(a: [..s], x_t: [..s], v: [..s]) -> [..s]:
    return sqrt(a) * x_t - sqrt(1 - a) * v

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

# The same by Heun's rule (Karras et al. 2022): `eps_s` is the noise predicted at time s where
# Euler's step with `eps_t` leads; it needs a_s < 1.
fn pf_ode_heun(a_t: real, a_s: real, x: [..s], eps_t: [..s], eps_s: [..s]) -> [..s]:
    return pf_ode_euler(a_t, a_s, x, 0.5 * (eps_t + eps_s))

# One step of the forward chain: x_t given x_{t-1}, with beta_t = b (Ho et al. 2020, eq. 2).
kernel noising_step(x: [..s], b: real) -> [..s]:
    fresh: [..s] ~ normal(mean = 0, var = 1)
    return sqrt(1 - b) * x + sqrt(b) * fresh

# The forward law at once.
kernel noised(x0: [..s], a: real) -> [..s]:
    fresh: [..s] ~ normal(mean = 0, var = 1)
    return sqrt(a) * x0 + sqrt(1 - a) * fresh

# Euler's step of dx/dt = f.
fn euler_step(x: [..s], f: [..s], dt: real) -> [..s]:
    return x + dt * f

claims noising_step(x, b):
    noising_law: given b > 0 and b < 1:
        noising_step(x, b) has law normal(mean = sqrt(1 - b) * x, var = b)

claims noised(x0, a):
    forward_law as forwardGaussian_isGaussian: given a > 0 and a < 1:
        noised(x0, a) has law normal(mean = sqrt(a) * x0, var = 1 - a)

claims euler_step(x, f, dt):
    euler_zero_step: euler_step(x, f, 0) == x

claims predict_x0(a, x_t, eps):
    exact_noise: given a > 0 and a < 1: predict_x0(a, q_sample(a, x_t, eps), eps) == x_t

claims posterior_mean(a_t, a_s, x0, x_t):
    posterior_weights:  given a_t > 0 and a_t < a_s and a_s < 1: posterior_mean(a_t, a_s, 0, 0) == 0
    posterior_of_exact: given a_t > 0 and a_t < a_s and a_s <= 1:
        posterior_mean(a_t, a_s, x0, sqrt(a_t) * x0) == sqrt(a_s) * x0
    posterior_at_clean: given a_t > 0 and a_t < 1: posterior_mean(a_t, 1, x0, x_t) == x0

claims posterior_variance(a_t, a_s):
    variance_nonneg: given a_t > 0 and a_t <= a_s and a_s <= 1 and a_t < 1:
        posterior_variance(a_t, a_s) >= 0
    variance_small:  given a_t > 0 and a_t <= a_s and a_s <= 1 and a_t < 1:
        posterior_variance(a_t, a_s) <= 1 - a_s
    point_at_clean:  given a_t > 0 and a_t < 1: posterior_variance(a_t, 1) == 0

claims pf_ode_heun(a_t, a_s, x, eps_t, eps_s):
    heun_is_euler: given a_t > 0 and a_t <= 1 and a_s > 0 and a_s <= 1:
        pf_ode_heun(a_t, a_s, x, eps_t, eps_t) == pf_ode_euler(a_t, a_s, x, eps_t)

claims q_sample(a, x0, noise):
    clean_at_one: given a == 1: q_sample(a, x0, noise) == x0

claims velocity(a, x0, noise):
    velocity_noise: given a >= 0 and a <= 1:
        noise_from_velocity(a, q_sample(a, x0, noise), velocity(a, x0, noise)) == noise
    velocity_x0:    given a >= 0 and a <= 1:
        x0_from_velocity(a, q_sample(a, x0, noise), velocity(a, x0, noise)) == x0

claims pf_ode_euler(a_t, a_s, x, eps):
    pf_ode_zero_step:   given a_t > 0 and a_t <= 1: pf_ode_euler(a_t, a_t, x, eps) == x
    pf_ode_exact_noise: given a_t > 0 and a_t < 1 and a_s > 0 and a_s <= 1:
        pf_ode_euler(a_t, a_s, sqrt(a_t) * x + sqrt(1 - a_t) * eps, eps)
        == sqrt(a_s) * x + sqrt(1 - a_s) * eps

claims ddim_update(a_t, a_s, eta, x, eps, z):
    ddim_deterministic:              given a_t > 0 and a_t < 1 and a_s > 0 and a_s <= 1:
        ddim_update(a_t, a_s, 0, x, eps, z)
        == sqrt(a_s) * predict_x0(a_t, x, eps) + sqrt(1 - a_s) * eps
    ddim_last_step:                  given a_t > 0 and a_t < 1:
        ddim_update(a_t, 1, eta, x, eps, z) == predict_x0(a_t, x, eps)
    pf_ode_is_ddim:                  given a_t > 0 and a_t < 1 and a_s > 0 and a_s <= 1:
        pf_ode_euler(a_t, a_s, x, eps) == ddim_update(a_t, a_s, 0, x, eps, z)
    ddim_zero_step:                  given a_t > 0 and a_t < 1:
        ddim_update(a_t, a_t, 0, x, eps, z) == x
    ddim_step as ddimStep_eq_x0Pred: given a_t > 0 and a_t < 1 and a_s > 0 and a_s <= 1:
        ddim_update(a_t, a_s, 0, x, eps, z)
        == sqrt(a_s) * predict_x0(a_t, x, eps) + sqrt(1 - a_s) * eps
    ddim_exact_noise:                given a_t > 0 and a_t < 1 and a_s > 0 and a_s <= 1:
        ddim_update(a_t, a_s, 0, sqrt(a_t) * x + sqrt(1 - a_t) * eps, eps, z)
        == sqrt(a_s) * x + sqrt(1 - a_s) * eps
    ddim_eta_one:                    given a_t > 0 and a_t < a_s and a_s < 1:
        ddim_update(a_t, a_s, 1, x, eps, z)
        == posterior_mean(a_t, a_s, predict_x0(a_t, x, eps), x)
        + sqrt(posterior_variance(a_t, a_s)) * z
