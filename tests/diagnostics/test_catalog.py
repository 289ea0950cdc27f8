"""The catalog: every example yields exactly its code, every code used is described."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from gendsl.diagnostics.catalog import CATALOG, join
from gendsl.diagnostics.entry import Entry
from gendsl.diagnostics.model import Sink
from gendsl.driver import analyse

EXAMPLES = [entry for entry in CATALOG.values() if entry.example.strip()]


def used_codes(root: Path) -> dict[str, str]:
    """Codes that the sources mention outside of the catalog, with a file that does."""
    found: dict[str, str] = {}
    for folder in ("gendsl", "backends"):
        for path in sorted((root / folder).rglob("*.py")):
            if "codes" not in path.parts:
                for code in re.findall(r'"([EW]\d{4})"', path.read_text()):
                    found.setdefault(code, str(path.relative_to(root)))
    # Near misses name their codes in data.
    for path in sorted((root / "grammar").glob("*.toml")):
        for code in re.findall(r'"([EW]\d{4})"', path.read_text()):
            found.setdefault(code, str(path.relative_to(root)))
    return found


def test_every_code_in_use_is_described(root: Path) -> None:
    assert {c: f for c, f in used_codes(root).items() if c not in CATALOG} == {}


def test_every_code_described_is_in_use(root: Path) -> None:
    assert sorted(set(CATALOG) - set(used_codes(root))) == []


@pytest.mark.parametrize("entry", EXAMPLES, ids=[e.code for e in EXAMPLES])
def test_the_example_yields_its_code(entry: Entry, tmp_path: Path) -> None:
    path = tmp_path / "example.gml"
    path.write_text(entry.example, encoding="utf-8")
    sink = Sink()
    analyse(str(path), sink)
    assert {d.code for d in sink.sorted()} == {entry.code}, sink.sorted()


def test_entries_are_refused_when_they_are_wrong() -> None:
    def entry(code: str = "E0401", example: str = "x", reason: str | None = None) -> Entry:
        return Entry(code, "title", "explanation", example, reason)

    assert list(join([("E04", (entry("E0402"), entry()))])) == ["E0401", "E0402"]
    with pytest.raises(ValueError, match="described twice"):
        join([("E04", (entry(), entry()))])
    with pytest.raises(ValueError, match="does not belong"):
        join([("E03", (entry(),))])
    with pytest.raises(ValueError, match="not a diagnostic code"):
        entry("E41")
    with pytest.raises(ValueError, match="example or a reason"):
        entry(example="")
    with pytest.raises(ValueError, match="example or a reason"):
        entry(reason="why")
