# Two calls of a net that draws differ: it is no function of x.
batch B
data x: [B, D] from digits
param offset: [D]

net noisy(x: [..b, D]) -> [..b, D]:
    eps: [..b, D] ~ normal(mean = 0, var = 1)
    return x + eps

objective fit:
    minimize mse[B, D](noisy(x), offset)

claims fit:
    same: noisy(x) == noisy(x) for any noisy
