# A plain autoencoder: a bottleneck and the squared error of its reconstruction.
import losses: squared_error
import nn: dense

batch B
dim hidden = 256
dim Z = 16

data x: [B, (C H W)] in 0..1 from digits

net encoder(x: [..b, D]) -> [..b, Z]:
    h = relu(dense[hidden](x))
    return dense[Z](h)

net decoder(z: [..b, Z]) -> [..b, (C H W)]:
    h = relu(dense[hidden](z))
    return sigmoid(dense[(C H W)](h))

objective reconstruction_error:
    xhat = decoder(encoder(x))
    term recon = mean[B](squared_error(xhat, x))
    minimize recon
    show reconstruction = xhat

claims reconstruction_error:
    nonneg:      recon >= 0
    zero_iff:    recon == 0 iff xhat == x
    output:      xhat in 0..1
    per_example: reconstruction_error is separable over B

train:
    step reconstruction_error over encoder, decoder with adam(lr = 1e-3)
    batch B = 128
    steps 2000
