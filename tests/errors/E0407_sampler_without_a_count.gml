# How many examples?
sampler codes() -> [Z: 16]:
    z: [Z: 16] ~ normal(mean = 0, var = 1)
    return z
