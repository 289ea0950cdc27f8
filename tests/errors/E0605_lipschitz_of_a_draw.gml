# The Lipschitz constant in something that is not bound.
batch B
hyper beta = 1.0 in 0..inf
data x: [B, D] in 0..1 from digits
param centre: [D]

objective fit:
    eps: [B, D] ~ normal(mean = 0, var = 1)
    z = x + eps
    term error = mse[B, D](z, centre)
    term size = mse[D](centre, 0)
    minimize error + beta * size

claims fit:
    contraction: lipschitz(z, x, l2) <= 1
