"""60 mutants of shipped claims: a verdict that the other side contradicts never appears. The full
run is `python -m benchmarks.mutants`; its table is `benchmarks/tables/mutants.md`."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from benchmarks import mutants

FILES = ("gaussian", "losses", "prelude", "codebook", "objective", "schedules")


@pytest.fixture(scope="module")
def results() -> list[mutants.Result]:
    paths = [p for p in mutants.sources() if Path(p).stem in FILES]
    picked = mutants.chosen(paths, 60, seed=7)
    return [r for path, rows in picked.items() for r in mutants.of_file(path, rows, 0.5)]


def test_no_verdict_is_contradicted(results: list[mutants.Result]) -> None:
    assert len(results) == 60
    assert [r for r in results if r.contradicted] == []


def test_false_mutants_have_witnesses(results: list[mutants.Result]) -> None:
    count = Counter(r.verdict for r in results)
    assert count["refuted"] >= 0.75 * (count["refuted"] + count["unknown"])
    assert count["proved"] >= 5


def test_mutants_are_of_many_kinds(results: list[mutants.Result]) -> None:
    kinds = {r.kind for r in results}
    assert {"rescale", "negate", "drop a term", "drop a factor", "sum + 1"} <= kinds


def test_the_judge_sees_a_wrong_proof(monkeypatch: pytest.MonkeyPatch) -> None:
    """With a prover that accepts everything, false mutants come out as contradicted."""
    from gendsl.prove import sequent

    monkeypatch.setattr(sequent, "prove", lambda s, _: sequent.Proof(s, None, (), None, "", None))  # type: ignore[arg-type]
    path = next(p for p in mutants.sources() if Path(p).stem == "codebook")
    rows = mutants.chosen([path], 10, seed=7)[path]
    assert any(r.contradicted for r in mutants.of_file(path, rows, 0.5))
