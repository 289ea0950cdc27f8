# Two values cannot both be minimised by one objective.
batch B
data x: [B] from digits
param c: [k: 1]

objective o:
    minimize mean[B](square(x - sum[k](c)))
    minimize mean[B](abs(x - sum[k](c)))
