# The axis that counts examples is missing.
batch B
data x: [C, H, W] from digits

objective o:
    minimize mean[..](x)
