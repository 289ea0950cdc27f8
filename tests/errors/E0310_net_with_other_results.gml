# The function wants a net with one result; the encoder has two.
import nn: dense

dim Z = 4

net encoder(x: [..b, D]) -> (mu: [..b, Z], logvar: [..b, Z]):
    mu = dense[Z](x)
    logvar = dense[Z](x)

fn score(f: net(x: [..b, D]) -> [..b, Z], x: [..b, D]) -> [..b]:
    return sum[Z](f(x))

fn use(x: [..b, D]) -> [..b]:
    return score(encoder, x)
