# Gaussian laws with diagonal covariance, by mean and log-variance (Kingma & Welling 2014).

# z = mu + sqrt(var) * eps with eps ~ normal(mean = 0, var = 1): a draw of normal(mu, exp(logvar)).
fn reparameterize(mu: [..b, Z], logvar: [..b, Z], eps: [..b, Z]) -> [..b, Z]:
    return mu + exp(0.5 * logvar) * eps

# The same in one dimension, with the draw: m + s eps.
kernel scaled_noise(m: real, s: real) -> real:
    eps: real ~ normal(mean = 0, var = 1)
    return m + s * eps

# How far exp lies above its tangent at 0.
fn exp_gap(x: [..s]) -> [..s]:
    return exp(x) - 1 - x

# KL(normal(mu, exp(logvar)) to normal(0, 1)) in nats: entry by entry, and summed over coordinates.
fn coordinate_kl(mu: [..s], logvar: [..s]) -> [..s]:
    return 0.5 * (exp(logvar) + square(mu) - 1 - logvar)

fn kl_to_standard(mu: [..b, Z], logvar: [..b, Z]) -> [..b]:
    return sum[Z](coordinate_kl(mu, logvar))

# KL(normal(mu1, exp(logvar1)) to normal(mu2, exp(logvar2))) in nats, summed over the coordinates.
fn kl_between(mu1: [..b, Z], logvar1: [..b, Z], mu2: [..b, Z], logvar2: [..b, Z]) -> [..b]:
    ratio = exp(logvar1 - logvar2)
    return sum[Z](0.5 * (ratio + square(mu1 - mu2) * exp(-logvar2) - 1 - (logvar1 - logvar2)))

claims scaled_noise(m, s):
    scalar_law as scalar_reparameterization_law: scaled_noise(m, s)
        has law normal(mean = m, var = square(s))

claims reparameterize(mu, logvar, eps):
    reparameterize_is as sampleLatent_eq_reparameterize: reparameterize(mu, logvar, eps)
        == mu + exp(logvar / 2) * eps
    no_noise:                                            reparameterize(mu, logvar, 0) == mu

claims exp_gap(x):
    exp_gap_nonneg:   exp_gap(x) >= 0
    exp_gap_zero_iff: exp_gap(x) == 0 iff x == 0
    exp_gap_positive: given x != 0: exp_gap(x) > 0

claims coordinate_kl(mu, logvar):
    coordinate_nonneg as coordinateKlToStandard_nonneg:        coordinate_kl(mu, logvar) >= 0
    coordinate_zero_iff as coordinateKlToStandard_eq_zero_iff: coordinate_kl(mu, logvar) == 0
        iff mu == 0 and logvar == 0

claims kl_to_standard(mu, logvar):
    mean_form:                                                            mean[Z](
        coordinate_kl(mu, logvar),
    )
        == kl_to_standard(mu, logvar) / Z
    kl_nonneg as diagonalGaussianKlToStandardReal_nonneg:                 kl_to_standard(mu, logvar)
        >= 0
    kl_zero_iff_standard as diagonalGaussianKlToStandardReal_eq_zero_iff: kl_to_standard(mu, logvar)
        == 0
        iff mu == 0 and logvar == 0

# Per coordinate, KL of normal(sqrt(a) x0, 1 - a) to normal(0, 1): how far the end of a noising
# schedule with alpha_bar = a is from pure noise.
fn terminal_kl(a: real, x0: [..s]) -> [..s]:
    return 0.5 * (a * square(x0) - a - log(1 - a))

claims terminal_kl(a, x0):
    terminal_is_kl:  given a > 0 and a < 1:
        terminal_kl(a, x0) == coordinate_kl(sqrt(a) * x0, log(1 - a))
    terminal_nonneg: given a >= 0 and a < 1: terminal_kl(a, x0) >= 0
    terminal_bound:  given a >= 0 and a < 1 and square(x0) <= 1:
        terminal_kl(a, x0) <= -0.5 * log(1 - a)
    terminal_pure:   given a == 0: terminal_kl(a, x0) == 0

# -log of the density of normal(mean, var), entry by entry; and how much larger it is on average
# than the entropy: the bound on the negative log-likelihood exceeds it by a KL.
fn normal_nll(x: [..s], mean: [..s], var: real) -> [..s]:
    return 0.5 * (log(2 * pi) + log(var) + square(x - mean) / var)

claims normal_nll(x, mean, var):
    nll_least_at_mean: given var > 0: normal_nll(x, mean, var) >= normal_nll(mean, mean, var)
    nll_of_standard:   normal_nll(x, 0, 1) == 0.5 * (log(2 * pi) + square(x))

claims kl_between(mu1, logvar1, mu2, logvar2):
    kl_between_nonneg:   kl_between(mu1, logvar1, mu2, logvar2) >= 0
    kl_between_zero_iff: kl_between(mu1, logvar1, mu2, logvar2) == 0
        iff mu1 == mu2 and logvar1 == logvar2
    kl_between_standard: kl_between(mu1, logvar1, 0, 0) == kl_to_standard(mu1, logvar1)
