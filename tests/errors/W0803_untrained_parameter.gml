# A parameter that no objective depends on.
batch B
data x: [B, D] from digits
param centre: [D]
param scale: [D]

objective o:
    minimize mse[B, D](x, centre)
