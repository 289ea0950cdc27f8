# A VAE that sums its reconstruction over pixels and averages its KL over coordinates (keras #6015):
# the KL weighs 1 / Z of what the bound asks for, and more coordinates regularise less.
import gaussian: coordinate_kl, kl_to_standard, reparameterize
import losses: bernoulli_nll
import nn: dense

batch B
dim Z = 16

data x: [B, (C H W)] in 0..1 from digits

net encoder(x: [..b, D]) -> (mu: [..b, Z], logvar: [..b, Z]):
    mu = dense[Z](x)
    logvar = dense[Z](x)

net decoder(z: [..b, Z]) -> [..b, (C H W)]:
    return dense[(C H W)](z)

objective neg_elbo:
    mu, logvar = encoder(x)
    eps: [B, Z] ~ normal(mean = 0, var = 1)
    z = reparameterize(mu, logvar, eps)
    term recon = mean[B](bernoulli_nll(decoder(z), x))
    term kl = mean[B, Z](coordinate_kl(mu, logvar))
    minimize recon + kl

claims neg_elbo:
    kl_nonneg:      kl >= 0
    kl_zero:        kl == 0 iff mu == 0 and logvar == 0
    sampling_law:   z has law normal(mean = mu, var = exp(logvar))
    effective_beta: Z * kl == mean[B](kl_to_standard(mu, logvar))
    is_elbo:        neg_elbo == recon + mean[B](kl_to_standard(mu, logvar))
