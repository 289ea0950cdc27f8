# One thing wrong in each: a sign, a factor, a hypothesis, a mean for a sum, a std for a variance.
import codebook: nearest, squared_distance
import diffusion: alpha_bar_of, chain_step, ddim_of_forward, ddim_step, ddim_update, euler_gap,
    field_step, gaussian_flow, geometric, mixed_with_noise, noised, pf_ode_euler, posterior_mean,
    posterior_variance, predict_x0, q_sample, score, three_steps, two_points
import gan: lsgan_discriminator, lsgan_generator
import gaussian: coordinate_kl, exp_gap, kl_between, kl_to_standard, normal_nll, reparameterize,
    scaled_noise, terminal_kl
import masking: masked_mean, masked_sum, visible
import norms: distance, scaled_norm
import objective: discrete_elbo

fn terms(w: real, base: real, second: real, reg: real) -> real:
    return base + second + w * reg

fn pair(a: [..s], b: [..s]) -> [..s]:
    return a - b

fn moments(mu: [..b, Z], logvar: [..b, Z], eps: [..b, Z]) -> [..b, Z]:
    return mu + exp(logvar) * eps

kernel wrong_noise(m: real, s: real) -> real:
    eps: real ~ normal(mean = 0, var = 1)
    return m + s * eps

kernel reversed(a_t: real, a_s: real, v: real, x0: [..s]) -> [..s]:
    return ddim_of_forward(a_t, a_s, v, x0)

claims reversed(a_t, a_s, v, x0):
    marginal_of_start: given a_t > 0 and a_t < 1 and a_s > 0 and v >= 0 and v <= 1 - a_s:
        reversed(a_t, a_s, v, x0) has law normal(mean = sqrt(a_s) * x0, var = 1 - a_t)
    marginal_std:      given a_t > 0 and a_t < 1 and a_s > 0 and v >= 0 and v <= 1 - a_s:
        reversed(a_t, a_s, v, x0) has law normal(mean = sqrt(a_s) * x0, var = sqrt(1 - a_s))

fn masks(m: [..s], other: [..s], x: [..s]) -> [..s]:
    return m * x + other

fn codes(codebook: [K, C], z: [..b, C]) -> [..b] of fin[K]:
    return nearest(codebook, z)

fn schedule(a_t: real, a_s: real, s2: real, x: [..s], y: [..s]) -> [..s]:
    return a_t * x + a_s * y + s2

fn chain(x0: [..s], betas: [time: T]) -> [..s]:
    return alpha_bar_of(betas)[0] * x0

fn fields(f: net(x: [..s]) -> [..s], L: real, d: real, x: [..s], y: [..s]) -> [..s]:
    return x + d * f(x) + L * y

fn slopes(x: [..s], y: [..s], f: [..s], g: [..s], dt: real) -> [..s]:
    return x + y + f + dt * g

fn posterior(q: [K], p: [K]) -> real:
    return sum[K](q * p)

fn gaps(c: real, gap: [time: T + 1]) -> [time: T + 1]:
    return c * gap

claims terms(w, base, second, reg):
    w2_regularizer_stays: weighted_two_term(w, base, reg) == base
    w2_weight_one:        weighted_two_term(1, base, reg) == base
    w2_mono_any_sign:     weighted_two_term(w, base, reg) is nondecreasing in w
    w3_zero_keeps_base:   weighted_three_term(0, base, second, reg) == base
    w3_mono_any_sign:     weighted_three_term(w, base, second, reg) is nondecreasing in w

claims pair(a, b):
    mse_is_sum:         sum[..](square(a - b)) == mse[..](a, b)
    mse_positive:       mse[..](a, b) > 0
    square_of_mean_is:  square(mean[..](a - b)) == mse[..](a, b)
    gan_zero_half:      lsgan_discriminator(a, b) == 0 iff a == 1
    gan_perfect_half:   given a == 1: lsgan_discriminator(a, b) == 0
    gan_swapped:        lsgan_generator(a) == mse[..](a, 0)
    gan_both_zero:      given lsgan_generator(a) == 0: mse[..](a, 0) == 0
    gap_linear:         exp_gap(a) >= a
    gap_always:         exp_gap(a) > 0
    kl_of_mean_only:    coordinate_kl(a, b) == 0 iff a == 0
    kl_squared_bound:   coordinate_kl(a, b) >= square(a)
    triangle_reversed:  l2[..](a + b) >= l2[..](a) + l2[..](b)
    cauchy_of_sums:     sum[..](a * b) <= l2[..](a) + l2[..](b)
    norm_signed:        scaled_norm[..](-1, a) == -1 * l2[..](a)
    score_without_root: predict_x0(a, b, a) == b

claims moments(mu, logvar, eps):
    logvar_as_std:  reparameterize(mu, logvar, eps) == mu + exp(logvar) * eps
    kl_mean_as_sum: kl_to_standard(mu, logvar) == mean[Z](coordinate_kl(mu, logvar))
    kl_symmetric:   kl_between(mu, logvar, eps, logvar) == kl_between(mu, logvar, eps, eps)
    kl_zero_by_var: kl_between(mu, logvar, eps, logvar) == 0

claims wrong_noise(m, s):
    std_for_var: wrong_noise(m, s) has law normal(mean = m, var = s)
    no_shift:    wrong_noise(m, s) has law normal(mean = 0, var = square(s))

claims masks(m, other, x):
    additive_of_means: masked_mean(m + other, x) == masked_mean(m, x) + masked_mean(other, x)
    empty_is_any:      masked_sum(m, x) == 0
    hidden_kept:       given m == 1: visible(m, x) == x
    selected_by_one:   given m == 1: masked_sum(m, x) == 0

claims codes(codebook, z):
    nearest_is_far:   for all j in fin[K]:
        squared_distance(z, codebook[nearest(codebook, z)]) >= squared_distance(z, codebook[j])
    nearest_is_exact: squared_distance(z, codebook[nearest(codebook, z)]) == 0

claims schedule(a_t, a_s, s2, x, y):
    posterior_swapped:   given a_t > 0 and a_t < a_s and a_s < 1:
        posterior_mean(a_t, a_s, x, sqrt(a_t) * x) == sqrt(a_t) * x
    variance_is_beta:    given a_t > 0 and a_t < a_s and a_s < 1:
        posterior_variance(a_t, a_s) == 1 - a_t / a_s
    eta_half:            given a_t > 0 and a_t < a_s and a_s < 1:
        ddim_update(a_t, a_s, 0.5, x, y, x)
        == posterior_mean(a_t, a_s, predict_x0(a_t, x, y), x)
        + sqrt(posterior_variance(a_t, a_s)) * x
    pf_ode_without_half: given a_t > 0 and a_t < 1 and a_s > 0 and a_s <= 1:
        2 * pf_ode_euler(a_t, a_s, x, y) - sqrt(a_s / a_t) * x == ddim_update(a_t, a_s, 0, x, y, x)
    pf_ode_backwards:    given a_t > 0 and a_t < 1 and a_s > 0 and a_s < 1:
        pf_ode_euler(a_s, a_t, x, y) == ddim_update(a_t, a_s, 0, x, y, x)
    flow_backwards:      given a_t > 0 and a_t <= 1 and a_s > 0 and a_s <= 1 and s2 > 0:
        square(gaussian_flow(a_s, a_t, s2, x)) * (a_t * s2 + 1 - a_t)
        == (a_s * s2 + 1 - a_s) * square(x)
    terminal_no_snr:     given a_t > 0 and a_t < 1: terminal_kl(a_t, x) == 0
    terminal_unbounded:  given a_t >= 0 and a_t < 1: terminal_kl(a_t, x) <= -0.5 * log(1 - a_t)
    recover_at_zero:     predict_x0(a_t, q_sample(a_t, a_s, s2), s2) == a_s
    score_sign:          given a_t > 0 and a_t < 1:
        score(a_t, s2, q_sample(a_t, s2, a_s)) == a_s / sqrt(1 - a_t)
    nll_shifted:         given a_t > 0: normal_nll(x, y, a_t) >= normal_nll(x, x, 1)

claims chain(x0, betas):
    abar_starts_late: alpha_bar_of(betas)[0] == 1 - betas[0]
    abar_rises:       given betas >= 0 and betas < 1:
        slice[time](alpha_bar_of(betas), start = 1, size = T)
        >= slice[time](alpha_bar_of(betas), start = 0, size = T)
    chain_no_root:    given betas >= 0 and betas < 1: for all n in 0..T:
        iterate(chain_step, x0, n, betas)
        has law normal(mean = alpha_bar_of(betas)[n] * x0, var = 1 - alpha_bar_of(betas)[n])
    chain_std:        given betas >= 0 and betas < 1: for all n in 0..T:
        iterate(chain_step, x0, n, betas)
        has law normal(mean = sqrt(alpha_bar_of(betas)[n]) * x0, var = alpha_bar_of(betas)[n])

claims fields(f, L, d, x, y):
    lipschitz_signed:  given lipschitz(f(x), x, l2) <= L:
        lipschitz(field_step(f, L, 1, d, x), x, l2) <= 1 + d * L
    lipschitz_free:    given lipschitz(f(x), x, l2) <= L: lipschitz(f(x), x, l2) <= L / 2
    contract_too_fast: given lipschitz(f(x), x, l2) <= L:
        lipschitz(three_steps(f, L, x), x, l2) <= L * L * L * L
    fixed_point_moves: given lipschitz(f(x), x, l2) <= L and f(x) == x and f(y) == y:
        two_points(f, L, x, y) <= 0
    step_is_the_field: ddim_step(f, L, d, x) == f(x)

claims slopes(x, y, f, g, dt):
    euler_signed: euler_gap(x, y, f, g, dt) <= l2[..](x - y) + dt * l2[..](f - g)
    euler_free:   euler_gap(x, y, f, g, dt) <= l2[..](x - y)

claims posterior(q, p):
    jensen_reversed: given q > 0 and p > 0 and sum[K](q) == 1:
        -log(sum[K](p)) >= discrete_elbo(q, p)
    gibbs_unnormed:  given q > 0 and p > 0: discrete_elbo(q, p) >= 0

claims gaps(c, gap):
    n_steps_too_fast: given c > 0
        and slice[time](gap, start = 1, size = T) <= c * slice[time](gap, start = 0, size = T):
        for all t in fin[T + 1]: gap[t] <= exp(index(t) * log(c) - 1) * gap[0]
