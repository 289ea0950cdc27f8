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
