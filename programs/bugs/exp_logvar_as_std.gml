# A VAE that multiplies the noise by exp(logvar), which is the variance (keras #9972): the network
# is called logvar, the KL takes it for log var, the sampler for log std.
import gaussian: kl_to_standard
import losses: bernoulli_nll
import nn: dense

batch B
dim Z = 4

data x: [B, (C H W)] in 0..1 from digits

net encoder(x: [..b, D]) -> (mu: [..b, Z], logvar: [..b, Z]):
    mu = dense[Z](x)
    logvar = dense[Z](x)

net decoder(z: [..b, Z]) -> [..b, (C H W)]:
    return dense[(C H W)](z)

objective neg_elbo:
    mu, logvar = encoder(x)
    eps: [B, Z] ~ normal(mean = 0, var = 1)
    z = mu + exp(logvar) * eps
    term recon = mean[B](bernoulli_nll(decoder(z), x))
    term kl = mean[B](kl_to_standard(mu, logvar))
    minimize recon + kl

claims neg_elbo:
    kl_nonneg:    kl >= 0
    kl_zero:      kl == 0 iff mu == 0 and logvar == 0
    squared_law:  z has law normal(mean = mu, var = exp(2 * logvar))
    sampling_law: z has law normal(mean = mu, var = exp(logvar))
