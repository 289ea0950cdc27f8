"""The language reference, `grammar/reference.md`: its blocks are checked, nothing is left out.

A block marked `gml` is a program or module without any report; `gml fails CODE` and
`gml warns CODE` yield exactly that code; `gml head` is the head of a function, and each `gml body`
after it a body for it. Where a claim ends in `# proved`, `# refuted` or `# unknown`, all claims of
the block are settled and compared. What has to occur is read off the grammar's table and the
checker's registries.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

from gendsl import resources
from gendsl.cli import codes as exit_codes
from gendsl.cli.commands import COMMANDS
from gendsl.cli.flags import FlagParser
from gendsl.core.builtins import BUILTINS
from gendsl.core.check_train import OPTIMIZERS
from gendsl.core.claim_laws import _FORMS as LAWS
from gendsl.core.distributions import NAMES as DRAWN
from gendsl.core.show import show_signature
from gendsl.diagnostics.catalog import AREAS, CATALOG
from gendsl.diagnostics.model import Sink
from gendsl.driver import Analysis, analyse
from gendsl.precision import PRECISIONS
from gendsl.prove.settle import SECONDS
from gendsl.prove.verdict import VERDICTS
from gendsl.source.text import SourceFile
from gendsl.syntax.format import format_source
from gendsl.syntax.lexer import RESERVED

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "grammar" / "reference.md").read_text(encoding="utf-8")
FENCE = re.compile(r"^```(\w+)[ ]?(.*?)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
CLAIM = re.compile(r" {4}(\w+)(?: as \w+)?: ")
VERDICT = re.compile(r"# (proved|refuted|unknown)$")


@dataclass(frozen=True)
class Block:
    """A program, where it stands, the codes that it yields and the verdicts that it states."""

    line: int
    text: str
    codes: tuple[str, ...]

    @property
    def verdicts(self) -> dict[str, str]:
        return stated(self.text)


def stated(text: str) -> dict[str, str]:
    """The verdicts in comments after claims, which may go on over several lines."""
    found: dict[str, str] = {}
    claim = ""
    for line in text.splitlines():
        if begun := CLAIM.match(line):
            claim = begun[1]
        if verdict := VERDICT.search(line):
            found[claim] = verdict[1]
    return found


def blocks() -> Iterator[Block]:
    """Every `gml` block, heads and bodies put together."""
    head = ""
    for match in FENCE.finditer(TEXT):
        language, mark, text = match.groups()
        line = TEXT.count("\n", 0, match.start()) + 1
        if language != "gml":
            assert language == "console" and not mark, f"line {line}: a block of {language!r}"
            continue
        codes: tuple[str, ...] = ()
        if mark == "head":
            head, text = text, f"{text}    return 0\n"
        elif mark == "body":
            rows = "".join(f"    {row}\n" for row in text.splitlines())
            text = f"{head}{rows}    return 0\n"
        elif mark:
            found = re.fullmatch(r"(?:fails (E\d{4})|warns (W\d{4}))", mark)
            assert found, f"line {line}: the mark {mark!r}"
            codes = (found[1] or found[2],)
        yield Block(line, text, codes)


BLOCKS = list(blocks())


def checked(text: str, folder: Path, *, prove: bool = False) -> tuple[Analysis, tuple[str, ...]]:
    """The program as `gendsl check` sees it, and the codes of its reports."""
    path = folder / "block.gml"
    path.write_text(text, encoding="utf-8")
    sink = Sink()
    analysis = analyse(str(path), sink, prove=prove)
    return analysis, tuple(d.code for d in sink.sorted())


@pytest.mark.parametrize("block", BLOCKS, ids=lambda b: f"line {b.line}")
def test_block(block: Block, tmp_path: Path) -> None:
    analysis, codes = checked(block.text, tmp_path, prove=bool(block.verdicts))
    assert codes == block.codes
    found = {c.name.rpartition(".")[2]: c.verdict for c in analysis.claims}
    assert found == block.verdicts
    assert block.verdicts or not analysis.obligations, "claims without a verdict"


def test_programs_are_in_the_canonical_layout() -> None:
    for match in FENCE.finditer(TEXT):
        if match[1] == "gml" and match[2] not in ("head", "body"):
            source = SourceFile("block.gml", match[3])
            assert format_source(source) == match[3], match[3]


def test_blocks_of_every_kind_are_found() -> None:
    assert sum(1 for b in BLOCKS if not b.codes) >= 30
    assert sum(1 for b in BLOCKS if b.codes) >= 10
    assert {v for b in BLOCKS for v in b.verdicts.values()} == {"proved", "refuted", "unknown"}


def test_a_wrong_block_is_seen(tmp_path: Path) -> None:
    """The comparison above is not vacuous: a broken line has a code, a false claim its verdict."""
    assert checked("fn f(x: [D]) -> [D]:\n    return y\n", tmp_path)[1] == ("E0201",)
    text = "fn f(x: real) -> real:\n    return x\n\nclaims f(x):\n    c: f(x) >= 0  # proved\n"
    analysis, _ = checked(text, tmp_path, prove=True)
    assert [c.verdict for c in analysis.claims] == ["refuted"]
    assert stated(text) == {"c": "proved"}
    assert stated("claims f(x):\n    c: a\n        == b  # refuted\n") == {"c": "refuted"}


# ---- nothing is left out -----------------------------------------------------------------


@cache
def code() -> str:
    """All code of the reference: spans in backquotes, then blocks."""
    prose = FENCE.sub("", TEXT)
    spans = re.findall(r"`` (.+?) ``|`([^`\n]+)`", prose)
    return "\n".join([a or b for a, b in spans] + [m[3] for m in FENCE.finditer(TEXT)])


def missing(words: Iterable[str], text: str) -> list[str]:
    """Those that do not occur: words as whole words, symbols as they are."""
    return [
        w
        for w in words
        if not (re.search(rf"(?<!\w){re.escape(w)}(?!\w)", text) if w[-1].isalnum() else w in text)
    ]


def test_every_terminal_of_the_grammar_occurs() -> None:
    table = json.loads(
        (ROOT / "grammar" / "gml.table.json").read_text(encoding="utf-8"),
    )
    assert len(table["strings"]) > 80
    assert missing(table["strings"], code()) == []
    for pattern in table["patterns"].values():
        assert pattern in code()


def test_the_reserved_words_are_these() -> None:
    (line,) = re.findall(r"^Reserved, never names: ((?:.*\n)*?)\n", TEXT, re.MULTILINE)
    assert set(re.findall(r"`(\w+)`", line)) == RESERVED


def test_every_builtin_is_described_and_used() -> None:
    described = " ".join(re.findall(r"`([^`\n]+)`", FENCE.sub("", TEXT)))
    used = "\n".join(b.text for b in BLOCKS)
    for text in (described, used):
        assert [n for n in BUILTINS if re.search(rf"(?<![\w.]){n}[\[(]", text) is None] == []


def test_every_law_and_its_arguments_occur() -> None:
    for name in DRAWN:
        assert re.search(rf"^\| `{name}\(", TEXT, re.MULTILINE), name
    for name, forms in LAWS.items():
        for form in forms:
            listed = ", ".join(rf"{argument} = \w+" for argument in form)
            assert re.search(rf"`{name}\({listed}\)`", TEXT), (name, form)


def test_every_line_of_train_and_every_optimizer_occurs() -> None:
    section = TEXT[TEXT.index("\n## 10 ") : TEXT.index("\n## 11 ")]
    grammar = (ROOT / "grammar" / "gml.lark").read_text(encoding="utf-8")
    rules = grammar[grammar.index("\nstep: ") : grammar.index("// ---- claims")]
    terminals = re.findall(r"(?<!_)\b[A-Z]{3,}", rules)
    words = set(re.findall(r'"(\w+)"', rules)) | {t.lower() for t in terminals}
    assert {"step", "schedule", "batch", "clip", "precision"} <= words
    assert missing(sorted(words), section) == []
    for name, options in OPTIMIZERS.items():
        (row,) = re.findall(rf"^\| `{name}` \|.*$", section, re.MULTILINE)
        text = row.replace("as `adam`", ", ".join(f"`{o}`" for o in OPTIMIZERS["adam"]))
        assert missing(options, text) == [], name
    assert missing(PRECISIONS, section) == []


def test_every_name_that_the_checker_knows_by_itself_occurs() -> None:
    """`pi`, `cycle`, `E`, `iterate` ... are compared by name in the checker, without a table."""
    sources = [p.read_text(encoding="utf-8") for p in (ROOT / "gendsl" / "core").glob("check_*.py")]
    sources += [(ROOT / "gendsl" / "core" / f).read_text(encoding="utf-8") for f in OTHERS]
    names = {n for s in sources for found in BY_NAME.findall(s) for n in found if n}
    assert {"pi", "cycle", "inf", "E", "nll", "iterate", "lipschitz", "descending"} <= names
    assert missing(sorted(names), code()) == []


OTHERS = ("claim_props.py", "loops.py", "builtins/movement.py")
BY_NAME = re.compile(
    r'Name\(name="(\w+)"\)|mentions\(\w+, "(\w+)"\)|\bname == "(\w+)"|not in \("(\w+)", "(\w+)"'
)


def test_every_function_of_the_standard_library_occurs_with_its_signature() -> None:
    section = TEXT[TEXT.index("\n### 12.1 ") : TEXT.index("\n## 13 ")]
    for module in resources.names("stdlib"):
        path = resources.shipped("stdlib", module)
        assert path is not None
        program = analyse(str(path), Sink(), prove=False).program
        assert program is not None
        part = section[section.index(f"\n`{module}`, ") :].split("\n\n`", 1)[0]
        listed = re.findall(r"`((?:fn|kernel|layer) [^`]+)`", part)
        wanted = [show_signature(d.signature) for d in program.functions.values()]
        assert sorted(listed) == sorted(wanted), module


def test_verdicts_exit_codes_and_areas_occur() -> None:
    assert missing(VERDICTS, code()) == []
    assert f"{SECONDS:g} seconds of processor time" in TEXT
    numbers = [v for k, v in vars(exit_codes).items() if k.isupper()]
    assert len(numbers) == 6
    for number in numbers:
        assert re.search(rf"^\| {number} \|", TEXT, re.MULTILINE), number
    assert [area for area, _ in AREAS if f"| {area}xx |" not in TEXT] == []
    assert [c for c in CATALOG if c.startswith("W08") and c not in TEXT] == []


def test_every_code_that_is_named_exists() -> None:
    named = set(re.findall(r"\b[EW]\d{4}\b", TEXT))
    assert len(named) > 50
    assert named - set(CATALOG) == set()


def test_every_flag_that_is_named_exists() -> None:
    flags: dict[str, set[str]] = {}
    for name in COMMANDS:
        module = __import__(f"gendsl.cli.{name}", fromlist=["configure"])
        parser = FlagParser(name, "")
        module.configure(parser)
        flags[name] = set(parser._option_string_actions)
    rows = re.findall(r"^\| `(--[^|]+)\| (`[^|]+) \|", TEXT, re.MULTILINE)
    assert len(rows) >= 9
    for row, commands in rows:
        for command in re.findall(r"`(\w+)`", commands):
            assert set(re.findall(r"--\w+", row)) <= flags[command], (row, command)
    everywhere = set().union(*flags.values())
    assert set(re.findall(r"(?<!-)--[a-z][\w-]*", TEXT)) <= everywhere


def test_every_link_of_the_contents_leads_to_a_heading() -> None:
    headings = re.findall(r"^#+ (.+)$", FENCE.sub("", TEXT), re.MULTILINE)
    anchors = {re.sub(r"[^\w\- ]", "", h.lower()).replace(" ", "-") for h in headings}
    links = re.findall(r"\]\(#([^)]+)\)", TEXT)
    assert len(links) > 40
    assert set(links) <= anchors
