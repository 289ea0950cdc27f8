# Two terms would be logged under one name.
batch B
data x: [B, D] from digits
param centre: [D]

objective o:
    term error = mean[B, D](square(x - centre))
    term error = mean[B, D](abs(x - centre))
    minimize error
