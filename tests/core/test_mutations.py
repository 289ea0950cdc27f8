"""Checking ends with a program or with diagnostics, whatever the text: shipped programs with words
exchanged never raise, and what passes the checker also lowers."""

from __future__ import annotations

import random
import re
from pathlib import Path

import pytest

from gendsl.core.from_syntax import check
from gendsl.diagnostics.model import GendslError, Sink
from gendsl.driver import find_module
from gendsl.lower.program import lower
from gendsl.resources import data, names
from gendsl.source.text import SourceFile

WORD = re.compile(r"[A-Za-z_]\w*|\d+(?:\.\d+)?|\.\.\w*|[\[\](),:=+\-*/]")
TEXTS = [
    p for p in sorted(data("programs").glob("*.gml")) if p.stem in ("beta_vae", "vq_vae", "mae")
]
TRIES = 25


def mutated(text: str, rng: random.Random) -> str:
    """The text with one to three words replaced by other words of it, or left out."""
    for _ in range(rng.choice([1, 1, 2, 3])):
        words = list(WORD.finditer(text))
        place = rng.choice(words)
        alike = [w.group() for w in words if w.group()[0].isalpha() == place.group()[0].isalpha()]
        new = rng.choice(alike) if rng.random() < 0.9 else ""
        text = text[: place.start()] + new + text[place.end() :]
    return text


@pytest.mark.parametrize("path", TEXTS, ids=lambda p: p.stem)
def test_mutated_programs_never_raise(path: Path) -> None:
    rng = random.Random(path.stem)
    broken = 0
    for _ in range(TRIES):
        sink = Sink()
        source = SourceFile("mutated.gml", mutated(path.read_text(encoding="utf-8"), rng))
        program = check(source, "", sink, find_module, names("stdlib"))
        assert (program is None) == sink.has_errors
        broken += program is None
        if program is not None:
            try:
                lower(program)
            except GendslError as problem:
                assert problem.diagnostics
    assert broken > TRIES // 3
