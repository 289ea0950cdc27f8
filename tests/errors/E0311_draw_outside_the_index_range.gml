# fin[T] ends at T - 1.
batch B
dim T = 1000
data x: [B, D] from digits
const weight: [time: T] = linspace[T](1, 0)

objective o:
    t: [B] of fin[T] ~ uniform(1..T)
    minimize mean[B, D](weight[t] * square(x))
