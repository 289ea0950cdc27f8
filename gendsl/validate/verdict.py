"""Verdicts of translation validation, and how they are shown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

# "not proved": the normal forms differ, or a check fails; "unknown": something has no model.
PROVED, DIFFERS, UNKNOWN = "proved", "not proved", "unknown"


@dataclass(frozen=True)
class Finding:
    """One statement, store or check: `place` is a line of the text, `what` the value it makes."""

    what: str
    status: str
    line: int
    reason: str = ""

    def data(self) -> dict[str, Any]:
        return {"what": self.what, "status": self.status, "line": self.line, "reason": self.reason}


@dataclass(frozen=True)
class Kernel:
    """A unit of emitted text (a Triton task, or a torch function) with its findings."""

    name: str
    findings: tuple[Finding, ...]

    @property
    def status(self) -> str:
        """The worst of the findings; unknown without any."""
        found = {f.status for f in self.findings}
        if DIFFERS in found:
            return DIFFERS
        return UNKNOWN if UNKNOWN in found or not found else PROVED

    def lines(self, width: int = 0) -> list[str]:
        """The verdict, and the reasons where it is not proved; names take `width` columns."""
        rows = [f"  {self.status:10} {self.name:{width}}  {len(self.findings)} checks"]
        rows += [
            f"           line {f.line}: {f.what}: {f.status}: {f.reason}"
            for f in self.findings
            if f.status != PROVED
        ]
        return rows


@dataclass(frozen=True)
class Validation:
    """All kernels of one emitted text. `scope` says for which sizes, `trusted` what is assumed."""

    title: str
    scope: str
    kernels: tuple[Kernel, ...]
    notes: Sequence[str] = ()

    @property
    def proved(self) -> int:
        return sum(k.status == PROVED for k in self.kernels)

    @property
    def status(self) -> str:
        found = {k.status for k in self.kernels}
        if DIFFERS in found:
            return DIFFERS
        return UNKNOWN if UNKNOWN in found or not found else PROVED

    def data(self) -> dict[str, Any]:
        return {
            "title": self.title,
            "scope": self.scope,
            "status": self.status,
            "proved": self.proved,
            "kernels": [
                {"name": k.name, "status": k.status, "findings": [f.data() for f in k.findings]}
                for k in self.kernels
            ],
            "notes": list(self.notes),
        }

    def text(self, *, kernels: bool = True) -> str:
        """One line per kernel, and the reasons of those that are not proved; without `kernels` only
        how many are."""
        rows = [f"{self.title}: {self.proved} of {len(self.kernels)} proved {self.scope}"]
        width = max((len(k.name) for k in self.kernels), default=0)
        if kernels:
            rows += [line for k in self.kernels for line in k.lines(width)]
        rows += [f"  note: {note}" for note in self.notes]
        return "\n".join(rows) + "\n"
