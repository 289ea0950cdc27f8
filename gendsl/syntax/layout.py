"""One logical line, laid out: spaces between words, and line breaks where it is too long.

In: the words of a logical line. Out: physical lines. Always: the result depends on the words only
(and not on how they were laid out), so that formatting twice changes nothing; it reads back as the
same words, but for commas before closing brackets.

A line that is too long is broken (1) where its kind may go on over several lines, at the loosest
connective first, then (2) by exploding brackets, outermost and longest first: one element on a
line, each with a comma. A line with comments inside keeps its breaks.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from gendsl.syntax.lexer import Comment, Token

WIDTH = 100
INDENT = 4
VALUES = frozenset(("NAME", "NUMBER", "TRUE", "FALSE"))
# Where a line that may go on is broken, the loosest first: after the `:` of `given` and `for all`,
# before connectives (and after commas), before operators.
CONNECTIVES = frozenset(
    ("iff", "is", "has", "does", "bounds", "under", "posterior", "up", "over", "times")
    + ("from", "init", ",")
)
LOOSE = (
    frozenset((":",)),
    CONNECTIVES,
    frozenset(("or",)),
    frozenset(("and",)),
    frozenset(("==", "!=", "<", "<=", ">", ">=")),
    frozenset(("with", "in")),
    frozenset(("+", "-")),
)


@dataclass(frozen=True)
class Word:
    """A token in its line: `value` if it ends an operand (a name, a number, a closer), `sign` if
    it is a unary minus."""

    token: Token
    value: bool
    sign: bool

    @property
    def text(self) -> str:
        return self.token.text


def words_of(tokens: Sequence[Token], soft_names: frozenset[int]) -> list[Word]:
    """The words of a logical line; `soft_names` are the places of keywords used as names."""
    words: list[Word] = []
    for token in tokens:
        value = token.kind in VALUES or token.text in (")", "]") or token.start in soft_names
        sign = token.text == "-" and not (words and words[-1].value)
        words.append(Word(token, value, sign))
    return words


def flat(words: Sequence[Word]) -> str:
    """All words on one line."""
    parts: list[str] = []
    for i, word in enumerate(words):
        if word.text == "," and i + 1 < len(words) and words[i + 1].text in (")", "]"):
            continue
        if parts:
            parts.append(_gap(words[i - 1], word))
        parts.append(word.text)
    return "".join(parts)


def _gap(left: Word, right: Word) -> str:
    """The space between two neighbours on one line."""
    a, b = left.text, right.text
    if b in (",", ")", "]", ".", ":", "^") or a in ("(", "[", ".", "..", "^") or left.sign:
        return ""
    if b == "..":
        return "" if left.value else " "
    if b in ("(", "["):
        return "" if left.value or a in ("fin", "net") else " "
    return " "


def lay_out(words: Sequence[Word], indent: int, used: int, *, continues: bool) -> list[str]:
    """The physical lines of a logical line, without the indentation of the first.

    `used` columns of the first line are taken; `continues` lines may be broken outside brackets.
    """
    if used + len(flat(words)) <= WIDTH:
        return [flat(words)]
    pieces = _pieces(list(words), indent, used) if continues else [list(words)]
    lines: list[str] = []
    for i, piece in enumerate(pieces):
        margin = indent + INDENT if i else indent
        start = margin if i else used
        laid = _explode(piece, margin, start)
        lines += [" " * margin + laid[0] if i else laid[0], *laid[1:]]
    return lines


# ---- breaking outside brackets -----------------------------------------------------------


def _pieces(words: list[Word], indent: int, used: int) -> list[list[Word]]:
    """The words, cut where the line goes on: each piece fits, if any cut can make it fit."""
    pieces = [words]
    for loose in LOOSE:
        cut: list[list[Word]] = []
        for piece in pieces:
            start = indent + INDENT if cut else used
            if start + len(flat(piece)) <= WIDTH:
                cut.append(piece)
            else:
                cut += _fill(_split(piece, loose), indent, start)
        pieces = cut
    return pieces


def _fill(parts: list[list[Word]], indent: int, start: int) -> list[list[Word]]:
    """Join neighbours again while they fit on a line."""
    out = [parts[0]]
    for part in parts[1:]:
        room = start if len(out) == 1 else indent + INDENT
        if room + len(flat([*out[-1], *part])) <= WIDTH:
            out[-1] = [*out[-1], *part]
        else:
            out.append(part)
    return out


def _split(words: list[Word], loose: frozenset[str]) -> list[list[Word]]:
    """The words, cut at every place that `loose` names outside brackets."""
    parts: list[list[Word]] = [[]]
    depth = 0
    for i, word in enumerate(words):
        after = words[i - 1].text if i else ""
        if after == ":" and words[0].text not in ("given", "for"):
            after = ""
        before = "" if word.sign or word.value or word.text in (",", ":") else word.text
        if depth == 0 and i and (before in loose or (after in loose and after in (",", ":"))):
            parts.append([])
        depth += (word.text in ("(", "[")) - (word.text in (")", "]"))
        parts[-1].append(word)
    return parts


# ---- exploding brackets ------------------------------------------------------------------


def _explode(words: list[Word], indent: int, used: int) -> list[str]:
    """Lines for words that may only be broken inside brackets."""
    text = flat(words)
    pairs = _outer_pairs(words)
    if used + len(text) <= WIDTH or not pairs:
        return [text]
    opening, closing = max(pairs, key=lambda pair: len(flat(words[pair[0] : pair[1] + 1])))
    head = _explode_before(words[: opening + 1], indent, used)
    body = _elements(words, opening, closing)
    lines = list(head)
    for element in body:
        laid = _explode(element, indent + INDENT, indent + INDENT)
        lines += [" " * (indent + INDENT) + laid[0], *laid[1:]]
    tail = _explode(words[closing:], indent, indent)
    return [*lines, " " * indent + tail[0], *tail[1:]]


def _explode_before(words: list[Word], indent: int, used: int) -> list[str]:
    """Lines for what stands before (and ends in) an opening bracket that is exploded."""
    if used + len(flat(words)) <= WIDTH or len(words) == 1:
        return [flat(words)]
    lines = _explode(words[:-1], indent, used)
    return [*lines[:-1], lines[-1] + _gap(words[-2], words[-1]) + words[-1].text]


def _outer_pairs(words: list[Word]) -> list[tuple[int, int]]:
    """The outermost brackets that hold something, as (opening, closing) positions."""
    pairs: list[tuple[int, int]] = []
    depth = opening = 0
    for i, word in enumerate(words):
        if word.text in ("(", "["):
            opening = i if depth == 0 else opening
            depth += 1
        elif word.text in (")", "]") and depth:
            depth -= 1
            if depth == 0 and i > opening + 1:
                pairs.append((opening, i))
    return pairs


def _elements(words: list[Word], opening: int, closing: int) -> list[list[Word]]:
    """What stands in a bracket, a list for each line; commas end their lines.

    A list takes a comma at its end; an expression in parentheses does not, even if the bindings
    of a `with` have commas."""
    inner = words[opening + 1 : closing]
    parts: list[list[Word]] = [[]]
    depth, substitutes = 0, False
    for word in inner:
        substitutes = substitutes or (depth == 0 and word.token.kind == "WITH")
        depth += (word.text in ("(", "[")) - (word.text in (")", "]"))
        parts[-1].append(word)
        if word.text == "," and depth == 0:
            parts.append([])
    if not parts[-1]:
        parts.pop()
    before = words[opening - 1] if opening else None
    named = before is not None and (before.value or before.text == "net")
    is_call = named and words[opening].text == "("
    if (len(parts) > 1 or is_call) and not substitutes:
        last = parts[-1][-1]
        if last.text != ",":
            comma = last.token._replace(kind="COMMA", text=",")
            parts[-1].append(Word(comma, value=False, sign=False))
        return parts
    for loose in LOOSE[1:]:
        split = _split(inner, loose)
        if len(split) > 1:
            return split
    return [inner]


# ---- lines with comments inside ----------------------------------------------------------


def as_written(
    words: Sequence[Word], comments: Sequence[Comment], indent: int, rows: Sequence[int]
) -> list[str]:
    """The lines of a logical line with comments inside: its breaks are kept.

    `rows` are the physical lines of the words and then of the comments. The last comment, if it
    stands after the last word, is among them.
    """
    lines: list[str] = []
    depth = 0
    for row in sorted(set(rows)):
        here = [word for word, at in zip(words, rows, strict=False) if at == row]
        notes = [c.text for c, at in zip(comments, rows[len(words) :], strict=True) if at == row]
        closers = 0
        while closers < len(here) and here[closers].text in (")", "]"):
            closers += 1
        margin = indent + INDENT * max(depth - closers, 0 if closers else 1) if lines else 0
        depth += sum((w.text in ("(", "[")) - (w.text in (")", "]")) for w in here)
        code = flat(here)
        lines.append(" " * margin + "  ".join([part for part in (code, *notes) if part]))
    return lines
