# A counter grows, and is declared as if it were an average.
batch B
data x: [B, D] in 0..1 from digits
param offset: [D]
state average: [D] in 0..1 = 0

objective fit:
    update average <- average + mean[B](x)
    minimize mean[B, D](square(x - average - offset))
