"""Certificates of claims that are no comparisons: each has its subgoals, and altered ones fail."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from benchmarks.altered_certificates import certificates, run
from gendsl.recheck.check import judge

FILES = ("stdlib/diffusion.gml", "programs/vae.gml", "programs/vq_vae.gml")
WANTED = {
    "programs.vae.neg_elbo.sampling_law": {"affine", "mean", "covariance"},
    "stdlib.diffusion.noised_at.chain_closed_form": {
        "affine", "mean", "covariance", "mean at the start", "variance at the start",
    },
    "programs.vae.neg_elbo.elbo": {
        "affine", "mean", "covariance", "bound", "divergence", "tangent",
    },
    "programs.vae.neg_elbo.scale": {"scale", "constant"},
    "programs.vae.neg_elbo.per_example": {"value", "example"},
    "programs.vae.neg_elbo.batch_free": {"value", "example"},
    "programs.vae.neg_elbo.no_kl_to_dec": {"gradient"},
    "programs.vq_vae.vq.flow_3": {"gradient"},
}  # fmt: skip


@pytest.fixture(scope="module")
def folder(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("subgoals")
    certificates(made, [root / f for f in FILES])
    return made


def read(folder: Path, name: str) -> dict[str, Any]:
    made: dict[str, Any] = json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))
    return made


def reason(folder: Path, made: dict[str, Any]) -> str:
    """Why an altered certificate is rejected; "" if it is accepted."""
    path = folder / "altered.json"
    path.write_text(json.dumps(made), encoding="utf-8")
    try:
        return judge(path).reason
    finally:
        path.unlink()


@pytest.mark.parametrize("name", sorted(WANTED))
def test_each_subgoal_is_there_and_none_can_go(folder: Path, name: str) -> None:
    made = read(folder, name)
    assert {s["what"] for s in made["subgoals"]} == WANTED[name]
    assert all(0 <= s["theorem"] < len(made["proof"]["theorems"]) for s in made["subgoals"])
    assert reason(folder, made) == ""
    r = random.Random(name)
    for what in sorted(WANTED[name]):
        rows = [s for s in made["subgoals"] if s["what"] == what]
        gone = r.choice(rows)
        less = {**made, "subgoals": [s for s in made["subgoals"] if s is not gone]}
        assert what in reason(folder, less)


def _swapped_law(made: dict[str, Any]) -> None:
    """The mean for the variance, and the reverse."""
    law = made["obligation"]["body"]["law"]["arguments"]
    law["mean"], law["var"] = law["var"], law["mean"]


def _other_value(made: dict[str, Any]) -> None:
    """The reconstruction alone, which is no bound."""
    made["obligation"]["body"]["value"] = {"node": made["named"]["neg_elbo.recon"]}


def _other_group(made: dict[str, Any]) -> None:
    """The encoder's parameters, which the KL term does move."""
    (term,) = made["obligation"]["body"]["prop"]["left"]
    term["group"] = "encoder"


def _other_groups(made: dict[str, Any]) -> None:
    """Parameters under another group's name."""
    made["groups"] = dict.fromkeys(made["groups"], "decoder")


def _variable_of_a_draw(made: dict[str, Any]) -> None:
    """The value itself as a variable: what the theorem says of it is not about the draws."""
    value = made["obligation"]["body"]["value"]["node"]
    for s in made["subgoals"]:
        s["stands"]["%9999"] = value


def _another_term(made: dict[str, Any]) -> None:
    """What was read is shown to be something else."""
    (s,) = (s for s in made["subgoals"] if s["what"] == "covariance")
    s["term"] = next(x["term"] for x in made["subgoals"] if x["what"] == "mean")


def _free_scale(made: dict[str, Any]) -> None:
    """The constant as the scale."""
    rows = {s["what"]: s for s in made["subgoals"]}
    rows["scale"]["term"] = rows["constant"]["term"]


def _moved_example(made: dict[str, Any]) -> None:
    """The theorem about one tensor for another."""
    first, second = [s for s in made["subgoals"] if s["what"] == "example"][:2]
    first["about"] = second["about"]


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("programs.vae.neg_elbo.sampling_law", _swapped_law),
        ("programs.vae.neg_elbo.sampling_law", _variable_of_a_draw),
        ("programs.vae.neg_elbo.sampling_law", _another_term),
        ("programs.vae.neg_elbo.elbo", _other_value),
        ("programs.vae.neg_elbo.no_kl_to_dec", _other_group),
        ("programs.vae.neg_elbo.no_kl_to_dec", _other_groups),
        ("programs.vae.neg_elbo.scale", _free_scale),
        ("programs.vae.neg_elbo.per_example", _moved_example),
        ("stdlib.diffusion.noised_at.chain_closed_form", _swapped_law),
    ],
)
def test_altered_certificates_are_rejected(
    folder: Path, name: str, change: Callable[[dict[str, Any]], None]
) -> None:
    made = read(folder, name)
    change(made)
    assert len(reason(folder, made)) > 5


def test_altered_proofs_of_subgoals(folder: Path) -> None:
    """One place of a proof object changed: the statement is rebuilt, so that hardly any is still
    a proof of it."""
    rows = run(folder, [folder / f"{name}.json" for name in sorted(WANTED)], 48, 5)
    assert sum(not x.reason for x in rows) <= 4
