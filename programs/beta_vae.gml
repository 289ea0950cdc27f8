# A beta-VAE (Kingma & Welling 2014; Higgins et al. 2017).
import gaussian: reparameterize, kl_to_standard
import losses: bernoulli_nll
import nn: dense

batch B
dim hidden = 512
dim Z = 6
hyper beta = 0.25 in 0..inf

data x: [B, (C H W)] in 0..1 from digits

net encoder(x: [..b, D]) -> (mu: [..b, Z], logvar: [..b, Z]):
    h = relu(dense[hidden](x))
    mu = dense[Z](h)
    logvar = dense[Z](h)

net decoder(z: [..b, Z]) -> [..b, (C H W)]:
    h = relu(dense[hidden](z))
    return dense[(C H W)](h)

objective neg_elbo:
    mu, logvar = encoder(x)
    eps: [B, Z] ~ normal(mean = 0, var = 1)
    z = reparameterize(mu, logvar, eps)
    term recon = mean[B](bernoulli_nll(decoder(z), x))
    term kl = mean[B](kl_to_standard(mu, logvar))
    minimize recon + beta * kl
    show reconstruction = sigmoid(decoder(mu))

claims neg_elbo:
    two_term as betaVae_loss_eq_weightedTwoTerm:             neg_elbo
        == weighted_two_term(beta, recon, kl)
    kl_nonneg:                                               kl >= 0
    plain_ae as betaVae_loss_zero_beta:                      neg_elbo with beta = 0 == recon
    no_penalty as betaVae_loss_eq_reconstruction_of_zero_kl: given kl == 0: neg_elbo == recon
    monotone as betaVae_loss_mono_beta_of_kl_nonneg:         neg_elbo is nondecreasing in beta
    sampling_law:                                            z
        has law normal(mean = mu, var = exp(logvar))
    per_example:                                             neg_elbo is separable over B
    batch_free:                                              neg_elbo
        is unchanged by repeating the batch
    no_kl_to_dec:                                            grad(kl, decoder) == 0
    recon_flow:                                              grad(recon, decoder)
        does not depend on beta

train:
    step neg_elbo over encoder, decoder with adam(lr = 1e-3)
    batch B = 128
    steps 6000

sampler digits[N = 64] -> [N, (C H W)] in 0..1:
    z: [N, Z] ~ normal(mean = 0, var = 1)
    return sigmoid(decoder(z))
