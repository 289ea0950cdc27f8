# A VQ-VAE (van den Oord et al. 2017) on 28 x 28 clothes.
import codebook: nearest
import nn: conv, conv_up

batch B
dim width = 32
dim Cd = 16
dim K = 64
hyper beta = 0.25 in 0..inf

data x: [B, C, H, W] in 0..1 from fashion2k

param codebook: [K, Cd] init uniform(-1 / K, 1 / K)

net encoder(x: [..b, C, H, W]) -> [..b, P: (y: (H / 4) x: (W / 4)), Cd]:
    h1 = relu(conv[f: width, k: 4, s: 2](x))
    h2 = relu(conv[f: 2 * width, k: 4, s: 2](h1))
    z = conv[Cd, k: 1](h2)
    return rearrange z: [..b, c, v, u] -> [..b, (v u), c]

net decoder(e: [..b, P: (y: (H / 4) x: (W / 4)), Cd]) -> [..b, C, H, W]:
    z = rearrange e: [..b, (y: (H / 4) x: (W / 4)), c] -> [..b, c, y, x]
    h1 = relu(conv[f: 2 * width, k: 3](z))
    h2 = relu(conv_up[f: width](h1))
    return sigmoid(conv_up[C](h2))

objective vq:
    z = encoder(x)
    k = nearest(codebook, z)
    e = codebook[k]
    xhat = decoder(straight_through(z, e))
    term recon = mean[B](sum[C, H, W](square(xhat - x)))
    term codebook_loss = mean[B](sum[P, Cd](square(e - stop_grad(z))))
    term commitment = mean[B](sum[P, Cd](square(z - stop_grad(e))))
    minimize recon + codebook_loss + beta * commitment
    show reconstruction = xhat

claims vq:
    quantized as quantized_is_codebook_lookup:                        e == codebook[k]
    forward as forward_eq_decoder_codebook:                           xhat
        == decoder(codebook[k]) for any decoder
    three_term as vqvae_loss_eq_weightedThreeTerm:                    vq
        == weighted_three_term(beta, recon, codebook_loss, commitment)
    at_beta_0 as vqvae_loss_zero_beta:                                vq with beta = 0
        == recon + codebook_loss
    exact_codes as vqvae_loss_eq_reconstruction_of_zero_quantization: given codebook_loss == 0
        and commitment == 0:
        vq == recon
    monotone as vqvae_loss_mono_beta_of_commitment_nonneg:            vq is nondecreasing in beta
    flow_1:                                                           grad(commitment, codebook)
        == 0
    flow_2:                                                           grad(codebook_loss, encoder)
        == 0
    flow_3:                                                           grad(vq, codebook)
        does not depend on beta
    flow_4:                                                           grad(recon, codebook) == 0

train:
    step vq over encoder, decoder, codebook with adam(lr = 1e-3)
    batch B = 64
    steps 4000
