# Layers. Weights start uniform on +- 1 / sqrt(fan-in), as torch.nn does (He et al. 2015 with a = sqrt 5).

layer dense[O](x: [..b, I]) -> [..b, O]:
    param w: [I, O] init uniform(-1 / sqrt(I), 1 / sqrt(I))
    param b: [O] init uniform(-1 / sqrt(I), 1 / sqrt(I))
    return contract[I](x, w) + b

# A k x k convolution with stride s and H / s outputs per axis; k - s must be even.
layer conv[O, k = 3, s = 1](x: [..b, C, H, W]) -> [..b, O, H / s, W / s]:
    param w: [O, C, kh: k, kw: k] init uniform(-1 / sqrt(C * k * k), 1 / sqrt(C * k * k))
    param b: [O] init uniform(-1 / sqrt(C * k * k), 1 / sqrt(C * k * k))
    return conv2d(x, w, stride = s) + b

# Its adjoint: H * s outputs per axis.
layer conv_up[O, k = 4, s = 2](x: [..b, C, H, W]) -> [..b, O, H * s, W * s]:
    param w: [C, O, kh: k, kw: k] init uniform(-1 / sqrt(O * k * k), 1 / sqrt(O * k * k))
    param b: [O] init uniform(-1 / sqrt(O * k * k), 1 / sqrt(O * k * k))
    return conv_transpose2d(x, w, stride = s) + b

# A learned vector for each index.
layer embedding[E](y: [..b] of fin[K]) -> [..b, E]:
    param table: [K, E] init normal(mean = 0, var = 1)
    return table[y]

# ---- normalisation ----

# Ba, Kiros & Hinton 2016.
layer layer_norm(x: [..b, D]) -> [..b, D]:
    param gain: [D] init 1
    param bias: [D] init 0
    centred = x - mean[D](x)
    return centred * rsqrt(mean[D](square(centred)) + 1e-5) * gain + bias

# Wu & He 2018, with G groups of channels.
layer group_norm[G](x: [..b, C, H, W]) -> [..b, C, H, W]:
    param gain: [C] init 1
    param bias: [C] init 0
    grouped = rearrange x: [..b, (g: G c), H, W] -> [..b, g, c, H, W]
    centred = grouped - mean[c, H, W](grouped)
    scaled = centred * rsqrt(mean[c, H, W](square(centred)) + 1e-5)
    return (rearrange scaled: [..b, g, c, H, W] -> [..b, C: (g c), H, W]) * gain + bias

# ---- attention (Vaswani et al. 2017; Dosovitskiy et al. 2021) ----

layer self_attention[heads](x: [..b, N, D]) -> [..b, N, D]:
    queries = dense[D](x)
    keys = dense[D](x)
    values = dense[D](x)
    q = rearrange queries: [..b, N, (h: heads d)] -> [..b, h, q: N, d]
    k = rearrange keys: [..b, N, (h: heads d)] -> [..b, h, k: N, d]
    v = rearrange values: [..b, N, (h: heads d)] -> [..b, h, k: N, d]
    weights = softmax[k](contract[d](q, k) / sqrt(D / heads))
    mixed = contract[k](weights, v)
    joined = rearrange mixed: [..b, h, q, d] -> [..b, N: q, D: (h d)]
    return dense[D](joined)

# A pre-norm transformer block with a hidden layer of F.
layer transformer_block[heads, F](x: [..b, N, D]) -> [..b, N, D]:
    n1 = layer_norm(x)
    a = self_attention[heads](n1)
    y = x + a
    n2 = layer_norm(y)
    f1 = gelu(dense[F](n2))
    f2 = dense[D](f1)
    return y + f2

# Attention between the places of an image, after group normalisation with 8 groups, around a skip.
layer attention_block[heads](x: [..b, C, H, W]) -> [..b, C, H, W]:
    n = group_norm[8](x)
    places = rearrange n: [..b, C, H, W] -> [..b, n: (H W), C]
    a = self_attention[heads](places)
    return x + (rearrange a: [..b, n: (H W), C] -> [..b, C, H, W])

# ---- time ----

# Sines and cosines of a time index at F / 2 frequencies from 1 to 1 / 10000 (Ho et al. 2020).
fn time_features[F](t: [..b] of fin[T]) -> [..b, F]:
    frequency = exp(-9.210340371976184 * index(iota[f: F / 2]()) / (F / 2))
    time = expand index(t): [..b] -> [..b, f: F / 2]
    return concat[f](sin(time * frequency), cos(time * frequency))

# Two convolutions with group normalisation, shifted by a time embedding e, around a skip.
layer residual_block[G](x: [..b, C, H, W], e: [..b, E]) -> [..b, C, H, W]:
    n1 = silu(group_norm[G](x))
    h1 = conv[C](n1)
    shift = dense[C](e)
    n2 = silu(group_norm[G](h1 + shift))
    h2 = conv[C](n2)
    return x + h2
