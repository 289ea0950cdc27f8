# mse averages over axes that the call must name.
batch B
data x: [B, D] from digits

objective o:
    minimize mse(x, 0)
