# Reconstruction losses in nats: negative log-likelihoods, summed over the last axis.

# -log of a Bernoulli likelihood with the given logits. On grey values 0 < x < 1 this is the
# cross-entropy, not a likelihood.
fn bernoulli_nll(logits: [..b, D], x: [..b, D] in 0..1) -> [..b]:
    return sum[D](bernoulli_cross_entropy(logits, x))

# The same, entry by entry: softplus(l) - x l.
fn bernoulli_cross_entropy(logits: [..s], x: [..s] in 0..1) -> [..s]:
    return softplus(logits) - x * logits

# Half the squared error, summed: the Gaussian negative log-likelihood at variance 1 without its
# constant (D / 2) log(2 pi).
fn half_squared_error(mean: [..b, D], x: [..b, D]) -> [..b]:
    return sum[D](0.5 * square(x - mean))

# -log of a Gaussian likelihood with one variance for all coordinates.
fn gaussian_nll(mean: [..b, D], var: real, x: [..b, D]) -> [..b]:
    return sum[D](0.5 * (log(2 * pi) + log(var) + square(x - mean) / var))

# -log of a logistic law with the given mean and scale, integrated over bins of width 1 / 255 (van
# den Oord et al. 2016; Salimans et al. 2017): a likelihood of images with 256 levels in 0..1. The
# first and last bins reach to infinity.
fn discretised_logistic_nll(mean: [..b, D], log_scale: real, x: [..b, D] in 0..1) -> [..b]:
    above = (x - mean + 1 / 510) * exp(-log_scale)
    below = (x - mean - 1 / 510) * exp(-log_scale)
    # log(sigmoid(a) - sigmoid(b)) = log(1 - exp(b - a)) - softplus(-a) - softplus(b)
    inside = log(1 - exp(below - above)) - softplus(-above) - softplus(below)
    first = -softplus(-above)
    last = -softplus(below)
    return -sum[D](where(x < 1 / 510, first, where(x > 1 - 1 / 510, last, inside)))

# Squared error, summed.
fn squared_error(a: [..b, D], b: [..b, D]) -> [..b]:
    return sum[D](square(a - b))

claims squared_error(a, b):
    squared_error_nonneg:   squared_error(a, b) >= 0
    squared_error_zero_iff: squared_error(a, b) == 0 iff a == b

claims gaussian_nll(mean, var, x):
    gaussian_nll_at_one: gaussian_nll(mean, 1, x)
        == half_squared_error(mean, x) + 0.5 * D * log(2 * pi)
    exact_is_least:      given var > 0: gaussian_nll(mean, var, x) >= gaussian_nll(x, var, x)

claims bernoulli_nll(logits, x):
    bernoulli_nll_nonneg: bernoulli_nll(logits, x) >= 0
