# A value has no members.
batch B
data x: [B, D] in 0..1 from digits
param w: [D]

objective o:
    mean_x = x.T
    minimize sum[..](square(w))
