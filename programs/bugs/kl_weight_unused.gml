# A beta-VAE that forgets its beta (lightning-bolts #328): every value of it gives the same result.
import gaussian: kl_to_standard, reparameterize
import losses: bernoulli_nll
import nn: dense

batch B
dim Z = 4
hyper beta = 4.0 in 0..inf

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
    term kl = mean[B](kl_to_standard(mu, logvar))
    minimize recon + kl

claims neg_elbo:
    kl_nonneg: kl >= 0
    monotone:  neg_elbo is nondecreasing in beta
    two_term:  neg_elbo == weighted_two_term(beta, recon, kl)
