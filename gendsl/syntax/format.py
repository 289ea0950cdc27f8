"""The canonical layout of a program: `gendsl fmt`.

In: a `SourceFile` that parses. Out: its text in the one layout, ending in a newline. Always:
formatting the result changes nothing; the module is the same but for spans; every comment is kept.

- Four spaces for each block; one space around operators, none around `^` and `..`; at most 100
  columns, longer lines are broken as `layout` says.
- At most one blank line in a row; exactly one before and after each declaration with a block
  (comments right above it belong to it); none at the beginning of a block.
- In a `claims` block the claims stand in one column, blank lines and comments separating groups;
  comments behind neighbouring lines stand in one column.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from gendsl.diagnostics.model import GendslError, Sink
from gendsl.source.text import SourceFile
from gendsl.syntax.layout import INDENT, Word, as_written, lay_out, words_of
from gendsl.syntax.lexer import LISTS, ONE_LINE, TAB, Comment, Lexed, Token
from gendsl.syntax.parse import parse_tokens


@dataclass
class Item:
    """A logical line, or a comment alone on its line (no words). `blank`: after a blank line."""

    level: int
    start: int
    words: list[Word] = field(default_factory=list)
    comments: list[Comment] = field(default_factory=list)
    blank: bool = False
    opens: bool = False
    head: str = ""
    pad: int = 0

    @property
    def trailing(self) -> str:
        """The comment behind the line, if it is the only one."""
        if not self.words or len(self.comments) != 1:
            return ""
        comment = self.comments[0]
        return comment.text if comment.start > self.words[-1].token.start else ""


def format_source(source: SourceFile) -> str:
    """The text in canonical layout; `GendslError` with the errors of a file that has some.

    Tabs in the indentation are mended, not refused."""
    sink = Sink()
    parsed = parse_tokens(source, sink)
    errors = [d for d in sink.sorted() if d.code != "E0102"]
    if errors:
        raise GendslError(*errors)
    items = _items(source, parsed.lexed, parsed.soft_names)
    _space(items)
    _align_claims(items)
    return "".join(f"{line}\n" for line in _align_comments(_write(source, items)))


# ---- reading -----------------------------------------------------------------------------


def _items(source: SourceFile, lexed: Lexed, soft_names: frozenset[int]) -> list[Item]:
    """Logical lines and comments in order, with the blank lines before them noted."""
    lines = list(_lines(lexed.tokens, soft_names))
    items: list[Item] = []
    comments = list(lexed.comments)
    columns = [0]
    for i, line in enumerate(lines):
        end = line.words[-1].token.end
        items += _own_lines(source, comments, line, columns)
        columns = [*columns[: line.level], _column(source, line.start)]
        last_row = source.position(end)[0]
        while comments and source.position(comments[0].start)[0] <= last_row:
            line.comments.append(comments.pop(0))
        line.opens = i + 1 < len(lines) and lines[i + 1].level > line.level
        items.append(line)
    after = Item(0, len(source.text))
    items += _own_lines(source, comments, after, columns)
    _note_blanks(source, items)
    return items


def _lines(tokens: list[Token], soft_names: frozenset[int]) -> Iterator[Item]:
    level, head = 0, ""
    line: list[Token] = []
    for token in tokens:
        if token.kind == "_NEWLINE":
            head = head if level else line[0].text
            words = words_of(line, soft_names)
            yield Item(level, line[0].start, words, head=head)
            line = []
        elif token.kind in ("_INDENT", "_DEDENT"):
            level += 1 if token.kind == "_INDENT" else -1
        elif token.text:
            line.append(token)


def _own_lines(
    source: SourceFile, comments: list[Comment], line: Item, columns: list[int]
) -> Iterator[Item]:
    """Items for the comments before `line`; `columns` are the indentations of the blocks that
    are open before it. A comment belongs to the innermost of them that it is indented like."""
    level = max(line.level, len(columns) - 1)
    while comments and comments[0].start < line.start:
        comment = comments.pop(0)
        column = _column(source, comment.start)
        while level > line.level and column < columns[level]:
            level -= 1
        yield Item(level, comment.start, [], [comment])


def _column(source: SourceFile, offset: int) -> int:
    row, column = source.position(offset)
    return len(source.line(row)[: column - 1].expandtabs(TAB))


def _note_blanks(source: SourceFile, items: list[Item]) -> None:
    row = 0
    for item in items:
        begins = source.position(item.start)[0]
        item.blank = begins > row + 1
        last = item.start
        if item.words:
            last = max(last, item.words[-1].token.start)
        row = source.position(last)[0]


# ---- spacing -----------------------------------------------------------------------------


def _space(items: list[Item]) -> None:
    """Decide the blank lines."""
    for i, item in enumerate(items):
        previous = items[i - 1] if i else None
        if previous is None or previous.level < item.level:
            item.blank = False
        elif item.level == 0 and previous.level > 0:
            item.blank = True
        elif item.level == 0 and item.opens:
            _blank_above(items, i)


def _blank_above(items: list[Item], i: int) -> None:
    """A blank line before a declaration and the comments that belong to it."""
    while i > 0 and not items[i].blank and not items[i - 1].words and items[i - 1].level == 0:
        i -= 1
    items[i].blank = i > 0


def _align_claims(items: list[Item]) -> None:
    """Give the claims of a group one column: `pad` is the width of the longest name."""
    group: list[Item] = []
    for item in [*items, Item(0, 0)]:
        is_claim = item.level == 1 and item.head == "claims" and bool(item.words)
        if not is_claim or item.blank:
            width = max((len(_claim_name(claim)) for claim in group), default=0)
            for claim in group:
                claim.pad = width
            group = []
        if is_claim:
            group.append(item)


def _claim_name(item: Item) -> str:
    """`name`, or `name as alias`."""
    return " ".join(word.text for word in item.words[: _name_words(item)])


def _name_words(item: Item) -> int:
    """How many words stand before the colon of a claim."""
    return 3 if len(item.words) > 3 and item.words[1].text == "as" else 1


# ---- writing -----------------------------------------------------------------------------


@dataclass(frozen=True)
class Written:
    """Physical lines of an item; `note` is the comment that is to stand behind the last one."""

    lines: tuple[str, ...]
    note: str
    level: int
    blank: bool


def _write(source: SourceFile, items: list[Item]) -> Iterator[Written]:
    for item in items:
        margin = INDENT * item.level
        if not item.words:
            lines = [item.comments[0].text]
        elif item.comments and not item.trailing:
            lines = _written_with_comments(source, item, margin)
        else:
            lines = _written(item, margin)
        placed = (" " * margin + lines[0], *lines[1:])
        yield Written(placed, item.trailing, item.level, item.blank)


def _written(item: Item, margin: int) -> list[str]:
    one_line = item.level == 0 and item.head in ONE_LINE
    continues = one_line or (item.level == 1 and item.head in LISTS)
    if not item.pad:
        return lay_out(item.words, margin, margin, continues=continues)
    name = f"{_claim_name(item)}:".ljust(item.pad + 2)
    lines = lay_out(item.words[_name_words(item) + 1 :], margin, margin + len(name), continues=True)
    return [name + lines[0], *lines[1:]]


def _written_with_comments(source: SourceFile, item: Item, margin: int) -> list[str]:
    places = [word.token.start for word in item.words] + [c.start for c in item.comments]
    rows = [source.position(place)[0] for place in places]
    if not item.pad:
        return as_written(item.words, item.comments, margin, rows)
    lines = as_written(
        item.words[_name_words(item) + 1 :], item.comments, margin, rows[_name_words(item) + 1 :]
    )
    return [f"{_claim_name(item)}:".ljust(item.pad + 2) + lines[0], *lines[1:]]


def _align_comments(written: Iterator[Written]) -> Iterator[str]:
    """The lines of the file; comments behind neighbouring lines of one block share a column."""
    run: list[Written] = []
    for item in written:
        joins = item.note and len(item.lines) == 1 and not item.blank
        if run and not (joins and item.level == run[0].level):
            yield from _noted(run)
            run = []
        if item.blank:
            yield ""
        if item.note and len(item.lines) == 1:
            run.append(item)
        else:
            yield from _noted([item]) if item.note else item.lines
    yield from _noted(run)


def _noted(run: list[Written]) -> Iterator[str]:
    width = max((len(item.lines[-1]) for item in run), default=0)
    for item in run:
        yield from item.lines[:-1]
        yield f"{item.lines[-1].ljust(width)}  {item.note}"
