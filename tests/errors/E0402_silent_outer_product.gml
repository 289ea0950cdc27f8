# Elsewhere [B] - [K] fails or, when B = K, silently compares element by element.
batch B
dim K = 10
data x: [B] from digits
param centres: [K]

objective quantise:
    distance = square(x - centres)
    minimize mean[B](min[K](distance))
