"""The bug gallery: each program repeats a published mistake, and a claim or a diagnostic sees it.

Claims that do hold of the wrong program are proved: they show what a check of values alone misses.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from gendsl.diagnostics.model import Sink
from gendsl.driver import Analysis, analyse

# For each program: what its claims must come to, and codes of its diagnostics.
REFUTED = {
    "codebook_loss_after_straight_through": {"flow_2"},
    "codebook_weighted_by_beta": {"flow_3"},
    "discriminator_trains_generator": {"d_no_g_grad"},
    "exp_logvar_as_std": {"sampling_law"},
    "kl_averaged_over_coordinates": {"is_elbo"},
    "kl_weight_unused": {"two_term"},
    "loss_depends_on_batch_size": {"batch_free", "per_example"},
    "pf_ode_backwards": {"exact_noise"},
    "pf_ode_without_half": {"exact_noise"},
    "schedule_starts_late": {"clean", "returns_x0"},
    "square_of_mean": {"zero_iff", "is_mse", "per_example"},
}
CODES = {"kl_weight_unused": ["W0801"]}


@pytest.fixture(scope="module")
def gallery() -> dict[str, tuple[Analysis, Sink]]:
    found = {}
    root = Path(__file__).resolve().parent.parent.parent
    for path in sorted((root / "programs" / "bugs").glob("*.gml")):
        sink = Sink()
        found[path.stem] = (analyse(str(path), sink), sink)
    return found


def test_every_program_is_in_the_table(gallery: dict[str, tuple[Analysis, Sink]]) -> None:
    assert set(gallery) == set(REFUTED)


@pytest.mark.parametrize("name", sorted(REFUTED))
def test_the_mistake_is_seen(name: str, gallery: dict[str, tuple[Analysis, Sink]]) -> None:
    analysis, sink = gallery[name]
    verdicts = {c.name.rpartition(".")[2]: c for c in analysis.claims}
    assert {n for n, c in verdicts.items() if c.verdict == "refuted"} == REFUTED[name]
    assert all(c.verdict in ("proved", "refuted") for c in verdicts.values())
    assert all(verdicts[n].witness for n in REFUTED[name])
    assert [d.code for d in sink.sorted()] == CODES.get(name, [])


def test_both_gradients_are_shown(gallery: dict[str, tuple[Analysis, Sink]]) -> None:
    """Beta on the codebook term: every claim about values is proved, the flow claim is refuted."""
    claims = {c.name: c for c in gallery["codebook_weighted_by_beta"][0].claims}
    witness = claims["vq.flow_3"].witness
    assert witness is not None
    assert witness["parameter"] == "codebook"
    betas = witness["inputs"]["hyper:beta"], witness["inputs"]["hyper:beta'"]
    assert witness["left"] / witness["right"] == pytest.approx(betas[0] / betas[1])
    proved = {n for n, c in claims.items() if c.verdict == "proved"}
    assert proved == {f"vq.{n}" for n in (
        "three_term", "at_beta_0", "exact_codes", "same_value", "nonneg", "monotone", "flow_1",
        "flow_2",
    )}  # fmt: skip


def test_both_batch_sizes_are_shown(gallery: dict[str, tuple[Analysis, Sink]]) -> None:
    claims = {c.name: c for c in gallery["loss_depends_on_batch_size"][0].claims}
    witness = claims["vq.batch_free"].witness
    assert witness is not None
    first, second, whole = witness["batches"]
    assert (first, second, whole) == (1, 1, 2)
    assert witness["values"][0] == witness["values"][1] < witness["values"][2]
