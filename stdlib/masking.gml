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

claims masked_sum(m, loss):
    masked_empty:    given m == 0: masked_sum(m, loss) == 0
    masked_exact:    given loss == 0: masked_sum(m, loss) == 0
    masked_scaling:  masked_sum(2 * m, loss) == 2 * masked_sum(m, loss)
    masked_parts:    masked_sum(m, loss) + masked_sum(1 - m, loss) == sum[..](loss)
    masked_selected: given m * loss == 0: masked_sum(m, loss) == 0
    masked_nonneg:   given m >= 0 and loss >= 0: masked_sum(m, loss) >= 0

claims masked_mean(m, loss):
    mean_counts: given sum[..](m) > 0: sum[..](m) * masked_mean(m, loss) == masked_sum(m, loss)
    mean_exact:  given loss == 0 and sum[..](m) > 0: masked_mean(m, loss) == 0

claims visible(m, x):
    hidden_is_zero:  given m == 1: visible(m, x) == 0
    visible_is_kept: given m == 0: visible(m, x) == x

claims masked_total(m, loss):
    order_is_free: masked_total(flip[N](m), flip[N](loss)) == masked_total(m, loss)
