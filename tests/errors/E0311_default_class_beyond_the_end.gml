# Ten classes are 0 to 9.
sampler codes[N = 64](y: [N] of fin[10] = 10) -> [N]:
    z: [N] ~ normal(mean = index(y), var = 1)
    return z
