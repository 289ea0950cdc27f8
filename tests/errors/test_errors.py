"""Broken programs: each yields its code, the place, the fix; the text is a golden file.

`CODE_what_is_wrong.gml` is checked and rendered into `CODE_what_is_wrong.expected`. The code has to
be the only one: one mistake is one diagnostic.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from gendsl.cli.output import source_at
from gendsl.diagnostics.model import Severity, Sink
from gendsl.diagnostics.render import render_text
from gendsl.driver import analyse
from tests.conftest import Golden

HERE = Path(__file__).resolve().parent
PROGRAMS = sorted(HERE.glob("[EW][0-9][0-9][0-9][0-9]_*.gml"))


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda p: p.stem)
def test_broken_program(
    program: Path, golden: Golden, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(root)  # files of the stdlib are shown relative to it
    source_at.cache_clear()
    sink = Sink()
    analyse(str(program.relative_to(root)), sink, prove=False)
    found = sink.sorted()
    golden(program.with_suffix(".expected"), render_text(found, source_at))
    code = program.name[:5]
    assert {d.code for d in found} == {code}
    assert all(d.primary is not None for d in found), "no place"
    wanted = Severity.WARNING if code.startswith("W") else Severity.ERROR
    assert {d.severity for d in found} == {wanted}


def test_there_are_many_and_each_has_its_expectation() -> None:
    expected = {path.stem for path in HERE.glob("*.expected")}
    assert expected == {path.stem for path in PROGRAMS}
    assert len(PROGRAMS) >= 40


def test_most_say_how_to_fix_it() -> None:
    texts = [path.read_text() for path in HERE.glob("*.expected")]
    silent = [text for text in texts if "= help:" not in text]
    assert len(silent) <= len(texts) // 3, silent
