# Codes for points of the plane: eight clusters, eight codes that follow running averages.
import codebook: ema, nearest

batch B
dim K = 8
hyper decay = 0.9 in 0..1
hyper least = 0.5 in 1e-3..1

data x: [B, D] from synthetic_ring8

state counts: [K] = 1
state sums: [K, D] = normal(mean = 0, var = 0.01)

net decoder(e: [..b, D]) -> [..b, D]:
    param shift: [D] init 0
    return e + shift

objective vq:
    codes = sums / (expand counts: [K] -> [K, D])
    k = nearest(codes, x)
    term recon = mean[B](sum[D](square(decoder(codes[k]) - x)))
    minimize recon
    chosen: [K] of fin[B] ~ uniform(0..B - 1)
    counted = ema(decay, counts, segment_sum[K](k, 1 + 0 * sum[D](x)))
    summed = ema(decay, sums, segment_sum[K](k, x))
    unused = counted < least
    update counts <- where(unused, 1, counted)
    update sums <- where(expand unused: [K] -> [K, D], x[chosen], summed)

train:
    step vq over decoder with adam(lr = 1e-3)
    batch B = 256
    steps 400
