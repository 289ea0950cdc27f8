# The labels are loaded and never used.
batch B
data x: [B, D] from digits
data y: [B] of fin[10] from digits
param centre: [D]

objective o:
    minimize mse[B, D](x, centre)
