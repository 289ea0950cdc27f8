# True claims (t_...) and false neighbours (f_...) over one small program.
import gaussian: reparameterize, kl_to_standard
import losses: bernoulli_nll
import nn: dense

batch B
dim hidden = 8
dim Z = 4
hyper beta = 4.0 in 0..inf
hyper free = 1.0

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
    total_kl = sum[B](kl_to_standard(mu, logvar))
    minimize recon + beta * kl + 0 * free

claims neg_elbo:
    t_terms: neg_elbo == weighted_two_term(beta, recon, kl)
    f_terms: neg_elbo == weighted_two_term(beta, kl, recon)
    t_kl: kl >= 0
    f_kl_margin: kl >= 0.01
    f_kl_strict: kl > 0
    f_kl_above: kl <= 5
    t_zero: kl == 0 iff mu == 0 and logvar == 0
    f_zero_one_side: kl == 0 iff mu == 0
    f_zero_other: kl == 0 iff logvar == 0
    t_beta_zero: neg_elbo with beta = 0 == recon
    f_beta_one: neg_elbo with beta = 1 == recon
    t_mono: neg_elbo is nondecreasing in beta
    f_mono: neg_elbo is nonincreasing in beta
    t_given: given kl == 0: neg_elbo == recon
    f_given: given kl == 0: neg_elbo == kl
    t_law: z has law normal(mean = mu, var = exp(logvar))
    f_law_std: z has law normal(mean = mu, var = exp(0.5 * logvar))
    f_law_log: z has law normal(mean = mu, var = logvar)
    f_law_mean: z has law normal(mean = 0, var = exp(logvar))
    t_separable: neg_elbo is separable over B
    f_separable_sum: total_kl is separable over B
    f_separable_square: square(kl) is separable over B
    t_repeat: square(kl) is unchanged by repeating the batch
    f_repeat: total_kl is unchanged by repeating the batch
    t_flow: grad(kl, decoder) == 0
    f_flow_encoder: grad(kl, encoder) == 0
    f_flow_recon: grad(recon, decoder) == 0
    t_flow_free: grad(neg_elbo, decoder) does not depend on beta
    f_flow_free: grad(neg_elbo, encoder) does not depend on beta
    t_sign: neg_elbo >= 0
    f_sign: recon + free * kl >= 0
    t_sign_given: given free >= 0: recon + free * kl >= 0
    f_square: square(kl) == kl
    f_range: mu in -1..1
    t_range: sigmoid(decoder(z)) in 0..1
    f_range_half: sigmoid(decoder(z)) in 0..0.5
    f_steps: step neg_elbo leaves encoder unchanged
    t_vacuous: given kl < 0: recon == 0

train:
    step neg_elbo over encoder, decoder with adam(lr = 1e-3)
    batch B = 128
    steps 2000
