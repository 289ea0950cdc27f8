"""One axis, two axes: counts and their nouns agree in every message."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from gendsl.diagnostics.counted import counted
from gendsl.diagnostics.model import Sink
from gendsl.driver import analyse


@pytest.mark.parametrize(
    ("count", "text"), [(0, "0 axes"), (1, "1 axis"), (2, "2 axes"), (1000, "1,000 axes")]
)
def test_counted(count: int, text: str) -> None:
    assert counted(count, "axis", "axes") == text
    assert counted(count, "size") == f"{count:,} size" + "s" * (count != 1)


def test_an_axis_too_few(tmp_path: Path) -> None:
    path = tmp_path / "p.gml"
    path.write_text("fn f(x: [B, C]) -> [B, C]:\n    return rearrange x: [B] -> [B]\n")
    sink = Sink()
    analyse(str(path), sink, prove=False)
    assert "the source has 1 axis, the operand 2" in [d.message for d in sink.sorted()]


def test_expected_diagnostics_count_well(root: Path) -> None:
    """In the golden texts of all diagnostics no `1` stands before a plural."""
    texts = [*(root / "tests" / "errors").glob("*.expected"), *(root / "tests").glob("*/*.md")]
    assert len(texts) > 50
    wrong = [
        (path.name, line)
        for path in texts
        for line in path.read_text().splitlines()
        if re.search(r"(?<![\d.,])\b1 (axes|sizes|names|values|results|arguments)\b", line)
    ]
    assert wrong == []
