# Nobody calls a sampler: its sizes have values.
sampler codes[N = 64, Z]() -> [N, Z]:
    z: [N, Z] ~ normal(mean = 0, var = 1)
    return z
