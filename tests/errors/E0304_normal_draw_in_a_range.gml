# A normal draw has no bounds; the declared range would not be true.
kernel noisy(x: [D]) -> [D]:
    noise: [D] in -1..1 ~ normal(mean = 0, var = 1)
    return x + noise
