"""The table of near misses: every snippet yields its entry's diagnostic, and nothing else."""

from __future__ import annotations

import re

import pytest

from gendsl.diagnostics.codes import syntax
from gendsl.diagnostics.model import Sink
from gendsl.source.text import SourceFile
from gendsl.syntax import near_miss
from gendsl.syntax.near_miss import NearMiss
from gendsl.syntax.parse import parse

CASES = [(entry, snippet) for entry in near_miss.entries() for snippet in entry.snippets]


@pytest.mark.parametrize(("entry", "snippet"), CASES, ids=[repr(text) for _, text in CASES])
def test_every_snippet_yields_its_entry(entry: NearMiss, snippet: str) -> None:
    sink = Sink()
    parse(SourceFile("t.gml", snippet), sink)
    (found,) = sink.sorted()
    assert found.code == entry.code
    assert _fits(found.message, entry.message), found.message
    assert found.help is not None and _fits(found.help, entry.help), found.help
    assert found.primary is not None and found.primary.text


def _fits(text: str, pattern: str) -> bool:
    """Whether the text is the pattern with its `{word}`s filled in, and reads well."""
    pieces = re.split(r"\{\w+\}", pattern)
    filled = re.fullmatch(".+".join(re.escape(piece) for piece in pieces), text)
    return filled is not None and "``" not in text and not re.search(r"\{\w", text)


def test_an_unknown_line_of_a_recipe_is_told_all_that_there_are() -> None:
    (entry,) = [e for e in near_miss.entries() if "`train` block begins with" in e.message]
    sink = Sink()
    for line in ("batch B = 8", "steps 5", "clip 1", "ema 0.9", "precision tf32"):
        parse(SourceFile("t.gml", f"train:\n    {line}\n"), sink)
        assert not sink.sorted() and f"`{line.split()[0]}`" in entry.help


def test_every_entry_has_snippets_and_a_catalogued_code() -> None:
    known = {entry.code for entry in syntax.ENTRIES}
    assert all(entry.snippets and entry.code in known for entry in near_miss.entries())


@pytest.mark.parametrize("entry", syntax.ENTRIES, ids=[entry.code for entry in syntax.ENTRIES])
def test_catalog_examples_yield_their_code(entry: syntax.Entry) -> None:
    sink = Sink()
    parse(SourceFile("t.gml", entry.example), sink)
    assert [found.code for found in sink.sorted()] == [entry.code]


@pytest.mark.parametrize(
    ("text", "code", "hint"),
    [
        ("dimm Z = 3\n", "E0112", "did you mean `dim`?"),
        ("objective v:\n    trem x = 1\n    minimize x\n", "E0101", "did you mean `term`?"),
        ("const c: real = f(a b)\n", "E0101", "expected"),
        ("const c: real = 3 +\n", "E0113", "expected an expression"),
    ],
)
def test_places_that_no_entry_knows(text: str, code: str, hint: str) -> None:
    sink = Sink()
    parse(SourceFile("t.gml", text), sink)
    (found,) = sink.sorted()
    assert found.code == code and found.primary is not None
    assert hint in f"{found.help} {found.primary.text}"
