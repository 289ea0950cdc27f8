# Gaussian laws with diagonal covariance, by mean and log-variance (Kingma & Welling 2014).

# z = mu + sqrt(var) * eps with eps ~ normal(mean = 0, var = 1): a draw of normal(mu, exp(logvar)).
fn reparameterize(mu: [..b, Z], logvar: [..b, Z], eps: [..b, Z]) -> [..b, Z]:
    return mu + exp(0.5 * logvar) * eps

# KL(normal(mu, exp(logvar)) to normal(0, 1)) in nats, summed over the coordinates.
fn kl_to_standard(mu: [..b, Z], logvar: [..b, Z]) -> [..b]:
    return sum[Z](0.5 * (exp(logvar) + square(mu) - 1 - logvar))

# KL(normal(mu1, exp(logvar1)) to normal(mu2, exp(logvar2))) in nats, summed over the coordinates.
fn kl_between(mu1: [..b, Z], logvar1: [..b, Z], mu2: [..b, Z], logvar2: [..b, Z]) -> [..b]:
    ratio = exp(logvar1 - logvar2)
    return sum[Z](0.5 * (ratio + square(mu1 - mu2) * exp(-logvar2) - 1 - (logvar1 - logvar2)))

claims kl_to_standard(mu, logvar):
    kl_nonneg:            kl_to_standard(mu, logvar) >= 0
    kl_zero_iff_standard: kl_to_standard(mu, logvar) == 0 iff mu == 0 and logvar == 0

claims kl_between(mu1, logvar1, mu2, logvar2):
    kl_between_nonneg:   kl_between(mu1, logvar1, mu2, logvar2) >= 0
    kl_between_zero_iff: kl_between(mu1, logvar1, mu2, logvar2) == 0
        iff mu1 == mu2 and logvar1 == logvar2
    kl_between_standard: kl_between(mu1, logvar1, 0, 0) == kl_to_standard(mu1, logvar1)
