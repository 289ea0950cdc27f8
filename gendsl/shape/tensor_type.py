"""Tensor types of the language: labelled axes, element types, ranges.

`TensorType` is what the checker reasons about. Its axes are *items*: an `Axis` (label, size,
optional row-major factors, as in `(C H W)`) or a `Spread` (`..b`: zero or more leading axes,
rigid inside a polymorphic body). The graph's node types (`gendsl.ir.graph.NodeType`) have
neither labels nor spreads.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction

from gendsl.shape.dim import Dim


@dataclass(frozen=True)
class Factor:
    """One factor of a flattened axis: `(h p: P)` has factors h and p."""

    label: str
    size: Dim

    def __str__(self) -> str:
        return self.label if self.label == str(self.size) else f"{self.label}: {self.size}"


@dataclass(frozen=True)
class Axis:
    """One axis. `factors` is empty unless the axis was written as a group `(C H W)`."""

    label: str
    size: Dim
    factors: tuple[Factor, ...] = ()

    def __str__(self) -> str:
        text = str(self.size)
        if self.factors:
            text = "(" + " ".join(str(f) for f in self.factors) + ")"
        plain = self.label in (text, str(self.size))
        return text if plain else f"{self.label}: {text}"


@dataclass(frozen=True)
class Spread:
    """`..b`: the leading axes that a polymorphic body does not look at."""

    name: str

    @property
    def label(self) -> str:
        return f"..{self.name}"

    def __str__(self) -> str:
        return self.label


Item = Axis | Spread


@dataclass(frozen=True)
class Real:
    def __str__(self) -> str:
        return "real"


@dataclass(frozen=True)
class Fin:
    """An index: 0 <= value < bound."""

    bound: Dim

    def __str__(self) -> str:
        return f"fin[{self.bound}]"


@dataclass(frozen=True)
class Bool:
    def __str__(self) -> str:
        return "bool"


Elem = Real | Fin | Bool


@dataclass(frozen=True)
class Range:
    """Closed interval of reals; None is unbounded on that side."""

    low: Fraction | None
    high: Fraction | None

    def holds(self, value: Fraction) -> bool:
        """Whether a number lies in it."""
        below = self.low is not None and value < self.low
        return not below and (self.high is None or value <= self.high)

    def __str__(self) -> str:
        low = "-inf" if self.low is None else str(self.low)
        return f"{low}..{'inf' if self.high is None else self.high}"


@dataclass(frozen=True)
class TensorType:
    """Items, element type, and a declared or inferred range (reals only; not part of equality)."""

    items: tuple[Item, ...] = ()
    elem: Elem = Real()
    range: Range | None = field(default=None, compare=False)

    @property
    def labels(self) -> tuple[str, ...]:
        return tuple(item.label for item in self.items)

    def __str__(self) -> str:
        shape = "[" + ", ".join(str(item) for item in self.items) + "]" if self.items else ""
        match self.elem:
            case Real():
                return shape or "real"
            case _:
                return f"{shape} of {self.elem}" if shape else str(self.elem)


REAL = TensorType()
