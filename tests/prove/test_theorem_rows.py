"""The facts that shipped programs must prove, row by row, and what must not be proved beside them.

A row names claims of a stdlib module or program by alias (the name in TorchLean, George et al.
2026) or by name; each is there and proved. A false neighbour is a claim of `false_neighbours.gml`
with one thing wrong: none is proved, and most are refuted at a point.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

from gendsl import driver
from gendsl.diagnostics.model import Sink
from gendsl.prove.verdict import ClaimReport
from gendsl.resources import data

NEIGHBOURS = Path(__file__).with_name("false_neighbours.gml")


@dataclass(frozen=True)
class Row:
    """`claims` as "file: name name ..."; `false` are names of false neighbours (or of claims of a
    program with a seeded bug, "bugs/FILE:name")."""

    fact: str
    claims: tuple[str, ...]
    false: str


PARITY = (
    Row(
        "weighted terms: no regularizer, no weight, monotone in the weight",
        (
            "prelude: weightedTwoTerm_zero_regularizer weightedTwoTerm_zero_weight"
            " weightedTwoTerm_mono_weight",
            "prelude: weightedThreeTerm_zero_regularizer weightedThreeTerm_zero_weight"
            " weightedThreeTerm_mono_weight weightedThreeTerm_zero_both",
        ),
        "w2_regularizer_stays w2_weight_one w2_mono_any_sign w3_zero_keeps_base w3_mono_any_sign",
    ),
    Row(
        "VAE: latent, forward, loss as defined",
        (
            "gaussian: sampleLatent_eq_reparameterize",
            "vae: betaVae_latent_eq_reparameterize forward_eq_decode_reparameterize"
            " betaVae_loss_decomposition",
        ),
        "logvar_as_std",
    ),
    Row(
        "VAE: objective",
        (
            "beta_vae: betaVae_loss_eq_weightedTwoTerm betaVae_loss_zero_beta"
            " betaVae_loss_eq_reconstruction_of_zero_kl betaVae_loss_mono_beta_of_kl_nonneg",
        ),
        "w2_mono_any_sign",
    ),
    Row(
        "VAE: KL by coordinate and summed, nonnegative and zero exactly at the standard normal",
        (
            "gaussian: exp_gap_nonneg exp_gap_positive exp_gap_zero_iff",
            "gaussian: coordinateKlToStandard_nonneg coordinateKlToStandard_eq_zero_iff"
            " diagonalGaussianKlToStandardReal_nonneg diagonalGaussianKlToStandardReal_eq_zero_iff",
        ),
        "gap_linear gap_always kl_of_mean_only kl_squared_bound",
    ),
    Row(
        "VAE: reparameterization law, scalar and by coordinate",
        (
            "gaussian: scalar_reparameterization_law",
            "vae: diagonal_reparameterization_coordinate_law",
        ),
        "std_for_var no_shift",
    ),
    Row(
        "VAE: the loss is the negative ELBO",
        ("vae: betaVae_loss_matches_named_elbo_terms",),
        "bugs/kl_averaged_over_coordinates:is_elbo",
    ),
    Row(
        "VQ-VAE: lookup, forward, loss and its weights",
        (
            "vq_vae: quantized_is_codebook_lookup forward_eq_decoder_codebook"
            " vqvae_loss_eq_weightedThreeTerm vqvae_loss_zero_beta"
            " vqvae_loss_eq_reconstruction_of_zero_quantization"
            " vqvae_loss_mono_beta_of_commitment_nonneg",
        ),
        "w3_mono_any_sign w3_zero_keeps_base",
    ),
    Row(
        "nearest code",
        (
            "codebook: distance_nonneg distance_to_self",
            "codebook: exactCodeMatch_isNearestCode exactCodeMatch_selected_distance_zero"
            " nearestCode_minimizes_quantization_loss",
        ),
        "nearest_is_far nearest_is_exact",
    ),
    Row(
        "LSGAN: scores, losses, zero at the goal",
        (
            "gan: fakeScore_eq_discriminator_generator generatorLoss_eq_mse_fake_real"
            " generatorLoss_eq_weightedTwoTerm discriminatorLoss_eq_weightedThreeTerm",
            "gan: generatorLoss_zero_of_fake_score_real discriminatorLoss_zero_of_perfect_scores",
        ),
        "gan_swapped gan_perfect_half",
    ),
    Row(
        "diffusion: forward law, alpha_bar at 0, Markov kernel",
        (
            "diffusion: forwardGaussian_isGaussian alphaBar_zero",
            "diffusion: forwardStep_isMarkovKernel chapman_kolmogorov",
        ),
        "abar_starts_late chain_no_root",
    ),
    Row(
        "diffusion: steps of no length return the input",
        (
            "diffusion: ddim_zero_step ddpm_zero_step ddpm_zero_step_variance pf_ode_zero_step",
            "diffusion: euler_zero_step",
        ),
        "recover_at_zero",
    ),
    Row("diffusion: one DDIM step", ("diffusion: ddimStep_eq_x0Pred ddim_last_step",), "eta_half"),
    Row(
        "diffusion: Euler steps: distance, Lipschitz constant, packaged samplers",
        (
            "diffusion: eulerStep_l2_distance_bound eulerStep_lipschitz step_lipschitz",
            "diffusion: ddimStepSystem_contracts_of_step_contracts"
            " pfOdeEulerSystem_contracts_of_step_contracts",
        ),
        "euler_signed euler_free lipschitz_signed lipschitz_free step_is_the_field",
    ),
    Row(
        "masked losses: empty, additive, in any order, zero where all are",
        (
            "masking: maskedLoss_empty maskedLoss_disjoint_union maskedLoss_order_invariant"
            " maskedLoss_zero_of_selected_zero",
        ),
        "empty_is_any additive_of_means selected_by_one",
    ),
    Row(
        "masked autoencoder: hidden entries, visible entries, exact reconstruction",
        ("masking: hidden_is_zero visible_is_kept exact_masked_mse", "mae: seen_kept"),
        "hidden_kept",
    ),
    Row(
        "autoencoder: loss >= 0, zero iff exact", ("autoencoder: nonneg zero_iff",), "mse_positive"
    ),
)

BEYOND = (
    Row("monotone in beta with no hypothesis left", ("beta_vae: monotone", "vq_vae: monotone"),
        "w2_mono_any_sign bugs/kl_weight_unused:two_term"),
    Row("mean form and sum form", ("prelude: mean_is_sum_over_n", "gaussian: mean_form"),
        "mse_is_sum kl_mean_as_sum"),
    Row("joint law under independent noise", ("vae: sampling_law",), "std_for_var"),
    Row("mean and covariance of the forward law", ("diffusion: forward_law",), "chain_std"),
    Row("KL of two normals, zero iff equal, the standard one a special case",
        ("gaussian: kl_between_nonneg kl_between_zero_iff kl_between_standard",),
        "kl_symmetric kl_zero_by_var"),
    Row("the loss equals the derived bound (variance fixed)", ("vae: elbo likelihood",),
        "bugs/kl_averaged_over_coordinates:is_elbo"),
    Row("effective beta", ("vae: scale",), "bugs/kl_averaged_over_coordinates:is_elbo"),
    Row("Jensen gap", ("objective: jensen_gap gibbs",), "jensen_reversed gibbs_unnormed"),
    Row("gradient flow of VQ-VAE", ("vq_vae: flow_1 flow_2 flow_3 flow_4",),
        "bugs/codebook_weighted_by_beta:flow_3 bugs/codebook_loss_after_straight_through:flow_2"),
    Row("gradient flow between players", ("lsgan: d_stays d_no_g_grad g_stays",),
        "bugs/discriminator_trains_generator:d_no_g_grad"),
    Row("LSGAN converses",
        ("gan: lsgan_d_zero_iff lsgan_d_nonneg", "gan: lsgan_g_zero_iff lsgan_g_nonneg"),
        "gan_zero_half"),
    Row("LSGAN: not both zero", ("gan: not_both_zero both_at_least",), "gan_both_zero"),
    Row("square of mean, mean of square", ("gan: mean_of_square jensen_defect",),
        "square_of_mean_is"),
    Row("an argmin returns a nearest code", ("codebook: nearest_minimizes",), "nearest_is_far"),
    Row("batch invariance", ("vae: per_example batch_free",),
        "bugs/loss_depends_on_batch_size:batch_free bugs/loss_depends_on_batch_size:per_example"),
    Row("composition of noising steps at every t", ("diffusion: chain_closed_form",),
        "chain_no_root chain_std"),
    Row("0 < alpha_bar <= 1, decreasing",
        ("diffusion: abar_positive abar_at_most_1 abar_next abar_decreasing",), "abar_rises"),
    Row("DDPM posterior by Bayes' rule",
        ("diffusion: posterior_by_bayes posterior_of_exact variance_nonneg variance_small",),
        "posterior_swapped variance_is_beta"),
    Row("exact noise recovers the image; noise, image, score and velocity agree",
        ("diffusion: exact_noise score_is_noise score_to_x0 tweedie velocity_noise velocity_x0",),
        "score_sign score_without_root"),
    Row("DDIM keeps the marginals", ("diffusion: ddim_keeps_marginal ddim_exact_noise",),
        "marginal_of_start marginal_std"),
    Row("DDIM with eta = 1 is DDPM", ("diffusion: ddim_eta_one",), "eta_half"),
    Row("probability-flow ODE: exact noise, DDIM, closed flow of a Gaussian",
        ("diffusion: pf_ode_exact_noise pf_ode_is_ddim flow_variance flow_there_back"
         " flow_of_no_time",),
        "pf_ode_without_half pf_ode_backwards flow_backwards"
        " bugs/pf_ode_without_half:exact_noise bugs/pf_ode_backwards:exact_noise"),
    Row("n steps of a contraction, one fixed point",
        ("diffusion: n_steps_contract three_contract nearer_the_fixed_point one_fixed_point",),
        "n_steps_too_fast contract_too_fast fixed_point_moves"),
    Row("terminal SNR in nats",
        ("gaussian: terminal_is_kl terminal_nonneg terminal_bound terminal_pure"),
        "terminal_no_snr terminal_unbounded"),
    Row("triangle inequality, Cauchy-Schwarz, homogeneous norms",
        ("norms: triangle_inequality cauchy_schwarz cauchy_schwarz_plain norm_homogeneous",),
        "triangle_reversed cauchy_of_sums norm_signed"),
    Row("a Gaussian likelihood is greatest at the mean", ("gaussian: nll_least_at_mean",),
        "nll_shifted"),
    Row("count-weighted identity of masked means", ("masking: count_weighted mean_counts",),
        "additive_of_means"),
)  # fmt: skip
ROWS = (*PARITY, *BEYOND)


@cache
def reports(name: str) -> dict[str, ClaimReport]:
    """The reports of a file by name and by alias."""
    path = NEIGHBOURS if name == NEIGHBOURS.stem else data("stdlib") / f"{name}.gml"
    path = path if path.exists() else data("programs") / f"{name}.gml"
    sink = Sink()
    found = driver.analyse(str(path), sink).claims
    assert not sink.has_errors, [d.message for d in sink.sorted()]
    return {key: r for r in found for key in (r.name.rpartition(".")[2], *r.aliases)}


def _names(row: Row) -> list[tuple[str, str]]:
    pairs = [(c.partition(":")[0], c.partition(":")[2].split()) for c in row.claims]
    return [(file, name) for file, names in pairs for name in names]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.fact.split(":")[0][:40])
def test_every_claim_of_a_row_is_proved(row: Row) -> None:
    for file, name in _names(row):
        assert name in reports(file), f"{file} has no claim {name}"
        assert reports(file)[name].verdict == "proved", (file, name, reports(file)[name].goal)


def test_no_false_neighbour_is_proved_and_most_are_refuted() -> None:
    found = reports(NEIGHBOURS.stem)
    for row in ROWS:
        assert row.false, f"no false neighbour: {row.fact}"
        for name in row.false.split():
            file, _, claim = name.rpartition(":")
            verdict = reports(file)[claim].verdict if file else found[name].verdict
            assert verdict == "refuted" if file else verdict != "proved", name
    verdicts = [found[name].verdict for name in found]
    assert "proved" not in verdicts
    assert verdicts.count("refuted") >= 0.8 * len(verdicts)
    assert all(r.witness for r in found.values() if r.verdict == "refuted")


def test_aliases_name_the_facts_of_torchlean() -> None:
    aliases = {a for row in PARITY for f, n in _names(row) for a in reports(f)[n].aliases}
    assert len(aliases) >= 35
