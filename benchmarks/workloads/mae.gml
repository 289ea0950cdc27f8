# The masked autoencoder of the CPU benchmark (He et al. 2022): 64 patches of 4 x 4 of which 16 are
# seen; two encoder blocks of 96 with 3 heads, one decoder block of 64 with 2 heads.
import masking: masked_mean
import nn: dense, layer_norm, transformer_block

batch B
dim P = 4
dim kept = 16
dim E = 96
dim D = 64

data x: [B, C, H, W] in 0..1 from cifar10

param position: [n: (H / P) * (W / P), E] init normal(mean = 0, var = 4e-4)
param place: [n: (H / P) * (W / P), D] init normal(mean = 0, var = 4e-4)
param mask_token: [D] init normal(mean = 0, var = 4e-4)

fn patches(x: [..b, C, H, W]) -> [..b, n: (v: (H / P) u: (W / P)), d: (p: P q: P C)]:
    return rearrange x: [..b, C, (v p: P), (u q: P)] -> [..b, n: (v u), d: (p q C)]

net embedding(patch: [..b, n, d]) -> [..b, n, E]:
    return dense[E](patch)

net encoder(tokens: [..b, k, E]) -> [..b, k, E]:
    a = transformer_block[heads: 3, f: 4 * E](tokens)
    b = transformer_block[heads: 3, f: 4 * E](a)
    return layer_norm(b)

net bridge(tokens: [..b, k, E]) -> [..b, k, D]:
    return dense[D](tokens)

net decoder(tokens: [..b, n, D]) -> [..b, n, d: P * P * C]:
    a = transformer_block[heads: 2, f: 4 * D](tokens)
    m = layer_norm(a)
    return dense[d: P * P * C](m)

objective reconstruction:
    patch = patches(x)
    u: [B, n: (v: (H / P) u: (W / P))] ~ uniform(0, 1)
    order = argsort[n](u)
    first = slice[n](order, start = 0, size = kept)
    keep = rearrange first: [B, n] -> [B, kept: n]
    tokens = embedding(patch) + position
    seen = one_hot[n: (H / P) * (W / P)](keep)
    hidden = 1 - sum[kept](seen)
    visible = contract[n](seen, tokens)
    placed = contract[kept](seen, bridge(encoder(visible)))
    filled = placed + (expand hidden: [B, n] -> [B, n, D]) * mask_token + place
    error = mean[d](square(decoder(filled) - patch))
    term masked_mse = masked_mean(hidden, error)
    minimize masked_mse

train:
    step reconstruction over encoder, bridge, decoder, embedding, position, place,
        mask_token with adam(lr = 1e-3)
    batch B = 64
    steps 1000
