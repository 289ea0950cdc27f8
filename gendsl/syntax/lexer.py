"""Text to tokens, with the layout (lines, indentation, brackets) made explicit.

In: a `SourceFile` and a `Sink`. Out: `Lexed`. Always: every text gives tokens that end in one
`$END`, with _INDENT and _DEDENT in balance and every bracket closed on its logical line; what had
to be mended for that is reported, and its logical line is listed in `broken`, so that the parser
does not complain of it again. Characters that gendsl does not know become UNKNOWN tokens, which
no rule accepts.

Note [Lines]
A logical line ends at the end of a physical line, except that
- inside brackets it goes on, as long as the next line is indented more than its first one, or
  starts with a closing bracket (this is how an unclosed bracket is found on its own line);
- a declaration of one line (`import`, `dim`, `const` ...) goes on over lines that are indented,
  and a line of a `claims` or `train` block over lines that are indented more.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

from gendsl.diagnostics.model import Label, Sink
from gendsl.source.text import SourceFile, Span
from gendsl.syntax import table

MAX_BRACKETS = 50
MAX_BLOCKS = 30
TAB = 4

RESERVED = frozenset(
    ("and", "else", "expand", "false", "fin", "for", "given", "if")
    + ("in", "not", "or", "rearrange", "return", "true", "with")
)
ONE_LINE = frozenset(("import", "batch", "dim", "hyper", "const", "data", "param", "state"))
LISTS = frozenset(("claims", "train"))
CLOSER = {"(": ")", "[": "]"}


class Token(NamedTuple):
    """A terminal of the grammar. Layout tokens have no text and lie after the last word."""

    kind: str
    text: str
    start: int
    end: int


class Comment(NamedTuple):
    """From `#` to the end of its line, without trailing blanks; `alone` on its line or not."""

    text: str
    start: int
    alone: bool


@dataclass(frozen=True)
class Lexed:
    """`broken`: the places (start, end) of logical lines with a reported layout error.

    `longest` is the number of tokens of the longest logical line."""

    tokens: list[Token]
    comments: tuple[Comment, ...]
    broken: tuple[tuple[int, int], ...]
    longest: int


def lex(source: SourceFile, sink: Sink) -> Lexed:
    """Tokens and comments of a file."""
    lexer = _Lexer(source, sink)
    lexer.run()
    return Lexed(lexer.tokens, tuple(lexer.comments), tuple(lexer.broken), lexer.longest)


@cache
def _pattern() -> re.Pattern[str]:
    """One regular expression for whatever comes next; its group names say what it is."""
    grammar = table.load()
    symbols = "|".join(re.escape(s) for s in sorted(grammar.symbols, key=len, reverse=True))
    # What other languages would read as one word is one UNKNOWN, so that it is reported once.
    foreign = r"\*\*|//|&&|\|\||:=|[-+*/]=|=>|\"[^\"\n]*\"?|'[^'\n]*'?"
    number, name = grammar.patterns["NUMBER"], grammar.patterns["NAME"]
    return re.compile(
        rf"(?P<BLANK>[ \t]+|\r$)|(?P<NAME>{name})|(?P<NUMBER>{number})|(?P<COMMENT>\#.*)"
        rf"|(?P<UNKNOWN>{foreign})|(?P<SYMBOL>{symbols})|(?P<STRANGE>.)"
    )


class _Lexer:
    def __init__(self, source: SourceFile, sink: Sink) -> None:
        grammar = table.load()
        self.words, self.symbols = grammar.words, grammar.symbols
        self.source, self.sink = source, sink
        self.tokens: list[Token] = []
        self.comments: list[Comment] = []
        self.broken: list[tuple[int, int]] = []
        self.longest = 0
        self.levels = [0]
        self.ragged: set[int] = set()
        self.head = ""
        self.brackets: list[Token] = []
        self.first = 0
        self.line_indent = 0
        self.mended = False
        self.left_open = False
        self.tabs: list[int] = []
        self.too_deep: int | None = None

    def run(self) -> None:
        start = 1 if self.source.text.startswith("\ufeff") else 0
        for line in self.source.text[start:].split("\n"):
            self._line(line, start)
            start += len(line) + 1
        self._end_line()
        while len(self.levels) > 1:
            self._dedent()
        self._layout("$END")
        if self.tabs:
            self._report_tabs()

    def _line(self, line: str, start: int) -> None:
        body = line.lstrip(" \t")
        if not body or body == "\r":
            return
        skipped = len(line) - len(body)
        if body[0] == "#":
            self.comments.append(Comment(body.rstrip(), start + skipped, True))
            return
        blank = line[:skipped]
        if "\t" in blank:
            self.tabs.append(start)
            blank = blank.expandtabs(TAB)
        if not self._continues(len(blank), body[0]):
            self._end_line()
            self._begin_line(len(blank), start + skipped)
        self._words(line, skipped, start)

    def _continues(self, indent: int, first: str) -> bool:
        """Whether a physical line goes on with the logical line before it: Note [Lines]."""
        if len(self.tokens) == self.first:
            return False
        if self.brackets:
            return indent > self.line_indent or first in ")]"
        depth = len(self.levels)
        if depth == 1:
            self.head = self.tokens[self.first].text
        goes_on = (depth == 1 and self.head in ONE_LINE) or (depth == 2 and self.head in LISTS)
        return goes_on and indent > self.line_indent

    def _begin_line(self, indent: int, start: int) -> None:
        if indent > self.levels[-1] and self.too_deep is None:
            self._indent(indent, start)
        while indent < self.levels[-1]:
            if indent > self.levels[-2]:
                self._report_ragged(start)
                break
            self._dedent()
        self.line_indent = indent
        self.first = len(self.tokens)

    def _indent(self, indent: int, start: int) -> None:
        self.levels.append(indent)
        self.tokens.append(Token("_INDENT", "", start, start))
        if len(self.levels) == MAX_BLOCKS:  # lines that are still deeper count as of this block
            self._error("E0107", "blocks are nested too deeply", start, start + 1, "one too many")
            self.too_deep = start

    def _dedent(self) -> None:
        self.ragged.discard(self.levels.pop())
        self._layout("_DEDENT")
        if len(self.levels) == 1 and self.too_deep is not None:
            self.broken.append((self.too_deep, self.tokens[-1].end))
            self.too_deep = None

    def _layout(self, kind: str) -> None:
        end = self.tokens[-1].end if self.tokens else 0
        self.tokens.append(Token(kind, "", end, end))

    def _words(self, line: str, skipped: int, start: int) -> None:
        """The tokens of one physical line."""
        add, words, symbols = self.tokens.append, self.words, self.symbols
        for match in _pattern().finditer(line, skipped):
            kind = match.lastgroup
            if kind == "BLANK":
                continue
            text = match.group()
            begin = start + match.start()
            end = begin + len(text)
            if kind == "NAME":
                add(Token(words.get(text, "NAME"), text, begin, end))
            elif kind == "SYMBOL":
                if text in "()[]":
                    self._bracket(text, begin, end)
                elif text == "<-" and len(self.tokens) > self.first:
                    self._arrow(begin, end)
                else:
                    add(Token(symbols[text], text, begin, end))
            elif kind == "COMMENT":
                self.comments.append(Comment(text.rstrip(), begin, False))
            elif kind == "STRANGE":
                add(Token("UNKNOWN", text, begin, end))
            else:
                add(Token(str(kind), text, begin, end))

    def _arrow(self, begin: int, end: int) -> None:
        """`update x <- e` has an arrow; elsewhere `a <-b` compares `a` with `-b`."""
        if self.tokens[self.first].text == "update" and len(self.tokens) - self.first == 2:
            self.tokens.append(Token(self.symbols["<-"], "<-", begin, end))
            return
        self.tokens.append(Token(self.symbols["<"], "<", begin, begin + 1))
        self.tokens.append(Token(self.symbols["-"], "-", begin + 1, end))

    def _bracket(self, text: str, begin: int, end: int) -> None:
        token = Token(self.symbols[text], text, begin, end)
        if text in "([":
            self.tokens.append(token)
            self.brackets.append(token)
            if len(self.brackets) == MAX_BRACKETS and not self.mended:
                self._error("E0107", "brackets are nested too deeply", begin, end, "one too many")
                self.mended = True
            return
        if not self.brackets:
            # After a line whose bracket was not closed this one is it, not indented enough.
            if not self.mended and not self.left_open:
                self._error("E0104", f"`{text}` closes no bracket", begin, end, "nothing is open")
            self.mended = True
            return
        opened = self.brackets.pop()
        wanted = CLOSER[opened.text]
        if text != wanted:
            if not self.mended:
                self._report_mismatch(opened, token, wanted)
            self.mended = True
            token = Token(self.symbols[wanted], wanted, begin, end)
        self.tokens.append(token)

    def _end_line(self) -> None:
        """Close the logical line, if there is one."""
        if len(self.tokens) == self.first:
            return
        if self.brackets and not self.mended:
            opened = self.brackets[-1]
            self._error(
                "E0104",
                f"`{opened.text}` is never closed",
                opened.start,
                opened.end,
                "opened here",
                help=f"add the missing `{CLOSER[opened.text]}`; lines that go on inside brackets "
                "are indented more than the line they belong to",
            )
            self.mended = True
        end = self.tokens[-1].end
        for opened in reversed(self.brackets):
            closer = CLOSER[opened.text]
            self.tokens.append(Token(self.symbols[closer], closer, end, end))
        if self.mended:
            self.broken.append((self.tokens[self.first].start, end))
        self.left_open = bool(self.brackets) or (self.left_open and self.mended)
        self.brackets, self.mended = [], False
        self._soften()
        self.longest = max(self.longest, len(self.tokens) - self.first)
        self._layout("_NEWLINE")
        self.first = len(self.tokens)

    def _soften(self) -> None:
        """Keywords that one token of look-ahead shows to be names here become names."""
        line = self.tokens[self.first :]
        named = len(line) > 1 and line[1].text in ("=", ",", ":")
        if len(self.levels) > 1 and named and line[0].text not in RESERVED:
            self._rename(self.first)
        for i, token in enumerate(line[1:], 1):
            if token.text == "step" and line[i - 1].text != "maximize":
                if line[i + 2 : i + 3] == [] or line[i + 2].text != "leaves":
                    self._rename(self.first + i)

    def _rename(self, i: int) -> None:
        if self.tokens[i].kind in self.words.values():
            self.tokens[i] = self.tokens[i]._replace(kind="NAME")

    # ---- errors --------------------------------------------------------------------------

    def _error(
        self, code: str, message: str, start: int, end: int, text: str, help: str | None = None
    ) -> None:
        self.sink.error(code, message, Span(self.source.path, start, end), text, help=help)

    def _report_mismatch(self, opened: Token, closing: Token, wanted: str) -> None:
        path = self.source.path
        self.sink.error(
            "E0104",
            f"`{opened.text}` is closed by `{closing.text}`",
            Span(path, closing.start, closing.end),
            f"`{wanted}` belongs here",
            labels=(Label(Span(path, opened.start, opened.end), "opened here"),),
        )

    def _report_ragged(self, start: int) -> None:
        if self.levels[-1] in self.ragged:
            return
        self.ragged.add(self.levels[-1])
        self._error(
            "E0105",
            "this line's indentation matches no line above",
            start,
            start + 1,
            f"the blocks around it are indented by {self.levels[-2]} and {self.levels[-1]}",
            help="indent by four spaces for each block",
        )

    def _report_tabs(self) -> None:
        more = len(self.tabs) - 1
        count = f" (and {more} more line{'s' if more > 1 else ''})" if more else ""
        self._error(
            "E0102",
            f"a tab in the indentation{count}",
            self.tabs[0],
            self.tabs[0] + 1,
            "a tab",
            help="indent by four spaces for each block; `gendsl fmt` does it",
        )


def is_soft(token: Token) -> bool:
    """Whether a word may be a name where it is not wanted as a keyword."""
    return token.kind != "UNKNOWN" and token.text.isidentifier() and token.text not in RESERVED
