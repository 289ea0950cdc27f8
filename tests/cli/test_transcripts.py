"""Every transcript in this folder shows what the commands print."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.transcripts import blocks, replay, session
from tests.conftest import Golden

HERE = Path(__file__).resolve().parent
TRANSCRIPTS = sorted(HERE.glob("*.md"))


@pytest.mark.parametrize("transcript", TRANSCRIPTS, ids=lambda p: p.stem)
def test_transcript(
    transcript: Path, golden: Golden, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for variable in ("NO_COLOR", "FORCE_COLOR", "GENDSL_DEBUG"):
        monkeypatch.delenv(variable, raising=False)
    document = transcript.read_text(encoding="utf-8")
    golden(transcript, replay(document, tmp_path))


def test_every_transcript_runs_something() -> None:
    assert len(TRANSCRIPTS) >= 4
    for path in TRANSCRIPTS:
        found = [b for b in blocks(path.read_text(encoding="utf-8")) if b.kind == "console"]
        assert any("$ gendsl" in block.text for block in found), path.name


def test_a_wrong_output_is_put_right(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert session("$ gendsl chek\nnonsense\n", tmp_path) == (
        "$ gendsl chek\nerror: gendsl has no command `chek`\n  = help: did you mean `check`?\n"
        "[exit 2]\n"
    )
