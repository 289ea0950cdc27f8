"""Source files and spans.

A `Span` is a half-open range of character offsets in one file; every token, AST node, core node
and diagnostic carries one. Line and column (both 1-based) are computed on demand by `SourceFile`.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, field
from functools import cached_property


@dataclass(frozen=True, slots=True)
class Span:
    """Characters `start <= i < end` of the file at `path` (as the user wrote the path)."""

    path: str
    start: int
    end: int

    def to(self, other: Span) -> Span:
        """The smallest span covering both (same file)."""
        return Span(self.path, min(self.start, other.start), max(self.end, other.end))


NOWHERE = Span("<builtin>", 0, 0)


@dataclass(frozen=True)
class SourceFile:
    """One file's text. `path` is what diagnostics print."""

    path: str
    text: str = field(repr=False)

    @cached_property
    def _line_starts(self) -> list[int]:
        return [0] + [i + 1 for i, ch in enumerate(self.text) if ch == "\n"]

    def position(self, offset: int) -> tuple[int, int]:
        """(line, column), both from 1, of a character offset."""
        row = bisect_right(self._line_starts, offset) - 1
        return row + 1, offset - self._line_starts[row] + 1

    def line(self, number: int) -> str:
        """The text of line `number` (from 1) without its newline."""
        lines = self.text.split("\n")
        return lines[number - 1] if 0 < number <= len(lines) else ""
