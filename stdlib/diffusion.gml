import gaussian: normal_nll

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

# alpha_bar of a schedule of noise: 1, then products of 1 - beta.
fn alpha_bar_of(betas: [time: T]) -> [time: T + 1]:
    return cumprod[time](concat[time](1, 1 - betas))

# Step t of the forward chain with that schedule, and its closed form from the start.
kernel chain_step(x: [..s], t: fin[T + 1], betas: [time: T]) -> [..s]:
    fresh: [..s] ~ normal(mean = 0, var = 1)
    rate = concat[time](0, betas)[t]
    return sqrt(1 - rate) * x + sqrt(rate) * fresh

kernel noised_at(x0: [..s], t: fin[T + 1], betas: [time: T]) -> [..s]:
    fresh: [..s] ~ normal(mean = 0, var = 1)
    return q_sample(alpha_bar_of(betas)[t], x0, fresh)

claims noised_at(x0, t, betas):
    chain_closed_form: given betas >= 0 and betas < 1: for all n in 0..T:
        iterate(chain_step, x0, n, betas)
        has law normal(mean = sqrt(alpha_bar_of(betas)[n]) * x0, var = 1 - alpha_bar_of(betas)[n])

# Any mixture of an image with noise.
kernel mixed_with_noise(c0: real, c1: real, x0: [..s]) -> [..s]:
    fresh: [..s] ~ normal(mean = 0, var = 1)
    return c0 * x0 + c1 * fresh

# Two steps of the forward chain.
kernel two_noising_steps(x: [..s], b: real, c: real) -> [..s]:
    first: [..s] ~ normal(mean = 0, var = 1)
    second: [..s] ~ normal(mean = 0, var = 1)
    return sqrt(1 - c) * (sqrt(1 - b) * x + sqrt(b) * first) + sqrt(c) * second

# The score of x_t given x_0: the gradient of the log-density, and of the noise it stands for.
fn score(a: [..s], x0: [..s], x_t: [..s]) -> [..s]:
    return (sqrt(a) * x0 - x_t) / (1 - a)

# What DDIM makes of the forward law of x_0 when it knows the noise.
kernel ddim_of_forward(a_t: real, a_s: real, v: real, x0: [..s]) -> [..s]:
    noise: [..s] ~ normal(mean = 0, var = 1)
    fresh: [..s] ~ normal(mean = 0, var = 1)
    x0_pred = predict_x0(a_t, sqrt(a_t) * x0 + sqrt(1 - a_t) * noise, noise)
    return sqrt(a_s) * x0_pred + sqrt(1 - a_s - v) * noise + sqrt(v) * fresh

# log q(x_t | x_s) + log q(x_s | x_0) - log q(x_t | x_0), entry by entry.
fn bayes_log_density(a_t: real, a_s: real, x0: [..s], x_s: [..s], x_t: [..s]) -> [..s]:
    step = normal_nll(x_t, sqrt(a_t / a_s) * x_s, 1 - a_t / a_s)
    return normal_nll(
        x_t,
        sqrt(a_t) * x0,
        1 - a_t,
    ) - step - normal_nll(x_s, sqrt(a_s) * x0, 1 - a_s)

# The flow of the probability-flow ODE for data of law normal(0, s2), in closed form; and the noise
# that it predicts.
fn gaussian_flow(a_t: real, a_s: real, s2: real, x: [..s]) -> [..s]:
    return sqrt((a_s * s2 + 1 - a_s) / (a_t * s2 + 1 - a_t)) * x

fn gaussian_noise(a: real, s2: real, x: [..s]) -> [..s]:
    return sqrt(1 - a) * x / (a * s2 + 1 - a)

# x -> c x + d f(x), the form of every sampler's step, for a field f of Lipschitz constant L.
fn field_step(f: net(x: [..s]) -> [..s], L: real, c: real, d: real, x: [..s]) -> [..s]:
    return c * x + d * f(x)

# One step of DDIM (eta = 0) and of Euler's rule for the probability-flow ODE with a network.
fn ddim_step(f: net(x: [..s]) -> [..s], a_t: real, a_s: real, x: [..s]) -> [..s]:
    return sqrt(a_s) * predict_x0(a_t, x, f(x)) + sqrt(1 - a_s) * f(x)

fn pf_ode_step(f: net(x: [..s]) -> [..s], a_t: real, a_s: real, x: [..s]) -> [..s]:
    return pf_ode_euler(a_t, a_s, x, f(x))

# Three steps with one network; two points and a sampler's step, for facts about contraction.
fn three_steps(f: net(x: [..s]) -> [..s], c: real, x: [..s]) -> [..s]:
    return f(f(f(x)))

fn two_points(f: net(x: [..s]) -> [..s], c: real, x: [..s], y: [..s]) -> real:
    return l2[..](x - y)

# c^t along a run of T steps, whose distances to another run are `gap`.
fn geometric(c: real, gap: [time: T + 1]) -> [time: T + 1]:
    return exp(index(iota[time: T + 1]()) * log(c)) * gap

claims alpha_bar_of(betas):
    abar_zero as alphaBar_zero: alpha_bar_of(betas)[0] == 1
    abar_positive:              given betas < 1: alpha_bar_of(betas) > 0
    abar_at_most_1:             given betas >= 0 and betas < 1: alpha_bar_of(betas) <= 1
    abar_next:                  given betas < 1:
        slice[time](alpha_bar_of(betas), start = 1, size = T)
        == slice[time](alpha_bar_of(betas), start = 0, size = T) * (1 - betas)
    abar_decreasing:            given betas >= 0 and betas < 1:
        slice[time](alpha_bar_of(betas), start = 1, size = T)
        <= slice[time](alpha_bar_of(betas), start = 0, size = T)

claims mixed_with_noise(c0, c1, x0):
    any_mixture as forwardGaussian_isGaussian: mixed_with_noise(c0, c1, x0)
        has law normal(mean = c0 * x0, var = square(c1))

claims two_noising_steps(x, b, c):
    chapman_kolmogorov: given b > 0 and b < 1 and c > 0 and c < 1:
        two_noising_steps(x, b, c)
        has law normal(mean = sqrt((1 - b) * (1 - c)) * x, var = 1 - (1 - b) * (1 - c))

claims score(a, x0, x_t):
    score_is_noise: given a > 0 and a < 1: score(a, x0, q_sample(a, x0, x_t)) == -x_t / sqrt(1 - a)
    score_to_x0:    given a > 0 and a < 1:
        predict_x0(a, x_t, -sqrt(1 - a) * score(a, x0, x_t)) == x0
    tweedie:        given a > 0 and a < 1: (x_t + (1 - a) * score(a, x0, x_t)) / sqrt(a) == x0

claims ddim_of_forward(a_t, a_s, v, x0):
    ddim_keeps_marginal: given a_t > 0 and a_t < 1 and a_s > 0 and v >= 0 and v <= 1 - a_s:
        ddim_of_forward(a_t, a_s, v, x0) has law normal(mean = sqrt(a_s) * x0, var = 1 - a_s)

claims bayes_log_density(a_t, a_s, x0, x_s, x_t):
    posterior_by_bayes: given a_t > 0 and a_t < a_s and a_s < 1:
        -bayes_log_density(a_t, a_s, x0, x_s, x_t)
        == normal_nll(x_s, posterior_mean(a_t, a_s, x0, x_t), posterior_variance(a_t, a_s))

claims gaussian_flow(a_t, a_s, s2, x):
    flow_of_no_time: given a_t > 0 and a_t <= 1 and s2 > 0: gaussian_flow(a_t, a_t, s2, x) == x
    flow_there_back: given a_t > 0 and a_t <= 1 and a_s > 0 and a_s <= 1 and s2 > 0:
        gaussian_flow(a_s, a_t, s2, gaussian_flow(a_t, a_s, s2, x)) == x
    flow_variance:   given a_t > 0 and a_t <= 1 and a_s > 0 and a_s <= 1 and s2 > 0:
        square(gaussian_flow(a_t, a_s, s2, x)) * (a_t * s2 + 1 - a_t)
        == (a_s * s2 + 1 - a_s) * square(x)

claims field_step(f, L, c, d, x):
    step_lipschitz:                         given lipschitz(f(x), x, l2) <= L and c >= 0:
        lipschitz(field_step(f, L, c, d, x), x, l2) <= c + abs(d) * L
    euler_lipschitz as eulerStep_lipschitz: given lipschitz(f(x), x, l2) <= L:
        lipschitz(field_step(f, L, 1, d, x), x, l2) <= 1 + abs(d) * L

claims ddim_step(f, a_t, a_s, x):
    ddim_is_field_step as ddimStepSystem_contracts_of_step_contracts: given a_t > 0 and a_t < 1
        and a_s > 0 and a_s <= 1:
        ddim_step(f, a_t, a_s, x)
        == field_step(f, 0, sqrt(a_s / a_t), sqrt(1 - a_s) - sqrt(a_s * (1 - a_t) / a_t), x)

claims pf_ode_step(f, a_t, a_s, x):
    pf_ode_is_field_step as pfOdeEulerSystem_contracts_of_step_contracts: given a_t > 0 and a_t < 1
        and a_s > 0 and a_s <= 1:
        pf_ode_step(f, a_t, a_s, x)
        == field_step(f, 0, sqrt(a_s / a_t), sqrt(1 - a_s) - sqrt(a_s * (1 - a_t) / a_t), x)

claims three_steps(f, c, x):
    three_contract: given lipschitz(f(x), x, l2) <= c:
        lipschitz(three_steps(f, c, x), x, l2) <= c * c * c

claims two_points(f, c, x, y):
    nearer_the_fixed_point: given lipschitz(f(x), x, l2) <= c and f(y) == y:
        l2[..](f(x) - y) <= c * two_points(f, c, x, y)
    one_fixed_point:        given lipschitz(f(x), x, l2) <= c and c < 1 and f(x) == x and f(y) == y:
        two_points(f, c, x, y) <= 0

claims geometric(c, gap):
    n_steps_contract: given c > 0
        and slice[time](gap, start = 1, size = T) <= c * slice[time](gap, start = 0, size = T):
        for all t in fin[T + 1]: gap[t] <= exp(index(t) * log(c)) * gap[0]

claims noising_step(x, b):
    noising_law as forwardStep_isMarkovKernel: given b > 0 and b < 1:
        noising_step(x, b) has law normal(mean = sqrt(1 - b) * x, var = b)

claims noised(x0, a):
    forward_law: given a > 0 and a < 1:
        noised(x0, a) has law normal(mean = sqrt(a) * x0, var = 1 - a)

claims euler_step(x, f, dt):
    euler_zero_step: euler_step(x, f, 0) == x

# How far Euler's steps from x and y, with slopes f and g, lie apart.
fn euler_gap(x: [..s], y: [..s], f: [..s], g: [..s], dt: real) -> real:
    return l2[..](euler_step(x, f, dt) - euler_step(y, g, dt))

claims euler_gap(x, y, f, g, dt):
    euler_distance as eulerStep_l2_distance_bound: euler_gap(x, y, f, g, dt)
        <= l2[..](x - y) + abs(dt) * l2[..](f - g)

claims predict_x0(a, x_t, eps):
    exact_noise: given a > 0 and a < 1: predict_x0(a, q_sample(a, x_t, eps), eps) == x_t

claims posterior_mean(a_t, a_s, x0, x_t):
    ddpm_zero_step:     given a_t > 0 and a_t < 1: posterior_mean(a_t, a_t, x0, x_t) == x_t
    posterior_weights:  given a_t > 0 and a_t < a_s and a_s < 1: posterior_mean(a_t, a_s, 0, 0) == 0
    posterior_of_exact: given a_t > 0 and a_t < a_s and a_s <= 1:
        posterior_mean(a_t, a_s, x0, sqrt(a_t) * x0) == sqrt(a_s) * x0
    posterior_at_clean: given a_t > 0 and a_t < 1: posterior_mean(a_t, 1, x0, x_t) == x0

claims posterior_variance(a_t, a_s):
    ddpm_zero_step_variance: given a_t > 0 and a_t < 1: posterior_variance(a_t, a_t) == 0
    variance_nonneg:         given a_t > 0 and a_t <= a_s and a_s <= 1 and a_t < 1:
        posterior_variance(a_t, a_s) >= 0
    variance_small:          given a_t > 0 and a_t <= a_s and a_s <= 1 and a_t < 1:
        posterior_variance(a_t, a_s) <= 1 - a_s
    point_at_clean:          given a_t > 0 and a_t < 1: posterior_variance(a_t, 1) == 0

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
