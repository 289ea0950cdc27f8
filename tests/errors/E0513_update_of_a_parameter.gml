# Parameters change by gradients; only a state is updated.
batch B
data x: [B, D] from digits
param centre: [D]

objective o:
    update centre <- mean[B](x)
    minimize mse[B, D](x, centre)
