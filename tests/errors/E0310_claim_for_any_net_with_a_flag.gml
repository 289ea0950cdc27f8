# What the net computes differs with the flag: it is not one function of x.
batch B
data x: [B, D] from digits
param offset: [D]

net model(x: [..b, D], train: bool) -> [..b, D]:
    param w: [D] init 1
    if train:
        y = w * x
    else:
        y = x
    return y

objective fit:
    minimize mse[B, D](model(x, true), offset)

claims fit:
    same: model(x, true) == model(x, false) for any model
