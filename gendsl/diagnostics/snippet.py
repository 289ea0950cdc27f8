"""Excerpts of source lines with marks under them.

In: the labels of one diagnostic in one file. Out: painted lines for the right of the gutter, by
line number. Columns are columns of the terminal: tabs are expanded, wide characters count two. A
span over several lines becomes one mark on each of them, its text under the last; the middle of a
long one is left out. Lines wider than the style allows are clipped around their marks.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from gendsl.diagnostics.model import Label
from gendsl.diagnostics.style import Style, glyph
from gendsl.source.text import SourceFile

_TAB = 4
_SHOWN_ENDS = 2  # of a long span, so many lines at each end
_MIN_WIDTH = 40
_CONTEXT = 8


@dataclass(frozen=True)
class Mark:
    """Columns `start <= c < end` of one line, and the text to show there ("" for none)."""

    start: int
    end: int
    text: str
    primary: bool


@dataclass(frozen=True)
class Cell:
    """One printed character of a line and where it starts."""

    text: str
    column: int
    width: int


@dataclass(frozen=True)
class Excerpt:
    """A source line, or (number None) the sign that lines were left out; rows of marks below."""

    number: int | None
    text: str
    rows: tuple[str, ...] = ()


def excerpts(
    source: SourceFile, labels: Sequence[tuple[Label, bool]], style: Style, mark_role: str
) -> list[Excerpt]:
    """Lines of `source` that the labels touch, in order; each label comes with "is primary"."""
    marks: dict[int, list[Mark]] = {}
    gaps: list[range] = []
    for label, primary in labels:
        _spread(source, label, primary, marks, gaps)
    shown: list[Excerpt] = []
    before = 0
    for number in sorted(marks):
        if any(before < line < number for gap in gaps for line in (gap.start, gap[-1])):
            shown.append(Excerpt(None, ""))
        line = source.line(number)
        shown.append(_excerpt(number, line, marks[number], style, mark_role))
        before = number
    return shown


def _spread(
    source: SourceFile,
    label: Label,
    primary: bool,
    marks: dict[int, list[Mark]],
    gaps: list[range],
) -> None:
    """Enter one label's marks; `gaps` gets the lines left out of a long span."""
    first, start = source.position(label.span.start)
    last, end = source.position(label.span.end)
    if last > first and end == 1:  # the span ends with a newline: the next line is not part of it
        last, end = last - 1, len(source.line(last - 1)) + 1
    gap = range(first + _SHOWN_ENDS, last - _SHOWN_ENDS + 1)
    if len(gap) > 1:  # the sign would take as much room as one line
        gaps.append(gap)
    for number in range(first, last + 1):
        if len(gap) > 1 and number in gap:
            continue
        line = source.line(number)
        low = start - 1 if number == first else len(line) - len(line.lstrip())
        high = end - 1 if number == last else len(line.rstrip())
        if high <= low and number != last and first != last:
            continue  # a blank line inside the span
        text = label.text if number == last else ""
        marks.setdefault(number, []).append(_mark(line, low, high, text, primary))


def _mark(line: str, low: int, high: int, text: str, primary: bool) -> Mark:
    """The mark under characters `low..high` of a line; at least one column wide."""
    cells = _cells(line)
    ends = [c.column for c in cells] + [cells[-1].column + cells[-1].width if cells else 0]
    start = ends[min(low, len(cells))]
    return Mark(start, max(ends[min(high, len(cells))], start + 1), text, primary)


def _cells(line: str) -> list[Cell]:
    """One cell for each character."""
    cells: list[Cell] = []
    column = 0
    for ch in line:
        if ch == "\t":
            width = _TAB - column % _TAB
            text = " " * width
        else:
            text, width = glyph(ch)
        cells.append(Cell(text, column, width))
        column += width
    return cells


def _excerpt(number: int, line: str, marks: list[Mark], style: Style, mark_role: str) -> Excerpt:
    cells = _cells(line.rstrip())
    text, marks = _clip(cells, marks, max(_MIN_WIDTH, style.width - 8))
    return Excerpt(number, text, tuple(_rows(marks, style, mark_role)))


def _clip(cells: list[Cell], marks: list[Mark], room: int) -> tuple[str, list[Mark]]:
    """The text of a line cut to `room` columns around its marks, and the marks moved with it."""
    width = cells[-1].column + cells[-1].width if cells else 0
    if width <= room:
        return "".join(c.text for c in cells), marks
    low = _window(marks, room, width)
    high = width if low + room - 1 >= width else low + room - 1 - (low > 0)
    kept = [c for c in cells if c.column >= low and c.column + c.width <= high]
    lead, tail = "…" * (low > 0), "…" * (high < width)
    shift = len(lead) - (kept[0].column if kept else low)
    limit = high + shift + (high == width)

    def move(mark: Mark) -> Mark:
        start = min(max(mark.start + shift, 0), limit - 1)
        return replace(mark, start=start, end=max(start + 1, min(mark.end + shift, limit)))

    return lead + "".join(c.text for c in kept) + tail, [move(m) for m in marks]


def _window(marks: list[Mark], room: int, width: int) -> int:
    """The first column to show of a line that is too wide: all marks if they fit, else the first
    primary one, with some context to the left; as much as fits when that is near an end."""
    focus = min((m for m in marks if m.primary), default=min(marks, key=_start), key=_start)
    low = min(m.start for m in marks) - _CONTEXT
    if max(m.end for m in marks) - low > room - 2:
        low = focus.start - _CONTEXT
    return 0 if low <= _CONTEXT else min(low, width - (room - 1))


def _start(mark: Mark) -> int:
    return mark.start


def _rows(marks: list[Mark], style: Style, mark_role: str) -> list[str]:
    """The rows under a line: underlines with the last mark's text, then hanging texts."""
    ordered = sorted(marks, key=lambda m: (m.start, m.end))
    inline = _inline(ordered)
    canvas = _Canvas(style)
    # A mark inside of another stays visible; of two at one place the primary one is.
    for mark in sorted(ordered, key=lambda m: (m.start - m.end, m.primary)):
        sign, role = ("^", mark_role) if mark.primary else ("-", "secondary")
        canvas.put(mark.start, sign * (mark.end - mark.start), role)
    if inline is not None:
        canvas.put(inline.end + 1, inline.text, _role(inline, mark_role))
    rows = [canvas.text()]
    hanging = [m for m in ordered if m.text and m is not inline]
    if hanging:
        rows.append(_stems(hanging, style, mark_role).text())
    while hanging:
        mark = hanging.pop()
        canvas = _stems([m for m in hanging if m.start < mark.start], style, mark_role)
        for line in mark.text.split("\n"):
            canvas.put(mark.start, line, _role(mark, mark_role))
            rows.append(canvas.text())
    return rows


def _inline(ordered: list[Mark]) -> Mark | None:
    """The mark whose text can stand right of all underlines, on their row."""
    end = max(m.end for m in ordered)
    fits = [m for m in ordered if m.text and m.end == end and "\n" not in m.text]
    return fits[-1] if fits else None


def _role(mark: Mark, mark_role: str) -> str:
    return mark_role if mark.primary else "secondary"


def _stems(marks: list[Mark], style: Style, mark_role: str) -> _Canvas:
    canvas = _Canvas(style)
    for mark in marks:
        canvas.put(mark.start, "|", _role(mark, mark_role))
    return canvas


class _Canvas:
    """One row: text put at columns, later over earlier, painted in runs."""

    def __init__(self, style: Style) -> None:
        self._style = style
        self._cells: dict[int, tuple[str, str]] = {}

    def put(self, column: int, text: str, role: str) -> None:
        for c in [c for c in self._cells if c > column and len(text) > 1 and text[0] not in "^-"]:
            del self._cells[c]  # a text clears what is right of it
        for ch in text:
            self._cells[column] = (ch, role)
            column += max(1, glyph(ch)[1])

    def text(self) -> str:
        out, run, role, column = [], "", "", 0
        for place in sorted(self._cells):
            ch, its = self._cells[place]
            gap = " " * (place - column)
            if its != role:
                out.append(self._style.paint(run, role))
                run, role = "", its
                out.append(gap)
            else:
                run += gap
            run += ch
            column = place + max(1, glyph(ch)[1])
        out.append(self._style.paint(run, role))
        return "".join(out)
