# A least-squares GAN with the square of the mean score in place of the mean of squares
# (pro_gan_pytorch #13): scores 0 and 2 count as perfect.
import nn: dense

batch B
dim Z = 4

data x: [B, (C H W)] in 0..1 from digits

net generator(z: [..b, Z]) -> [..b, (C H W)]:
    return sigmoid(dense[(C H W)](z))

net discriminator(x: [..b, D]) -> [..b]:
    return sum[one](dense[one: 1](x))

fn square_of_mean(score: [..s], target: real) -> real:
    return square(mean[..s](score - target))

objective d_loss:
    noise: [B, Z] ~ normal(mean = 0, var = 1)
    real_score = discriminator(x)
    fake_score = discriminator(stop_grad(generator(noise)))
    term d_real = square_of_mean(real_score, 1)
    term d_fake = square_of_mean(fake_score, 0)
    minimize d_real + d_fake

claims square_of_mean(score, target):
    nonneg:   square_of_mean(score, target) >= 0
    perfect:  given score == target: square_of_mean(score, target) == 0
    zero_iff: square_of_mean(score, target) == 0 iff score == target
    is_mse:   square_of_mean(score, target) == mse[..](score, target)

claims d_loss:
    d_nonneg:    d_loss >= 0
    d_perfect:   given real_score == 1 and fake_score == 0: d_loss == 0
    per_example: d_loss is separable over B
