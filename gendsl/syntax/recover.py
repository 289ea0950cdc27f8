"""The recovering parse: after the plain parse has failed, find every error once.

In: the tokens of a file that does not parse. Out: the declarations that do, and one report for
each line that does not. Always: at least one report (of this stage or of the lexer); a line that
the lexer has complained of is not reported again; a broken declaration is left out.

The tokens are cut into a tree of logical lines. A declaration is parsed whole first; if that
fails, its head is parsed with a stand-in body, and each line of its body by itself, so that no
error hides or causes another.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from gendsl.diagnostics.suggest import nearest
from gendsl.syntax import ast
from gendsl.syntax.lalr import Failure, Machine
from gendsl.syntax.lexer import Lexed, Token

# What the indented lines under a declaration are, by its first word.
BODY = {"claims": "claim", "train": "train_item"} | dict.fromkeys(
    ("coupled", "fn", "kernel", "layer", "net", "sampler", "objective"), "statement"
)
HEADS = (*BODY, "import", "batch", "dim", "hyper", "const", "data", "param", "state")
# A body that is right under any head of its kind.
STAND_IN = {
    "statement": (("RETURN", "return"), ("NUMBER", "0")),
    "claim": (("NAME", "c"), ("COLON", ":"), ("NUMBER", "0")),
    "train_item": (("STEPS", "steps"), ("NUMBER", "1")),
}


@dataclass(frozen=True)
class Broken:
    """A failure, the words of its logical line, and what the line was to be (a start symbol).

    `why` is set for what the line tree shows and the grammar cannot: "indent" (a block under a
    line that opens none), "else" (no `if` before it), "body" (no block under a head)."""

    failure: Failure
    line: tuple[Token, ...]
    start: str
    why: str | None = None


Report = Callable[[Broken], None]


@dataclass
class Line:
    """A logical line (without its _NEWLINE) and the lines of the block under it."""

    words: list[Token]
    newline: Token
    children: list[Line] = field(default_factory=list)

    def tokens(self) -> list[Token]:
        """The line and its block as the grammar wants them."""
        out = [*self.words, self.newline]
        if self.children:
            out.append(self.newline._replace(kind="_INDENT"))
            for child in self.children:
                out += child.tokens()
            out.append(out[-1]._replace(kind="_DEDENT"))
        return out

    @property
    def first(self) -> Token:
        return self.words[0]


def recover(lexed: Lexed, machine: Machine, report: Report) -> list[ast.Decl]:
    """The declarations that parse; every other line that does not is reported."""
    recovery = _Recovery(lexed, machine, report)
    return recovery.run()


class _Recovery:
    def __init__(self, lexed: Lexed, machine: Machine, report: Report) -> None:
        self.lexed, self.machine, self._report = lexed, machine, report
        self.count = 0

    def run(self) -> list[ast.Decl]:
        good: list[ast.Decl] = []
        for line in self._absorb(_tree(self.lexed.tokens)):
            value = self._try("declaration", line.tokens())
            if isinstance(value, Failure):
                self._declaration(line, value)
            elif not self._is_broken(line):
                good.append(value)
        return good

    @staticmethod
    def _absorb(lines: list[Line]) -> list[Line]:
        """Lines that follow a head without a block and begin no declaration are its block: the
        missing indentation is one error, not one for each line."""
        out: list[Line] = []
        absorbing = False
        for line in lines:
            is_head = line.first.text in HEADS
            if absorbing and not is_head:
                continue
            out.append(line)
            ends_open = line.words[-1].text == ":"
            absorbing = line.first.text in BODY and ends_open and not line.children
        return out

    # ---- one declaration -----------------------------------------------------------------

    def _declaration(self, line: Line, whole: Failure) -> None:
        before = self.count
        if line.first.kind == "_INDENT":
            self._report_at(line.words[1], line, "declaration", "indent")
            return
        guess = line.first.text if line.first.text in HEADS else _guess(line.first.text)
        body = BODY.get(guess)
        if not line.children:
            why = "body" if whole.expected == {"_INDENT"} else None
            self._broken(Broken(whole, tuple(line.words), "declaration", why), line)
            return
        head = self._try("declaration", _with_stand_in(line, body or "statement"))
        if isinstance(head, Failure):
            self._broken(Broken(head, tuple(line.words), "declaration"), line)
        if body is not None:
            self._block(line.children, body)
        if self.count == before:
            self._broken(Broken(whole, tuple(line.words), "declaration"), line)

    def _block(self, lines: Iterable[Line], start: str) -> None:
        previous = ""
        for line in lines:
            self._line(line, start, previous)
            previous = line.first.text

    def _line(self, line: Line, start: str, previous: str) -> None:
        opens = start == "statement" and line.first.text in ("for", "if", "else")
        if not line.children and not opens:
            self._leaf(line, start)
            return
        if opens:
            self._head(line, start, previous)
        elif not self._leaf(line, start):
            self._report_at(line.children[0].first, line.children[0], start, "indent")
        self._block(line.children, start)

    def _head(self, line: Line, start: str, previous: str) -> None:
        """The first line of a `for`, `if` or `else`."""
        tokens = _with_stand_in(line, "statement") if line.children else line.tokens()
        if line.first.text == "else":
            if previous != "if":
                self._report_at(line.first, line, start, "else")
                return
            opening = (("IF", "if"), ("TRUE", "true"), ("COLON", ":"))
            tokens = [*_made(opening, line.first), *_stand_in("statement", line.first), *tokens]
        value = self._try(start, tokens)
        if isinstance(value, Failure):
            why = "body" if value.expected == {"_INDENT"} else None
            self._broken(Broken(value, tuple(line.words), start, why), line)

    def _leaf(self, line: Line, start: str) -> bool:
        """Parse one line by itself; whether it was reported."""
        value = self._try(start, [*line.words, line.newline])
        if isinstance(value, Failure):
            self._broken(Broken(value, tuple(line.words), start), line)
            return True
        return False

    # ---- parsing and reporting -----------------------------------------------------------

    def _try(self, start: str, tokens: list[Token]) -> Any:
        end = tokens[-1].end
        return self.machine.run(start, [*tokens, Token("$END", "", end, end)])

    def _report_at(self, token: Token, line: Line, start: str, why: str) -> None:
        failure = Failure(token, None, -1, frozenset())
        self._broken(Broken(failure, tuple(line.words), start, why), line)

    def _broken(self, broken: Broken, line: Line) -> None:
        self.count += 1
        if not self._is_broken(line, whole=False):
            self._report(broken)

    def _is_broken(self, line: Line, *, whole: bool = True) -> bool:
        """Whether the lexer has reported this line (`whole`: or a line of its block)."""
        tokens = line.tokens() if whole else line.words
        begin, end = tokens[0].start, tokens[-1].end
        return any(start <= end and begin <= stop for start, stop in self.lexed.broken)


def _tree(tokens: list[Token]) -> list[Line]:
    """The logical lines of a file, each with the lines of the block under it."""
    blocks: list[list[Line]] = [[]]
    words: list[Token] = []
    for token in tokens:
        match token.kind:
            case "_NEWLINE":
                blocks[-1].append(Line(words, token))
                words = []
            case "_INDENT" if not blocks[-1]:  # nothing above that it could belong to
                words.append(token)
                blocks.append(blocks[-1])
            case "_INDENT":
                blocks.append(blocks[-1][-1].children)
            case "_DEDENT":
                blocks.pop()
            case "$END":
                break
            case _:
                words.append(token)
    return blocks[0]


def _with_stand_in(line: Line, body: str) -> list[Token]:
    return [*line.words, line.newline, *_stand_in(body, line.newline)[1:]]


def _stand_in(body: str, place: Token) -> list[Token]:
    layout = Token("_NEWLINE", "", place.end, place.end)
    return [
        layout,
        layout._replace(kind="_INDENT"),
        *_made(STAND_IN[body], layout),
        layout,
        layout._replace(kind="_DEDENT"),
    ]


def _made(words: Iterable[tuple[str, str]], place: Token) -> list[Token]:
    return [Token(kind, text, place.start, place.start) for kind, text in words]


def _guess(word: str) -> str:
    """The declaration that a misspelt first word was to begin, or ""."""
    found = nearest(word, HEADS, limit=1)
    return found[0] if found else ""
