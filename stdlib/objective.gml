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

claims free_bits(floor, kl_of_coordinate):
    free_bits_nonneg: given floor >= 0: free_bits(floor, kl_of_coordinate) >= 0

claims beta_elbo(beta, recon, kl):
    beta_one_is_elbo: beta_elbo(1, recon, kl) == neg_elbo(recon, kl)
