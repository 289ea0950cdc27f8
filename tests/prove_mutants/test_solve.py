"""Points on which an equation holds, found by bisection."""

from __future__ import annotations

from pathlib import Path

import pytest

from gendsl.diagnostics.model import Sink
from gendsl.driver import analyse
from gendsl.prove.verdict import ClaimReport


def check(tmp_path: Path, text: str) -> list[ClaimReport]:
    path = tmp_path / "solve.gml"
    path.write_text(text, encoding="utf-8")
    sink = Sink()
    claims = analyse(str(path), sink).claims
    assert not sink.has_errors, sink.sorted()
    return list(claims)


FALSE = [
    "sum[..](x) == 0 iff x == 0",
    "exp(x) - 1 - 2 * x == 0 iff x == 0",
    "square(mean[..](x - 1)) - 2 == 0 iff x == 1",
    "given mean[..](x) == 0: x == 0",
]


@pytest.mark.parametrize("claim", FALSE)
def test_refuted_where_an_equation_holds(claim: str, tmp_path: Path) -> None:
    text = f"fn f(x: [..s]) -> [..s]:\n    return x\n\nclaims f(x):\n    c: {claim}\n"
    (found,) = check(tmp_path, text)
    assert found.verdict == "refuted"
    assert found.witness is not None


TRUE = [
    "x * x * x == 0 iff x == 0",
    "square(square(x)) * x == 0 iff x == 0",
    "given sum[..](x) == 1: mean[..](x) == 1 / s",
    "given exp(x) - 2 == 0: x >= 0.5",
]


@pytest.mark.parametrize("claim", TRUE)
def test_what_holds_is_not_refuted(claim: str, tmp_path: Path) -> None:
    """Flat roots (x^5 = 0) are no counterexample: values near them are not solutions."""
    text = f"fn f(x: [..s]) -> [..s]:\n    return x\n\nclaims f(x):\n    c: {claim}\n"
    (found,) = check(tmp_path, text)
    assert found.verdict in ("proved", "unknown")
