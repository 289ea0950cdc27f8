"""Why a line does not parse, for people: a code, a message, the place and the fix.

In: a `Broken` line. Out: a `Diagnostic`. The knowledge is in `grammar/near_misses.toml`, a list of
mistakes with snippets that show them; what no entry knows gets the general message with the words
that could have stood there.

Note [Near misses]
An entry matches by the words around the place: `found` (the word that cannot stand there),
`before` it, `line` (the first word of the logical line), `wants` (a word that could have stood
there), `start` (declaration, statement, claim or train_item), `why` (see `Broken`), `first` (it is
the first word of its line). Words are texts or kinds (NAME, NUMBER, UNKNOWN, _NEWLINE). An entry
with `state = true` matches where its snippets stopped the machine: in the same state at the same
kind of token, or at any token with `any_token = true`. The first entry that matches speaks.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from typing import Any

from gendsl import resources
from gendsl.diagnostics.model import Diagnostic, Label, Sink
from gendsl.diagnostics.suggest import did_you_mean
from gendsl.source.text import SourceFile, Span
from gendsl.syntax import table
from gendsl.syntax.build import Builder
from gendsl.syntax.lalr import Machine
from gendsl.syntax.lexer import RESERVED, Token, is_soft, lex
from gendsl.syntax.recover import HEADS, Broken, recover

KINDS = {
    "NAME": "a name",
    "NUMBER": "a number",
    "_NEWLINE": "the end of the line",
    "_INDENT": "an indented block",
    "_DEDENT": "the end of the block",
    "$END": "the end of the file",
}
OPERATORS = frozenset(("+", "-", "*", "/", "^", "==", "!=", "<", "<=", ">", ">=", "and", "or"))
FIRST_WORDS = {
    "declaration": HEADS,
    "statement": ("term", "show", "minimize", "maximize", "update", "return", "for", "if", "param"),
    "train_item": (
        *("step", "maximize", "schedule", "batch", "steps", "clip", "ema"),
        "precision",
    ),
    "claim": ("given", "for"),
}
MANY = 7


@dataclass(frozen=True)
class NearMiss:
    """One entry of the table: see Note [Near misses]. Patterns that are empty match everything."""

    code: str
    message: str
    snippets: tuple[str, ...]
    help: str = ""
    label: str = ""
    found: tuple[str, ...] = ()
    before: tuple[str, ...] = ()
    line: tuple[str, ...] = ()
    wants: tuple[str, ...] = ()
    start: tuple[str, ...] = ()
    why: tuple[str, ...] = ()
    first: bool = False
    state: bool = False
    any_token: bool = False


@cache
def entries() -> tuple[NearMiss, ...]:
    """The table, in its order."""
    text = (resources.data("grammar") / "near_misses.toml").read_text(encoding="utf-8")
    return tuple(_entry(fields) for fields in tomllib.loads(text)["near_miss"])


def _entry(fields: dict[str, Any]) -> NearMiss:
    lists = {key: tuple(value) for key, value in fields.items() if isinstance(value, list)}
    return NearMiss(**(fields | lists))


def explain(source: SourceFile, broken: Broken) -> Diagnostic:
    """The diagnostic of a line that does not parse."""
    found = broken.failure.found
    if _starts_physical_line(source, broken):
        return _diagnostic(
            source,
            found,
            "E0105",
            "this line is indented more than the one before it",
            "it is read as going on with the line above",
            "indent it like the lines around it",
        )
    words = _words(broken)
    expected = broken.failure.expected
    if found.text in RESERVED and "NAME" in expected and "NUMBER" not in expected:
        return _reserved(source, found, words["expected"])
    for entry in entries():
        if _matches(entry, broken):
            message, label, help = (
                text.format(**words) for text in (entry.message, entry.label, entry.help)
            )
            return _diagnostic(source, found, entry.code, message, label, help)
    return _general(source, broken, words)


def too_deep(span: Span, limit: int) -> Diagnostic:
    """The diagnostic of a declaration with too deep an expression."""
    help = "bind parts of the long expression to names"
    label = Label(span, f"an expression in it is more than {limit} levels deep")
    return Diagnostic("E0107", "an expression is nested too deeply", label, help=help)


# ---- matching ----------------------------------------------------------------------------


def _matches(entry: NearMiss, broken: Broken) -> bool:
    failure = broken.failure
    if entry.state:
        where = (failure.state, "" if entry.any_token else failure.found.kind)
        if where not in _states(entry):
            return False
    if entry.first and failure.found != broken.line[0]:
        return False
    return (
        _among(failure.found, entry.found)
        and _among(failure.before, entry.before)
        and _among(broken.line[0], entry.line)
        and (not entry.start or broken.start in entry.start)
        and (not entry.wants or not failure.expected.isdisjoint(_kinds(entry.wants)))
        and ((broken.why or "") in entry.why if entry.why else broken.why is None)
    )


def _among(token: Token | None, words: tuple[str, ...]) -> bool:
    if not words:
        return True
    if token is None:
        return False
    return token.text in words or token.kind in words or ("NAME" in words and is_soft(token))


def _kinds(words: tuple[str, ...]) -> set[str]:
    grammar = table.load()
    return {grammar.symbols.get(word) or grammar.words.get(word) or word for word in words}


@cache
def _states(entry: NearMiss) -> frozenset[tuple[int, str]]:
    """Where the snippets of an entry stop the machine."""
    places: set[tuple[int, str]] = set()
    for snippet in entry.snippets:
        source = SourceFile("<near miss>", snippet)
        stops: list[Broken] = []
        machine = Machine(table.load(), Builder(source))
        recover(lex(source, Sink()), machine, stops.append)
        for stop in stops:
            kind = "" if entry.any_token else stop.failure.found.kind
            places.add((stop.failure.state, kind))
    return frozenset(places)


def _starts_physical_line(source: SourceFile, broken: Broken) -> bool:
    """Whether the place is the first word of a line that goes on with another one outside
    brackets (see Note [Lines] in the lexer)."""
    found = broken.failure.found
    before = source.text[broken.line[0].start : found.start]
    if not found.text or found == broken.line[0] or before.rpartition("\n")[2].strip():
        return False
    earlier = [token.text for token in broken.line if token.start < found.start]
    opened = sum(text in ("(", "[") for text in earlier)
    return "\n" in before and opened == sum(text in (")", "]") for text in earlier)


# ---- words -------------------------------------------------------------------------------


def _words(broken: Broken) -> dict[str, str]:
    failure = broken.failure
    return {
        "found": failure.found.text or KINDS[failure.found.kind],
        "before": failure.before.text if failure.before else "",
        "line": broken.line[0].text,
        "expected": _expected(failure.expected),
    }


def _expected(kinds: frozenset[str]) -> str:
    """What could have stood there, in a few words."""
    spelling = table.load().spelling
    texts = {spelling[kind] for kind in kinds if kind in spelling}
    parts: list[str] = []
    if "NAME" in kinds and "NUMBER" in kinds and "(" in texts:
        parts.append("an expression")
        texts -= {"(", "-", "not", "expand", "rearrange", "true", "false"}
        kinds = kinds - {"NAME", "NUMBER"}
    if len(texts & OPERATORS) >= 3:
        parts.append("an operator")
        texts -= OPERATORS | {"with", "(", "[", ".", "..", "is", "has", "does", "up"}
    rest = [KINDS[kind] for kind in sorted(kinds & KINDS.keys())]
    parts += [*rest, *(f"`{text}`" for text in sorted(texts))]
    if len(parts) > MANY:
        parts = [*parts[:MANY], "..."]
    return " or ".join(parts) if len(parts) < 3 else f"{', '.join(parts[:-1])} or {parts[-1]}"


def _general(source: SourceFile, broken: Broken, words: dict[str, str]) -> Diagnostic:
    """For a place that no entry of the table knows."""
    found, expected = broken.failure.found, broken.failure.expected
    label = f"expected {words['expected']}" if expected else ""
    if found.text in RESERVED and "NAME" in expected:
        return _reserved(source, found, words["expected"])
    if found.kind == "UNKNOWN":
        message = f"`{found.text}` means nothing in gendsl"
        return _diagnostic(source, found, "E0103", message, label, "")
    first = broken.line[0]
    known = FIRST_WORDS[broken.start]
    help = "" if first.text in known else did_you_mean(first.text, known) or ""
    if found == first and broken.start == "declaration":
        names = ", ".join(f"`{word}`" for word in sorted(HEADS))
        message = f"no declaration begins with `{found.text}`"
        help = help or f"declarations begin with {names}"
        return _diagnostic(source, found, "E0112", message, "not a declaration", help)
    if not found.text:
        message = "this line ends too early"
        return _diagnostic(source, found, "E0113", message, label, help)
    return _diagnostic(source, found, "E0101", f"unexpected `{found.text}`", label, help)


def _reserved(source: SourceFile, found: Token, expected: str) -> Diagnostic:
    message = f"`{found.text}` is a reserved word"
    label = f"expected {expected}"
    return _diagnostic(source, found, "E0108", message, label, "choose another name")


def _diagnostic(
    source: SourceFile, place: Token, code: str, message: str, label: str, help: str
) -> Diagnostic:
    end = max(place.end, min(place.start + 1, len(source.text)))
    span = Span(source.path, place.start, end)
    return Diagnostic(code, message, Label(span, label), help=help or None)
