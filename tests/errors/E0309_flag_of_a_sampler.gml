# A flag is known when a program is compiled; a sampler's arguments are set when it runs.
sampler codes[N = 64](sharp: bool = true) -> [N]:
    z: [N] ~ normal(mean = 0, var = 1)
    if sharp:
        y = 0.5 * z
    else:
        y = z
    return y
