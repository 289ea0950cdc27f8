"""The language reference is a test: every block of the chapters is checked.

A block marked `gml` is a program or module without any report; `gml error=CODE` yields exactly
that code; `gml preamble` is the head of a function, and each `gml fragment` after it, in the same
chapter, is a body for it. Blocks of other languages are not looked at.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from gendsl.core.builtins import BUILTINS
from gendsl.core.check_train import OPTIMIZERS
from gendsl.core.distributions import NAMES
from gendsl.diagnostics.catalog import AREAS
from gendsl.diagnostics.model import Sink
from gendsl.driver import analyse
from gendsl.resources import names

HERE = Path(__file__).resolve().parent
CHAPTERS = sorted(HERE.glob("[0-9][0-9]-*.md"))
FENCE = re.compile(r"^```(\S*)[ ]?(.*?)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Block:
    """One program to check and the codes that it yields."""

    place: str
    text: str
    codes: tuple[str, ...]


def blocks(chapter: Path) -> Iterator[Block]:
    """The programs of one chapter."""
    whole = chapter.read_text(encoding="utf-8")
    preamble = ""
    for match in FENCE.finditer(whole):
        language, mark, text = match.groups()
        if language != "gml":
            assert language == "text", f"a block of {language!r} in {chapter.name}"
            continue
        line = whole.count("\n", 0, match.start()) + 1
        codes: tuple[str, ...] = ()
        if mark == "preamble":
            preamble = text
            text += "    return 0\n"
        elif mark == "fragment":
            assert preamble, f"no preamble before line {line} of {chapter.name}"
            body = "".join(f"    {row}\n" for row in text.splitlines())
            text = f"{preamble}{body}    return 0\n"
        elif mark:
            assert re.fullmatch(r"error=[EW]\d{4}", mark), f"{chapter.name}:{line}: {mark!r}"
            codes = (mark.removeprefix("error="),)
        yield Block(f"{chapter.stem}:{line}", text, codes)


BLOCKS = [block for chapter in CHAPTERS for block in blocks(chapter)]


@pytest.mark.parametrize("block", BLOCKS, ids=lambda b: b.place)
def test_block(block: Block, tmp_path: Path) -> None:
    path = tmp_path / "block.gml"
    path.write_text(block.text, encoding="utf-8")
    sink = Sink()
    analyse(str(path), sink, prove=False)
    assert tuple(d.code for d in sink.sorted()) == block.codes, sink.sorted()


def test_the_chapters_are_there() -> None:
    assert [c.name[:2] for c in CHAPTERS] == [f"{n:02}" for n in range(1, 11)]


def chapter(number: int) -> str:
    return CHAPTERS[number - 1].read_text(encoding="utf-8")


def missing(words: object, text: str) -> list[str]:
    """The words that no code span of the text begins with or holds as a word."""
    spans = " ".join(re.findall(r"`([^`\n]+)`", text))
    assert isinstance(words, list)
    return [w for w in words if not re.search(rf"(?<![\w.]){re.escape(w)}(?!\w)", spans)]


def test_every_builtin_is_described_and_used() -> None:
    text = chapter(3)
    assert missing(sorted(BUILTINS), text) == []
    code = " ".join(m.group(3) for m in FENCE.finditer(text))
    assert [n for n in BUILTINS if not re.search(rf"\b{n}[\[(]", code)] == []


def test_every_declaration_and_statement_is_described(root: Path) -> None:
    grammar = (root / "grammar" / "gml.lark").read_text(encoding="utf-8")
    rules = dict(re.findall(r"^!?\??(\w+):(.*)$", grammar, re.MULTILINE))
    heads = [
        w
        for name in ("import_", "hyper", "const", "data", "param", "state")
        for w in rules[name].split()
    ]
    keywords = {h.strip('"') for h in heads if h.startswith('"') and h.strip('"').isalpha()}
    kinds = set(re.findall(r'"(\w+)"', rules["kind"]))
    declared = keywords | kinds | {"batch", "dim", "objective", "train", "claims"}
    declared -= {"in", "from", "init"}
    assert missing(sorted(declared), chapter(1)) == []
    assert missing(["term", "minimize", "maximize", "show", "update"], chapter(5)) == []
    assert missing(sorted(NAMES), chapter(5)) == []
    words = ["step", "schedule", "times", "maximize", "batch", "steps", "clip", "ema"]
    assert missing(words + sorted(OPTIMIZERS), chapter(6)) == []


def test_every_claim_form_is_described_and_used(root: Path) -> None:
    grammar = (root / "grammar" / "gml.lark").read_text(encoding="utf-8")
    rule = grammar[grammar.index("_claim_body:") : grammar.index("up_to_what:")]
    words = sorted(set(re.findall(r'"([a-z]+)"', rule)) | {"nondecreasing", "nonincreasing"})
    assert missing(words, chapter(8)) == []
    code = " ".join(m.group(3) for m in FENCE.finditer(chapter(8)))
    used = [w for w in words if not re.search(rf"\b{w}\b", code)]
    assert used == ["nonincreasing"]


def test_every_area_of_codes_and_every_module_is_described() -> None:
    assert [a for a, _ in AREAS if f"{a}xx" not in chapter(10)] == []
    assert missing(names("stdlib"), chapter(9)) == []
