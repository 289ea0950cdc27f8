# A function gives the same value for the same arguments: it does not draw.
fn jitter(x: [..b, D]) -> [..b, D]:
    noise: [..b, D] ~ normal(mean = 0, var = 1)
    return x + noise
