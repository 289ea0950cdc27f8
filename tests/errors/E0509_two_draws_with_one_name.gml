# The second draw would repeat the first.
batch B
data x: [B, D] from digits

objective o:
    eps: [B, D] ~ normal(mean = 0, var = 1)
    eps: [B, D] ~ normal(mean = 0, var = 1)
    minimize mean[B, D](square(x - eps))
