# One draw for all examples, with a mean for each.
batch B
data x: [B, D] from digits

objective o:
    shift: [D] ~ normal(mean = x, var = 1)
    minimize mean[B, D](square(x - shift))
