"""Claims over real graphs: true ones are proved, false neighbours refuted at a point."""

from __future__ import annotations

from pathlib import Path

import pytest

from gendsl import driver
from gendsl.diagnostics.model import Sink
from gendsl.prove.settle import settle_one
from gendsl.prove.verdict import ClaimReport

FILE = Path(__file__).with_name("claims.gml")


def analysed(path: Path) -> driver.Analysis:
    sink = Sink()
    found = driver.analyse(str(path), sink, prove=False)
    assert not sink.has_errors, [d.message for d in sink.sorted()]
    return found


ANALYSIS = analysed(FILE)
NAMES = [c.name for c in ANALYSIS.obligations]


def report(name: str) -> ClaimReport:
    claim = next(c for c in ANALYSIS.obligations if c.name == name)
    assert ANALYSIS.graph is not None and ANALYSIS.interface is not None
    return settle_one(ANALYSIS.graph, claim, ANALYSIS.interface)


@pytest.mark.parametrize("name", [x for x in NAMES if x.startswith("t_")])
def test_true_claims_are_proved(name: str) -> None:
    found = report(name)
    assert found.verdict == "proved", found.goal
    assert found.witness is None


@pytest.mark.parametrize("name", [x for x in NAMES if x.startswith("f_")])
def test_false_neighbours_are_refuted(name: str) -> None:
    found = report(name)
    assert found.verdict == "refuted", found.goal
    assert found.witness is not None
    assert all(n >= 1 for n in found.witness["sizes"].values())


def test_witness_values_contradict_the_claim() -> None:
    witness = report("f_kl_margin").witness
    assert witness is not None
    assert witness["left"] < witness["right"] == 0.01


def test_abduction_names_the_missing_hypothesis() -> None:
    assert report("f_sign").note == "provable if free >= 0"


def test_vacuous_hypotheses_are_said() -> None:
    assert "vacuous" in str(report("t_vacuous").note)


def test_reports_are_in_the_order_of_the_claims() -> None:
    assert ANALYSIS.graph is not None and ANALYSIS.interface is not None
    from gendsl.prove.settle import settle

    some = ANALYSIS.obligations[:3]
    reports = settle(ANALYSIS.graph, some, ANALYSIS.interface)
    assert [r.name for r in reports] == [f"neg_elbo.{c.name}" for c in some]
    assert all(r.statement and r.ms > 0 for r in reports)
