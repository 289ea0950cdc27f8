# In scope everywhere: how objectives are put together, squared error, evenly spaced points.

fn weighted_two_term(w: real, base: real, reg: real) -> real:
    return base + w * reg

fn weighted_three_term(w: real, base: real, second: real, reg: real) -> real:
    return base + second + w * reg

# Mean of squared differences over the axes that the call names: mse[B, D](a, b).
fn mse[..s](a: [..s], b: [..s]) -> real:
    return mean[..s](square(a - b))

# T points from first to last, both included (T >= 2).
fn linspace[T](first: real, last: real) -> [T]:
    return first + (last - first) * index(iota[T]()) / (T - 1)

claims weighted_two_term(w, base, reg):
    w2_zero_regularizer: given reg == 0: weighted_two_term(w, base, reg) == base
    w2_zero_weight:      weighted_two_term(0, base, reg) == base
    w2_mono_weight:      given reg >= 0: weighted_two_term(w, base, reg) is nondecreasing in w

claims weighted_three_term(w, base, second, reg):
    w3_zero_regularizers: given reg == 0 and second == 0:
        weighted_three_term(w, base, second, reg) == base
    w3_zero_weight:       weighted_three_term(0, base, second, reg) == base + second
    w3_mono_weight:       given reg >= 0:
        weighted_three_term(w, base, second, reg) is nondecreasing in w

claims mse(a, b):
    mse_nonneg:        mse[..](a, b) >= 0
    mse_zero_iff_same: mse[..](a, b) == 0 iff a == b
    mse_symmetric:     mse[..](a, b) == mse[..](b, a)
