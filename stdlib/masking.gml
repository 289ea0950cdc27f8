# Masked losses: a mask m is 1 where the loss counts and 0 elsewhere.

fn masked_sum(m: [..s], loss: [..s]) -> real:
    return sum[..s](m * loss)

# The mean over what is masked; at least one entry must be.
fn masked_mean(m: [..s], loss: [..s]) -> real:
    return sum[..s](m * loss) / sum[..s](m)

claims masked_sum(m, loss):
    masked_empty:   given m == 0: masked_sum(m, loss) == 0
    masked_exact:   given loss == 0: masked_sum(m, loss) == 0
    masked_scaling: masked_sum(2 * m, loss) == 2 * masked_sum(m, loss)
