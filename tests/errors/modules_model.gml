batch B
data x: [B, D] from digits
param centre: [D]

objective fit:
    minimize mse[B, D](x, centre)
