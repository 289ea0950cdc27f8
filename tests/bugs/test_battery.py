"""The default battery: what is found about a program without any claim written."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from gendsl.__main__ import main
from gendsl.cli.battery_report import battery_lines
from gendsl.diagnostics.model import Sink
from gendsl.driver import analyse
from gendsl.prove.battery import Battery, Row, battery
from gendsl.prove.effective import effective_beta

ROOT = Path(__file__).resolve().parent.parent.parent


@cache
def asked(name: str, objective: str) -> dict[tuple[str, str], Row]:
    analysis = analyse(str(ROOT / "programs" / f"{name}.gml"), Sink(), prove=False)
    assert analysis.graph is not None and analysis.interface is not None
    rows = battery(analysis.graph, analysis.interface)[objective]
    keyed = {(r.kind, f"{r.subject}{_more(r)}"): r for r in rows}
    assert len(keyed) == len(rows)
    return keyed


def _more(row: Row) -> str:
    return "".join(f" {row.detail[k]}" for k in ("group", "size") if k in row.detail)


def test_a_vae() -> None:
    rows = asked("beta_vae", "neg_elbo")
    assert rows["decomposition", "neg_elbo"].statement == "neg_elbo == recon + beta * kl"
    assert rows["zero", "kl"].answer == "mu == 0 and logvar == 0"
    assert rows["monotone", "beta"].answer == "nondecreasing"
    assert rows["collapse", "beta"].statement == "neg_elbo with beta = 0 == recon"
    assert rows["flow", "kl decoder"].answer == "zero"
    assert rows["flow", "kl encoder"].answer == "flows"
    assert rows["moves", "beta decoder"].answer == "free"
    assert rows["scaling", "kl Z"].answer == "sum"
    assert rows["scaling", "kl B"].answer == "mean"
    assert rows["effective beta", "neg_elbo"].answer == "beta"
    settled = [r for r in rows.values() if r.kind not in ("flow", "moves") and r.verdict]
    assert {r.verdict for r in settled} == {"proved"}


@pytest.mark.parametrize(
    ("name", "answer"), [("vae", "variance"), ("bugs/kl_averaged_over_coordinates", "1 / Z")]
)
def test_effective_beta(name: str, answer: str) -> None:
    analysis = analyse(str(ROOT / "programs" / f"{name}.gml"), Sink(), prove=False)
    assert analysis.graph is not None and analysis.interface is not None
    objective = analysis.graph.objectives["neg_elbo"]
    (row,) = effective_beta(Battery(analysis.graph, analysis.interface, objective))
    assert row.answer == answer


def test_what_beta_moves_tells_the_two_vq_vaes_apart() -> None:
    """Both have the same terms, signs and flows; beta changes another gradient."""
    rows = asked("bugs/codebook_weighted_by_beta", "vq")
    assert rows["decomposition", "vq"].answer == "recon + beta * codebook_loss + commitment"
    assert rows["moves", "beta codebook"].answer == "changes"
    assert rows["moves", "beta encoder"].answer == "free"


def test_a_loss_that_depends_on_the_batch_size() -> None:
    rows = asked("bugs/loss_depends_on_batch_size", "vq")
    assert rows["repeat", "recon B"].answer == "yes"
    assert rows["repeat", "vq_term B"].answer == "no"
    assert rows["repeat", "vq_term B"].detail["witness"]["batches"] == [1, 1, 2]
    assert rows["scaling", "vq_term B"].answer == "sum"


def test_the_command(capsys: pytest.CaptureFixture[str]) -> None:
    path = str(ROOT / "programs" / "lsgan_ring.gml")
    main(["check", path, "--battery", "--format", "json"])
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    kinds = {row["kind"] for row in found["battery"]["d_loss"]}
    assert {"decomposition", "sign", "zero", "flow", "separable", "scaling"} <= kinds


def test_the_table() -> None:
    rows = tuple(asked("beta_vae", "neg_elbo").values())
    text = list(battery_lines({"neg_elbo": rows}))
    assert text[0] == "battery  neg_elbo"
    cells = text[4].split()
    assert cells[:3] == ["kl", ">=", "0"]
    assert "effective beta = beta, where kl = KL(mu, logvar)" in "\n".join(text)
