import nn: dense
batch B
dim hidden = 256
dim T = 1000 >= 2
dim H >= 4
dim W
hyper beta = 1.0 in 0..inf
hyper free = -1
const betas: [T] = linspace[T](1e-4, 0.02)
const alpha_bar: [time: T + 1] = cumprod[time](concat[time](1, 1 - betas))
const c: real =
    2 * 3 +
    4
data x: [B, (C H W)] in 0..1 from digits
data y: [B] of fin[10] from digits
param codebook: [K, C] init uniform(-1/K, 1/K)
param s: [D] > 0 init 1
param q: [D] > 0
state ema: [K, C] = 0

coupled layer norm[O, k = 3](x: [B, O], train: bool = false) -> [B, O]:
    param w: [O] init 1
    if train and not frozen:
        y = x
    else:
        y = w * x
    return y

fn euler(
    denoiser: net(x: [..b, D], t: [..b] of fin[T + 1]) -> [..b, D],
    x: [..b, D],
    dt: real in 0..1,
    k: fin[K],
) -> (a: [..b, D], b: [..b]):
    a = rearrange x: [B, C, (h p: P), (w q: P)] -> [B, (h w), (p q C)]
    b = -x^2^3 + expand x: [B, C] -> [B, K, C] * (1 + 2) / alpha_bar[t]
    step = 3
    batch, data = state(step, times = 4)

kernel noising_step(x: [..b], t: fin[T]) -> [..b]:
    return x

sampler ddim[N = 64, S = 50](eta: real = 0.0) -> [N, C, H, W]:
    x: [N, C, H, W] ~ normal(mean = 0, var = 1)
    for (t, s) in descending(T, S) carrying x:           # S pairs
        z: [N, C, H, W] ~ normal(mean = 0, var = 1)
        x = ddim_step(denoiser, x, t, s, eta, z)
    for i in 1..3:
        h = x
    return x

sampler digits[N = 64] -> [N, d: (C H W)] in 0..1:
    return x

objective vq:
    t: [B] of fin[T + 1] ~ uniform(1..T)
    term recon = mean[B](sum[..](square(decoder(straight_through(z, e)) - x)))
    term commitment = mse[B, P, C](z, stop_grad(e))
    show reconstruction = sigmoid(decoder(z)) in 0..1
    show other = x
    update ema <- ema * 0.9
    minimize recon + (codebook_loss) + beta * commitment

objective d: 
    maximize grad[x](y) < -3

claims vq:
    three_term: vq == weighted_three_term(beta, recon, codebook_loss, commitment)
    flow_1:     grad(commitment, codebook) == 0
    flow_3:     grad(vq, codebook) does not depend on beta
    a: given kl == 0: neg_elbo == recon
    b: neg_elbo with beta = 0, gamma = 1 == recon
    c: kl == 0 iff mu == 0 and logvar == 0 or not q
    d: neg_elbo is nondecreasing in beta
    e: for all j in fin[K]: d2(z, codebook[k]) <= d2(z, codebook[j])
    f: z has law normal(mean = mu, var = exp(logvar))
    g: for all t in 0..T: iterate(noising_step, x, t) has law normal(mean = 0, var = 1)
    h: step d_loss leaves generator unchanged
    i: neg_elbo is unchanged by repeating the batch
    j: neg_elbo is separable over B
    k: sigmoid(decoder(z)) in 0..1
    l: given lipschitz(denoiser, x, l2) <= L: lipschitz(euler_step, x, l2) <= 1 + abs(dt) * L for any denoiser
    m: recon == nll(x, normal(mean = xhat, var = 1)) up to scale and constant in (encoder, decoder)
    n: a == b up to constant
    o: neg_elbo bounds nll(x)
        under z: normal(mean = 0, var = 1),  # the prior
              x given z: bernoulli(logits),
        posterior normal(mean = mu, var = exp(logvar))
    step: step == step(3) and d.loss <= (a with b = 3) * 2
    p: E[eps](e) - a[k] in -inf..1
claims kl_to_standard(mu, logvar):
    kl: kl >= 0
claims:
    q: d.loss == 0

train:
    step d_loss over d with adam(lr = 1e-3) times 5
    maximize step g_loss over g, h
        with adam(lr = 1e-3)
    schedule beta = linear_warmup(0, 1, steps = 1000)
    batch B = 128
    steps 2000
    clip 1.0
    ema 0.999
