# A VQ-VAE whose codebook loss is taken on the output of the straight-through estimator (Olaf-World
# #8): the value is right, but the gradient goes to the encoder and the codebook is never trained.
import codebook: nearest
import losses: squared_error
import nn: dense

batch B
dim Cd = 8
dim K = 32

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
    q = straight_through(z, e)
    term recon = mean[B](squared_error(decoder(q), x))
    term codebook_loss = mean[B](sum[Cd](square(q - stop_grad(z))))
    minimize recon + codebook_loss

claims vq:
    right_value: codebook_loss == mean[B](sum[Cd](square(e - z)))
    nonneg:      codebook_loss >= 0
    untrained:   grad(codebook_loss, codebook) == 0
    flow_2:      grad(codebook_loss, encoder) == 0
