# The step of the discriminator without stop_grad (Lightning #591): the generator's parameters get a
# gradient that makes its images easier to tell from real ones.
import gan: gan_discriminator
import nn: dense

batch B
dim Z = 4

data x: [B, (C H W)] in 0..1 from digits

net generator(z: [..b, Z]) -> [..b, (C H W)]:
    return sigmoid(dense[(C H W)](z))

net discriminator(x: [..b, D]) -> [..b]:
    return sum[one](dense[one: 1](x))

objective d_loss:
    noise: [B, Z] ~ normal(mean = 0, var = 1)
    real_score = discriminator(x)
    fake_score = discriminator(generator(noise))
    term d = gan_discriminator(real_score, fake_score)
    minimize d

claims d_loss:
    d_nonneg:    d_loss >= 0
    per_example: d_loss is separable over B
    d_no_g_grad: grad(d_loss, generator) == 0
