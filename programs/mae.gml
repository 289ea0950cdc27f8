# A masked autoencoder (He et al. 2022): a tiny ViT on 4 x 4 patches, three quarters of them hidden;
# the loss counts hidden patches only.
import masking: masked_mean, masked_sum
import nn: dense, layer_norm, transformer_block

batch B
dim P = 4
dim kept = 12
dim E = 64
dim heads = 4

data x: [B, C, H, W] in 0..1 from fashion2k

param position: [n: (H / P) * (W / P), E] init normal(mean = 0, var = 4e-4)
param mask_token: [E] init normal(mean = 0, var = 4e-4)

fn patches(x: [..b, C, H, W]) -> [..b, n: (v: (H / P) u: (W / P)), d: (p: P q: P C)]:
    return rearrange x: [..b, C, (v p: P), (u q: P)] -> [..b, n: (v u), d: (p q C)]

fn unpatch(y: [..b, n: (v: (H / P) u: (W / P)), d: (p: P q: P C)]) -> [..b, C, H, W]:
    return rearrange y: [
        ..b,
        (v: (H / P) u: (W / P)),
        (p: P q: P c: C),
    ] -> [..b, c, h: (v p), w: (u q)]

net encoder(tokens: [..b, k, E]) -> [..b, k, E]:
    a = transformer_block[heads, f: 2 * E](tokens)
    b = transformer_block[heads, f: 2 * E](a)
    return layer_norm(b)

net decoder(tokens: [..b, n, E]) -> [..b, n, d: P * P * C]:
    a = transformer_block[heads, f: 2 * E](tokens)
    m = layer_norm(a)
    return dense[d: P * P * C](m)

net embedding(patch: [..b, n, d]) -> [..b, n, E]:
    return dense[E](patch)

objective reconstruction:
    patch = patches(x)
    u: [B, n: (v: (H / P) u: (W / P))] ~ uniform(0, 1)
    order = argsort[n](u)
    first = slice[n](order, start = 0, size = kept)
    keep = rearrange first: [B, n] -> [B, kept: n]
    tokens = embedding(patch) + position
    seen = one_hot[n: (H / P) * (W / P)](keep)
    visible = contract[n](seen, tokens)
    encoded = encoder(visible)
    placed = contract[kept](seen, encoded)
    hidden = 1 - sum[kept](seen)
    filled = placed + (expand hidden: [B, n] -> [B, n, E]) * mask_token + position
    predicted = decoder(filled)
    error = mean[d](square(predicted - patch))
    term masked_mse = masked_mean(hidden, error)
    minimize masked_mse
    blanked = (1 - hidden) * patch
    show masked_input = unpatch(blanked + 0.5 * hidden) in 0..1
    show reconstruction = unpatch(blanked + hidden * predicted) in 0..1

claims reconstruction:
    seen_kept:    given hidden == 0: blanked == patch
    error_nonneg: error >= 0

claims:
    unpatch_inverts: unpatch(patches(x)) == x

train:
    step reconstruction over encoder, decoder, embedding, position, mask_token with adam(lr = 1e-3)
    batch B = 64
    steps 2500
