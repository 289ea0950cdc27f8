# The call says [B], and the loss averages over [B, D].
batch B
data x: [B, D] from digits

objective o:
    minimize mse[B](x, 0)
