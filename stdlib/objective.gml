# Objectives from their terms, in nats.

# The negative evidence lower bound (Kingma & Welling 2014), and its weighted form (Higgins et al.
# 2017).
fn neg_elbo(recon: real, kl: real) -> real:
    return recon + kl

fn beta_elbo(beta: real, recon: real, kl: real) -> real:
    return weighted_two_term(beta, recon, kl)

# Free bits (Kingma et al. 2016): a coordinate whose average KL is below `floor` nats costs `floor`.
fn free_bits(floor: real, kl_of_coordinate: [..z]) -> real:
    return sum[..z](maximum(kl_of_coordinate, floor))

# The bound for a latent variable with K values: q its posterior, p the joint probability of the
# data with each value. That it bounds the negative log-likelihood is Jensen's inequality.
fn discrete_elbo(q: [K], p: [K]) -> real:
    return sum[K](q * (log(q) - log(p)))

claims discrete_elbo(q, p):
    gibbs:      given q > 0 and p > 0 and sum[K](q) == 1 and sum[K](p) == 1:
        discrete_elbo(q, p) >= 0
    jensen_gap: given q > 0 and p > 0 and sum[K](q) == 1: -log(sum[K](p)) <= discrete_elbo(q, p)

claims free_bits(floor, kl_of_coordinate):
    free_bits_nonneg: given floor >= 0: free_bits(floor, kl_of_coordinate) >= 0

claims beta_elbo(beta, recon, kl):
    beta_one_is_elbo: beta_elbo(1, recon, kl) == neg_elbo(recon, kl)
