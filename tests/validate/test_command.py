"""`gendsl check --kernels` as text and as JSON."""

from __future__ import annotations

import json

import pytest

from gendsl.__main__ import main

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
