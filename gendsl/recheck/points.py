"""Points: sizes, and a value for every leaf entry, made when it is first asked for.

In: a seed, sizes, a mode, declared ranges. Out: values that depend on nothing but these and the
name and index of the entry, so that a term and a graph node that read the same leaf agree.

The modes differ in where reals lie, so that some points meet order hypotheses (`0 < a < 1`) and
some meet equations (`constants`, `bits`: all entries of a leaf are one number).
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Any

from mpmath import mpf

from .arrays import Array, Undefined, tabulate
from .node_text import Type
from .sizes import Size

MODES = ("wide", "unit", "positive", "constants", "bits", "zero")
Range = tuple[Fraction | None, Fraction | None]


@dataclass
class Point:
    """`fixed` are whole leaves whose values were set; `bounds` limit index leaves."""

    seed: int
    sizes: Mapping[str, int]
    mode: str
    ranges: Mapping[str, Range] = field(default_factory=dict)
    bounds: Mapping[str, tuple[Size | None, Size | None]] = field(default_factory=dict)
    fixed: dict[str, Array] = field(default_factory=dict)

    def _random(self, *key: object) -> random.Random:
        return random.Random(f"{self.seed}|{key}")

    def real(self, name: str, at: Sequence[int]) -> Any:
        set_ = self.fixed.get(name)
        if set_ is not None:
            return set_.at(at)
        low, high = self.ranges.get(name, (None, None))
        value = self._real(name, tuple(at))
        if low is not None and high is not None:
            value = low + (high - low) * (value if 0 <= value <= 1 else value % 1)
        elif low is not None:
            value = low + abs(value)
        elif high is not None:
            value = high - abs(value)
        return mpf(value.numerator) / mpf(value.denominator)

    def _real(self, name: str, at: tuple[int, ...]) -> Fraction:
        r = self._random(name, at)
        match self.mode:
            case "wide":
                return Fraction(r.randint(-2000, 2000), 1000)
            case "unit":
                return Fraction(r.randint(10, 990), 1000)
            case "positive":
                return Fraction(r.randint(200, 3000), 1000)
            case "zero":
                return Fraction(0)
            case "bits":
                return Fraction(self._random(name).choice([0, 1]))
            case _:
                return Fraction(self._random(name).choice([0, 0, 1, 2, 2, 4]), 2)

    def index(self, name: str, at: Sequence[int], bound: int) -> int:
        set_ = self.fixed.get(name)
        if set_ is not None:
            return int(set_.at(at))
        low, high = self.bounds.get(name, (None, None))
        first = 0 if low is None else low.count(self.sizes)
        last = bound - 1 if high is None else min(high.count(self.sizes), bound - 1)
        if first > last:
            raise Undefined("no index lies between the bounds")
        return self._random("index", name, tuple(at)).randint(first, last)

    def truth(self, name: str, at: Sequence[int]) -> bool:
        set_ = self.fixed.get(name)
        if set_ is not None:
            return bool(set_.at(at))
        return self._random("truth", name, tuple(at)).random() < 0.5

    def array(
        self, name: str, type_: Type, shape: tuple[int, ...], extra: tuple[int, ...]
    ) -> Array:
        """The value of a leaf. Uniform draws lie in (0, 1)."""
        if type_.elem == "bool":
            return tabulate(shape, lambda i: self.truth(name, (*i, *extra)))
        if type_.bound is not None:
            bound = type_.bound.count(self.sizes)
            return tabulate(shape, lambda i: self.index(name, (*i, *extra), bound))
        return tabulate(shape, lambda i: self.real(name, (*i, *extra)))

    def with_fixed(self, name: str, value: Array) -> Point:
        return replace(self, fixed={**self.fixed, name: value})
