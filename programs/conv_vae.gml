# A convolutional beta-VAE on 28 x 28 clothes (Kingma & Welling 2014; Higgins et al. 2017).
import gaussian: reparameterize, kl_to_standard
import losses: bernoulli_cross_entropy
import nn: conv, conv_up, dense

batch B
dim width = 16
dim hidden = 128
dim Z = 16
hyper beta = 1.0 in 0..inf

data x: [B, C, H, W] in 0..1 from fashion2k

net encoder(x: [..b, C, H, W]) -> (mu: [..b, Z], logvar: [..b, Z]):
    h1 = relu(conv[f: width, k: 4, s: 2](x))
    h2 = relu(conv[f: 2 * width, k: 4, s: 2](h1))
    flat = rearrange h2: [..b, f, y, x] -> [..b, (f y x)]
    h = relu(dense[hidden](flat))
    mu = dense[Z](h)
    logvar = dense[Z](h)

net decoder(z: [..b, Z]) -> [..b, C, H, W]:
    h = relu(dense[hidden](z))
    flat = relu(dense[d: 2 * width * (H / 4) * (W / 4)](h))
    h1 = rearrange flat: [..b, (f: (2 * width) y: (H / 4) x: (W / 4))] -> [..b, f, y, x]
    h2 = relu(conv_up[f: width](h1))
    return conv_up[C](h2)

objective neg_elbo:
    mu, logvar = encoder(x)
    eps: [B, Z] ~ normal(mean = 0, var = 1)
    z = reparameterize(mu, logvar, eps)
    logits = decoder(z)
    term recon = mean[B](sum[C, H, W](bernoulli_cross_entropy(logits, x)))
    term kl = mean[B](kl_to_standard(mu, logvar))
    minimize recon + beta * kl
    show reconstruction = sigmoid(decoder(mu))

claims neg_elbo:
    two_term:     neg_elbo == weighted_two_term(beta, recon, kl)
    kl_nonneg:    kl >= 0
    plain_ae:     neg_elbo with beta = 0 == recon
    monotone:     neg_elbo is nondecreasing in beta
    sampling_law: z has law normal(mean = mu, var = exp(logvar))
    no_kl_to_dec: grad(kl, decoder) == 0

train:
    step neg_elbo over encoder, decoder with adam(lr = 1e-3)
    batch B = 64
    steps 1500

sampler clothes[N = 64] -> [N, C, H, W] in 0..1:
    z: [N, Z] ~ normal(mean = 0, var = 1)
    return sigmoid(decoder(z))
