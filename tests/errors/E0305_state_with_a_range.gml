# Nothing keeps an average in the range that is declared for it.
batch B
data x: [B, D] in 0..1 from digits
param offset: [D]
state average: [D] in 0..1 = 0

objective fit:
    update average <- 0.9 * average + 0.1 * mean[B](x)
    minimize mean[B, D](square(x - average - offset))
