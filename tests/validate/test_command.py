"""`gendsl check --kernels` as text and as JSON."""

from __future__ import annotations

import io
import json
import sys
from typing import Any

import pytest

from gendsl.__main__ import main
from gendsl.validate.verdict import Finding, Kernel, Validation

PROGRAM = "programs/autoencoder.gml"


def test_text(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", PROGRAM, "--kernels"]) == 0
    text = capsys.readouterr().out
    assert "torch source: 1 of 1 proved at B = " in text
    assert "proved for all sizes and blocks" in text
    assert "trusted: Triton's compiler" in text


def test_json(capsys: pytest.CaptureFixture[str]) -> None:
    main(["check", PROGRAM, "--kernels", "--format", "json"])
    text = capsys.readouterr().out
    found = json.loads(text)
    assert '"kernels"' in text
    assert "triton source" in json.dumps(found)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_terminal_shows_kernels_as_they_are_judged(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each one once, before the next is judged; what is no terminal gets them in the report."""
    shown: list[str] = []
    terminal: io.StringIO = Terminal()
    kernels = tuple(Kernel(f"k{i}", (Finding("y", "proved", i),)) for i in range(3))

    def validations(_: str, report: Any) -> list[Validation]:
        for kernel in kernels:
            report(kernel)
            shown.append(terminal.getvalue())
        return [Validation("triton source", "for all sizes", kernels, ("trusted",))]

    monkeypatch.setattr("gendsl.run.validate.validations", validations)
    monkeypatch.setattr(sys, "stdout", terminal)
    assert main(["check", PROGRAM, "--kernels"]) == 0
    for i, text in enumerate(shown):
        assert f"proved     k{i} " in text and f"k{i + 1} " not in text
    assert terminal.getvalue().count("proved     k1 ") == 1
    assert "triton source: 3 of 3 proved" in terminal.getvalue()
    for stream, format in ((io.StringIO(), "text"), (Terminal(), "json")):
        terminal = stream
        monkeypatch.setattr(sys, "stdout", stream)
        shown.clear()
        main(["check", PROGRAM, "--kernels", "--format", format])
        assert shown and not any(shown)
        assert stream.getvalue().count("k1") == 1
