"""What a diagnostic is, and the sink that collects them.

A stage reports problems to a `Sink` and goes on; it never prints. Codes are stable (`E0401`,
`W0801`), described once in `catalog.py`, and rendered (text, one-line, JSON) by `render.py`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum

from gendsl.source.text import Span


class Severity(Enum):
    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True)
class Label:
    """A place in the source and what is to be said about it."""

    span: Span
    text: str


@dataclass(frozen=True)
class Diagnostic:
    """One problem: `primary` is where it is; `labels` show related places; `help` is the fix.

    `primary` is None only for problems that have no place in a program (files, data, flags).
    """

    code: str
    message: str
    primary: Label | None = None
    labels: tuple[Label, ...] = ()
    notes: tuple[str, ...] = ()
    help: str | None = None

    @property
    def severity(self) -> Severity:
        return Severity.WARNING if self.code.startswith("W") else Severity.ERROR

    @property
    def sort_key(self) -> tuple[str, int, str, str]:
        span = self.primary.span if self.primary else None
        return (span.path if span else "", span.start if span else -1, self.code, self.message)


@dataclass
class Sink:
    """Collects diagnostics; duplicates (same code, place and message) are kept once."""

    _items: dict[Diagnostic, None] = field(default_factory=dict)

    def report(self, diagnostic: Diagnostic) -> None:
        self._items.setdefault(diagnostic, None)

    def error(
        self,
        code: str,
        message: str,
        span: Span | None = None,
        text: str = "",
        *,
        labels: tuple[Label, ...] = (),
        notes: tuple[str, ...] = (),
        help: str | None = None,
    ) -> None:
        """Report with the primary label `text` at `span`."""
        primary = Label(span, text) if span is not None else None
        self.report(Diagnostic(code, message, primary, labels, notes, help))

    @property
    def error_count(self) -> int:
        return sum(d.severity is Severity.ERROR for d in self._items)

    @property
    def has_errors(self) -> bool:
        return self.error_count > 0

    def sorted(self) -> tuple[Diagnostic, ...]:
        return tuple(sorted(self._items, key=lambda d: d.sort_key))


class GendslError(Exception):
    """Raised where a stage cannot go on (files, data, run folders): carries its diagnostics.

    The command line renders them and exits with code 1; it is never shown as a traceback.
    """

    def __init__(self, *diagnostics: Diagnostic) -> None:
        super().__init__("; ".join(f"{d.code}: {d.message}" for d in diagnostics))
        self.diagnostics = diagnostics


def fail(
    code: str, message: str, *, help: str | None = None, notes: tuple[str, ...] = ()
) -> GendslError:
    """A `GendslError` without a place in a program; use as `raise fail("E1001", ...)`."""
    return GendslError(Diagnostic(code, message, notes=notes, help=help))
