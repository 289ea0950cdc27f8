# A VQ-VAE whose codebook follows running averages instead of gradients (van den Oord et al. 2017,
# appendix A.1; Razavi et al. 2019). A code that is hardly used restarts at an input of the batch
# (Dhariwal et al. 2020), with a little noise so that no two codes are equal.
import codebook: ema, nearest
import nn: conv, conv_up

batch B
dim width = 32
dim Cd = 16
dim K = 64
hyper beta = 0.25 in 0..inf
hyper decay = 0.98 in 0..1
hyper least = 0.5 in 1e-3..1

data x: [B, C, H, W] in 0..1 from fashion2k

state counts: [K] = 1
state sums: [K, Cd] = normal(mean = 0, var = 0.01)

net encoder(x: [..b, C, H, W]) -> [..b, P: (y: (H / 4) x: (W / 4)), Cd]:
    h1 = relu(conv[f: width, k: 4, s: 2](x))
    h2 = relu(conv[f: 2 * width, k: 4, s: 2](h1))
    z = conv[Cd, k: 1](h2)
    return rearrange z: [..b, c, v, u] -> [..b, (v u), c]

net decoder(e: [..b, P: (y: (H / 4) x: (W / 4)), Cd]) -> [..b, C, H, W]:
    z = rearrange e: [..b, (y: (H / 4) x: (W / 4)), c] -> [..b, c, y, x]
    h1 = relu(conv[f: 2 * width, k: 3](z))
    h2 = relu(conv_up[f: width](h1))
    return sigmoid(conv_up[C](h2))

objective vq:
    z = encoder(x)
    codes = sums / (expand counts: [K] -> [K, Cd])
    k = nearest(codes, z)
    e = codes[k]
    xhat = decoder(straight_through(z, e))
    term recon = mean[B](sum[C, H, W](square(xhat - x)))
    term commitment = mean[B](sum[P, Cd](square(z - stop_grad(e))))
    minimize recon + beta * commitment
    show reconstruction = xhat
    inputs = stop_grad(rearrange z: [B, P, Cd] -> [n: (B P), Cd])
    code = rearrange k: [B, P] -> [n: (B P)]
    chosen: [K] of fin[B * (H / 4) * (W / 4)] ~ uniform(0..B * (H / 4) * (W / 4) - 1)
    jitter: [K, Cd] ~ normal(mean = 0, var = 1)
    fresh = inputs[chosen] + 0.01 * jitter
    counted = ema(decay, counts, segment_sum[K](code, 1 + 0 * sum[Cd](inputs)))
    summed = ema(decay, sums, segment_sum[K](code, inputs))
    unused = counted < least
    update counts <- where(unused, 1, counted)
    update sums <- where(expand unused: [K] -> [K, Cd], fresh, summed)

claims vq:
    two_term: vq == weighted_two_term(beta, recon, commitment)
    nonneg:   commitment >= 0
    monotone: vq is nondecreasing in beta

train:
    step vq over encoder, decoder with adam(lr = 1e-3)
    batch B = 64
    steps 4000
