# beta is declared in 0..1 and would be warmed up to 4.
import schedules: constant

batch B
hyper beta = 1.0 in 0..1
data x: [B, D] from digits
param centre: [D]

objective fit:
    minimize beta * mse[B, D](x, centre)

train:
    step fit over centre with sgd(lr = 0.1)
    schedule beta = constant(4)
    batch B = 32
    steps 100
