# A variational autoencoder (Kingma & Welling 2014) with a Gaussian likelihood of fixed variance.
import gaussian: reparameterize, kl_to_standard
import losses: gaussian_nll
import nn: dense

batch B
dim hidden = 512
dim Z = 6
hyper variance = 0.04 in 1e-4..inf

data x: [B, (C H W)] in 0..1 from digits

net encoder(x: [..b, D]) -> (mu: [..b, Z], logvar: [..b, Z]):
    h = relu(dense[hidden](x))
    mu = dense[Z](h)
    logvar = dense[Z](h)

net decoder(z: [..b, Z]) -> [..b, (C H W)]:
    h = relu(dense[hidden](z))
    return sigmoid(dense[(C H W)](h))

objective neg_elbo:
    mu, logvar = encoder(x)
    eps: [B, Z] ~ normal(mean = 0, var = 1)
    z = reparameterize(mu, logvar, eps)
    xhat = decoder(z)
    term recon = mean[B](gaussian_nll(xhat, variance, x))
    term kl = mean[B](kl_to_standard(mu, logvar))
    minimize recon + kl
    show reconstruction = decoder(mu)

claims neg_elbo:
    sum_of_terms as betaVae_loss_decomposition:                 neg_elbo == recon + kl
    latent as betaVae_latent_eq_reparameterize:                 z == mu + exp(logvar / 2) * eps
    forward as forward_eq_decode_reparameterize:                xhat
        == decoder(reparameterize(mu, logvar, eps)) for any decoder
    kl_nonneg:                                                  kl >= 0
    kl_zero:                                                    kl == 0 iff mu == 0 and logvar == 0
    likelihood:                                                 recon
        == nll(x, normal(mean = xhat, var = variance))
    elbo as betaVae_loss_matches_named_elbo_terms:              neg_elbo bounds nll(x)
        under z: normal(mean = 0, var = 1), x given z: normal(mean = xhat, var = variance),
        posterior normal(mean = mu, var = exp(logvar))
    scale:                                                      recon
        == nll(x, normal(mean = xhat, var = 1))
        up to scale and constant in (encoder, decoder)
    sampling_law as diagonal_reparameterization_coordinate_law: z
        has law normal(mean = mu, var = exp(logvar))
    per_example:                                                neg_elbo is separable over B
    batch_free:                                                 neg_elbo
        is unchanged by repeating the batch
    no_kl_to_dec:                                               grad(kl, decoder) == 0

train:
    step neg_elbo over encoder, decoder with adam(lr = 1e-3)
    batch B = 128
    steps 6000

sampler digits[N = 64] -> [N, (C H W)] in 0..1:
    z: [N, Z] ~ normal(mean = 0, var = 1)
    return decoder(z)
