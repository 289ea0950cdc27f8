# The VQ-VAE loss as diffusers and taming-transformers ship it: beta weighs the codebook term. Both
# terms have the same value, so every claim about values holds; only the gradients tell.
import codebook: nearest
import losses: squared_error
import nn: dense

batch B
dim Cd = 8
dim K = 32
hyper beta = 0.25 in 0..inf

data x: [B, (C H W)] in 0..1 from digits

param codebook: [K, Cd] init uniform(-1 / K, 1 / K)

net encoder(x: [..b, D]) -> [..b, Cd]:
    return dense[Cd](x)

net decoder(e: [..b, Cd]) -> [..b, (C H W)]:
    return dense[(C H W)](e)

objective vq:
    z = encoder(x)
    k = nearest(codebook, z)
    e = codebook[k]
    xhat = decoder(straight_through(z, e))
    term recon = mean[B](squared_error(xhat, x))
    term codebook_loss = mean[B](sum[Cd](square(e - stop_grad(z))))
    term commitment = mean[B](sum[Cd](square(z - stop_grad(e))))
    minimize recon + beta * codebook_loss + commitment

claims vq:
    three_term:  vq == weighted_three_term(beta, recon, codebook_loss, commitment)
    at_beta_0:   vq with beta = 0 == recon + commitment
    exact_codes: given codebook_loss == 0 and commitment == 0: vq == recon
    same_value:  codebook_loss == commitment
    nonneg:      commitment >= 0
    monotone:    vq is nondecreasing in beta
    flow_1:      grad(commitment, codebook) == 0
    flow_2:      grad(codebook_loss, encoder) == 0
    flow_3:      grad(vq, codebook) does not depend on beta
