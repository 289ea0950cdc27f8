# Each call of the function is at a size of its own; the net that it calls has one.
batch B
data x: [B, D] in 0..1 from digits
param offset: [D]

net scaled(x: [..b, I]) -> [..b, I]:
    param w: [I] init 1
    return w * x

fn shifted(x: [..b, I]) -> [..b, I]:
    return scaled(x + 1)

objective fit:
    twice = concat[f](rearrange x: [B, D] -> [B, f: D], rearrange x: [B, D] -> [B, f: D])
    minimize mse[B, D](shifted(x), offset) + mean[..](square(shifted(twice)))
