# The examples are the second axis.
sampler codes[N = 64]() -> [Z: 16, N]:
    z: [Z: 16, N] ~ normal(mean = 0, var = 1)
    return z
