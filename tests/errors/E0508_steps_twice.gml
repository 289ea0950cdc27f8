# Two answers to one question.
batch B
data x: [B, D] from digits
param centre: [D]

objective o:
    minimize mse[B, D](x, centre)

train:
    step o over centre with sgd(lr = 0.1)
    batch B = 32
    steps 100
    steps 200
