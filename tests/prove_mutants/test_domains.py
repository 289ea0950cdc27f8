"""Where a term is defined is shown for each claim: not lent by another claim's hypothesis."""

from __future__ import annotations

from pathlib import Path

import pytest

from gendsl.diagnostics.model import Sink
from gendsl.driver import analyse

HYPOTHESIS = """\
fn g(a: [..s]) -> [..s]:
    return log(a)

claims g(a):
    where_positive: given a > 0: exp(g(a)) == a
    anywhere:       exp(g(a)) == a
"""

RANGE = """\
fn f(a: [..s] in 1..2) -> [..s]:
    return log(a)

fn g(a: [..s]) -> [..s]:
    return log(a)

claims f(a):
    in_range: exp(f(a)) == a

claims g(a):
    anywhere: exp(g(a)) == a
"""


@pytest.mark.parametrize("text", [HYPOTHESIS, RANGE])
def test_what_is_defined_is_not_shared(text: str, tmp_path: Path) -> None:
    path = tmp_path / "domains.gml"
    path.write_text(text, encoding="utf-8")
    sink = Sink()
    first, second = analyse(str(path), sink).claims
    assert not sink.has_errors
    assert (first.verdict, second.verdict) == ("proved", "unknown")
