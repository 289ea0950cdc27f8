# In scope everywhere: how objectives are put together, squared error, evenly spaced points.

fn weighted_two_term(w: real, base: real, reg: real) -> real:
    return base + w * reg

fn weighted_three_term(w: real, base: real, second: real, reg: real) -> real:
    return base + second + w * reg

# Mean of squared differences over the axes that the call names: mse[B, D](a, b).
fn mse[..s](a: [..s], b: [..s]) -> real:
    return mean[..s](square(a - b))

# The Euclidean norm over the axes that the call names.
fn l2[..s](x: [..s]) -> real:
    return sqrt(sum[..s](square(x)))

# T points from first to last, both included (T >= 2).
fn linspace[T](first: real, last: real) -> [T]:
    return first + (last - first) * index(iota[T]()) / (T - 1)

claims weighted_two_term(w, base, reg):
    w2_zero_regularizer as weightedTwoTerm_zero_regularizer: given reg == 0:
        weighted_two_term(w, base, reg) == base
    w2_zero_weight as weightedTwoTerm_zero_weight:           weighted_two_term(0, base, reg) == base
    w2_mono_weight as weightedTwoTerm_mono_weight:           given reg >= 0:
        weighted_two_term(w, base, reg) is nondecreasing in w

claims weighted_three_term(w, base, second, reg):
    w3_zero_regularizer as weightedThreeTerm_zero_regularizer: given reg == 0:
        weighted_three_term(w, base, second, reg) == base + second
    w3_zero_weight as weightedThreeTerm_zero_weight:           weighted_three_term(
        0,
        base,
        second,
        reg,
    )
        == base + second
    w3_mono_weight as weightedThreeTerm_mono_weight:           given reg >= 0:
        weighted_three_term(w, base, second, reg) is nondecreasing in w
    w3_zero_both as weightedThreeTerm_zero_both:               weighted_three_term(w, base, 0, 0)
        == base

claims mse(a, b):
    mse_nonneg:         mse[..](a, b) >= 0
    mse_zero_iff_same:  mse[..](a, b) == 0 iff a == b
    mse_symmetric:      mse[..](a, b) == mse[..](b, a)
    mean_is_sum_over_n: sum[..](square(a - b)) == s * mse[..](a, b)
    square_of_mean:     square(mean[..](a - b)) <= mse[..](a, b)
    mse_of_itself:      mse[..](a, a) == 0

claims l2(x):
    l2_nonneg:    l2[..](x) >= 0
    l2_zero_iff:  l2[..](x) == 0 iff x == 0
    l2_of_double: l2[..](2 * x) == 2 * l2[..](x)
    l2_squared:   square(l2[..](x)) == sum[..](square(x))
