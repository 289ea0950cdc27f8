# Masked losses: a mask m is 1 where the loss counts (what is hidden) and 0 elsewhere.

fn masked_sum(m: [..s], loss: [..s]) -> real:
    return sum[..s](m * loss)

# The mean over what is masked; at least one entry must be.
fn masked_mean(m: [..s], loss: [..s]) -> real:
    return sum[..s](m * loss) / sum[..s](m)

# What an encoder may see: the input where m is 0, zero elsewhere.
fn visible(m: [..s], x: [..s]) -> [..s]:
    return (1 - m) * x

# The masked sum along one axis, for facts about order.
fn masked_total(m: [N], loss: [N]) -> real:
    return sum[N](m * loss)

# The sums over two sets of patches.
fn sum_of_parts(m: [..s], other: [..s], loss: [..s]) -> real:
    return masked_sum(m, loss) + masked_sum(other, loss)

# The mean of the squared errors of what is masked.
fn masked_mse(m: [..s], x: [..s], y: [..s]) -> real:
    return masked_mean(m, square(x - y))

claims sum_of_parts(m, other, loss):
    masked_additive as maskedLoss_disjoint_union: given m * other == 0:
        masked_sum(m + other, loss) == sum_of_parts(m, other, loss)
    count_weighted:                               given sum[..](m) > 0 and sum[..](other) > 0:
        sum[..](m + other) * masked_mean(m + other, loss)
        == sum[..](m) * masked_mean(m, loss) + sum[..](other) * masked_mean(other, loss)

claims masked_mse(m, x, y):
    exact_masked_mse:  given sum[..](m) > 0: masked_mse(m, x, x) == 0
    masked_mse_nonneg: given m >= 0 and sum[..](m) > 0: masked_mse(m, x, y) >= 0

claims masked_sum(m, loss):
    masked_empty as maskedLoss_empty:                    given m == 0: masked_sum(m, loss) == 0
    masked_exact:                                        given loss == 0: masked_sum(m, loss) == 0
    masked_scaling:                                      masked_sum(2 * m, loss)
        == 2 * masked_sum(m, loss)
    masked_parts:                                        masked_sum(m, loss)
        + masked_sum(1 - m, loss)
        == sum[..](loss)
    masked_selected as maskedLoss_zero_of_selected_zero: given m * loss == 0:
        masked_sum(m, loss) == 0
    masked_nonneg:                                       given m >= 0 and loss >= 0:
        masked_sum(m, loss) >= 0

claims masked_mean(m, loss):
    mean_counts: given sum[..](m) > 0: sum[..](m) * masked_mean(m, loss) == masked_sum(m, loss)
    mean_exact:  given loss == 0 and sum[..](m) > 0: masked_mean(m, loss) == 0

claims visible(m, x):
    hidden_is_zero:  given m == 1: visible(m, x) == 0
    visible_is_kept: given m == 0: visible(m, x) == x

claims masked_total(m, loss):
    order_is_free as maskedLoss_order_invariant: masked_total(flip[N](m), flip[N](loss))
        == masked_total(m, loss)
