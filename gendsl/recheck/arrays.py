"""Arrays of high-precision numbers, and numbers that carry a derivative.

An `Array` is a shape and its entries in row-major order: mpmath reals or `Dual`s for reals, Python
ints for indices, bools for truth values. `Undefined` is raised where a real function has no value;
nothing here follows a convention such as 1/0 = 0.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

from mpmath import mp, mpf

mp.dps = 60
TINY = mpf(10) ** -40


class Undefined(Exception):
    """A point where a term has no value."""


@dataclass(frozen=True)
class Dual:
    """A value and its derivative along one direction."""

    v: Any
    d: Any

    def __add__(self, other: Any) -> Dual:
        o = dual(other)
        return Dual(self.v + o.v, self.d + o.d)

    def __sub__(self, other: Any) -> Dual:
        o = dual(other)
        return Dual(self.v - o.v, self.d - o.d)

    def __mul__(self, other: Any) -> Dual:
        o = dual(other)
        return Dual(self.v * o.v, self.v * o.d + self.d * o.v)

    def __neg__(self) -> Dual:
        return Dual(-self.v, -self.d)

    __radd__ = __add__
    __rmul__ = __mul__

    def __rsub__(self, other: Any) -> Dual:
        return dual(other) - self


def dual(x: Any) -> Dual:
    return x if isinstance(x, Dual) else Dual(x, mpf(0))


def plain(x: Any) -> Any:
    """The value without its derivative."""
    return x.v if isinstance(x, Dual) else x


@dataclass(frozen=True)
class Array:
    shape: tuple[int, ...]
    entries: list[Any]

    def __post_init__(self) -> None:
        if prod(self.shape) != len(self.entries):
            raise Undefined(f"{len(self.entries)} entries for shape {self.shape}")

    def at(self, index: Sequence[int]) -> Any:
        return self.entries[flat(index, self.shape)]

    def map(self, f: Callable[..., Any], *others: Array) -> Array:
        if any(o.shape != self.shape for o in others):
            raise Undefined("shapes differ")
        rows = zip(self.entries, *(o.entries for o in others), strict=True)
        return Array(self.shape, [f(*row) for row in rows])


def flat(index: Sequence[int], shape: Sequence[int]) -> int:
    total = 0
    for i, n in zip(index, shape, strict=True):
        if not 0 <= i < n:
            raise Undefined(f"index {tuple(index)} outside of {tuple(shape)}")
        total = total * n + i
    return total


def places(shape: Sequence[int]) -> Iterator[tuple[int, ...]]:
    """All indices, row-major."""
    return itertools.product(*(range(n) for n in shape))


def tabulate(shape: Sequence[int], f: Callable[[tuple[int, ...]], Any]) -> Array:
    return Array(tuple(shape), [f(i) for i in places(shape)])


def scalar(x: Any) -> Array:
    return Array((), [x])
