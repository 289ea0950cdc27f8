"""Terms at random points, in floating point: to give up early on what is false, and to test.

In: polynomials. Out: floats. Sizes are small, variables get random values of their declared sign,
opaque functions get values from a hash of their arguments. Nothing here decides a verdict.
"""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from gendsl.prove.kernel.normal import size_of
from gendsl.prove.kernel.rules import Prop
from gendsl.prove.kernel.term import Atom, Mono, Poly

TOLERANCE = 1e-9
WORK = 4000  # atoms to evaluate for one value of one polynomial


class Undefined(Exception):
    """A term outside of its domain at this point."""


class Point:
    """Random sizes and values, made on demand and then fixed."""

    def __init__(self, seed: int, sizes: Mapping[str, int] | None = None) -> None:
        self.random = random.Random(seed)
        self.sizes: dict[str, int] = dict(sizes or {})
        self.values: dict[tuple[Any, ...], float] = {}
        self.work = 0
        self.span = self.random.choice((0.0, 0.3, 1.0, 2.0))  # 0: values in (0, 1)

    # ---- polynomials ----------------------------------------------------------------------
    def value(self, p: Poly, at: Mapping[Atom, int]) -> float:
        """The value, unless that takes too much work."""
        self.work = WORK
        return self.poly(p, at)

    def poly(self, p: Poly, at: Mapping[Atom, int]) -> float:
        return math.fsum(float(c) * self._mono(m, at) for m, c in p.terms.items())

    def _mono(self, m: Mono, at: Mapping[Atom, int]) -> float:
        result = 1.0
        for a, k in m:
            base = self._atom(a, at)
            if (base == 0 and k < 0) or (base < 0 and k.denominator != 1):
                raise Undefined
            try:
                result *= base ** float(k) if k.denominator != 1 else base ** int(k)
            except OverflowError as problem:
                raise Undefined from problem
        return result

    def _atom(self, a: Atom, at: Mapping[Atom, int]) -> float:
        args = a.args
        self.work -= 1
        if self.work == 0:
            raise Undefined
        match a.kind:
            case "var":
                return self._value(("var", args[0], *(self.index(i, at) for i in args[1])), args[2])
            case "bool":
                key = ("bool", args[0], *(self.index(i, at) for i in args[1]))
                return float(self._value(key, "+") > max(self.span, 1.0) / 2)
            case "dim":
                return float(self.size(args[0]))
            case "S":
                return math.fsum(
                    self._mono(args[1], {**at, **b}) for b in self.entries(args[0], at)
                )
            case "d":
                return float(self.index(args[0], at) == self.index(args[1], at))
            case "ixval":
                return float(self.index(args[0], at))
            case "pi":
                return math.pi
            case "fn":
                key = ("fn", args[0], *(self.index(i, at) for i in args[1]))
                return self._value((*key, *(self._lam(x, at) for x in args[2])), "")
            case "un":
                return _named(args[0], self.poly(args[1], at))
            case _:
                return _unary(a.kind, self.poly(args[0], at))

    def _lam(self, a: Atom, at: Mapping[Atom, int]) -> tuple[float, ...]:
        rows = self.entries(a.args[0], at)
        return tuple(round(self.poly(a.args[1], {**at, **b}), 9) for b in rows)

    def _value(self, key: tuple[Any, ...], sign: str) -> float:
        if key not in self.values:
            v = self.random.gauss(0, self.span) if self.span else self.random.random()
            self.values[key] = abs(v) + (1e-3 if sign == "+" else 0) if sign else v
        return self.values[key]

    # ---- sizes and indices ----------------------------------------------------------------
    def size(self, name: str) -> int:
        if name not in self.sizes:
            self.sizes[name] = self.random.choice((1, 2, 2, 3))
        return self.sizes[name]

    def extent(self, p: Poly) -> int:
        v = self.poly(p, {})
        if abs(v - round(v)) > 1e-9 or v < 1:
            raise Undefined
        return round(v)

    def entries(self, binders: Sequence[Atom], at: Mapping[Atom, int]) -> Iterator[dict[Atom, int]]:
        """All values of index variables."""
        extents = [range(self.extent(size_of(b))) for b in binders]
        if math.prod(len(x) for x in extents) > 20000:
            raise Undefined
        for row in itertools.product(*extents):
            yield dict(zip(binders, row, strict=True))

    def index(self, i: Atom, at: Mapping[Atom, int]) -> int:
        args = i.args
        match i.kind:
            case "i":
                return at[i]
            case "ic":
                return round(self.poly(args[0], at))
            case "mix":
                flat = 0
                for x, s in zip(args[0], args[1], strict=True):
                    flat = flat * self.extent(s) + self.index(x, at)
                return flat
            case "shift":
                return self.index(args[0], at) + round(self.poly(args[1], {}))
            case "part":
                return self.index(args[0], at) // self.extent(args[1]) % self.extent(args[2])
            case _:
                return self._opaque_index(i, at)

    def _opaque_index(self, i: Atom, at: Mapping[Atom, int]) -> int:
        name, args, size = i.args
        extent = self.extent(size)
        if name in ("argmin", "argmax"):
            row = self._lam(args[0], at)
            return row.index(min(row) if name == "argmin" else max(row))
        if name.startswith("affine:"):
            raise Undefined
        key = tuple(self._lam(x, at) if x.kind == "lam" else self.index(x, at) for x in args)
        return int(abs(self._value(("ix", name, *key), "")) * 1000) % extent

    # ---- propositions ---------------------------------------------------------------------
    def holds(self, h: Prop) -> bool:
        """Whether a proposition holds here (up to rounding)."""
        free = [i for i in h.poly.free if i not in h.binders]
        rows = self.entries([*h.binders, *free], {})
        return all(_compare(h.rel, self.value(h.poly, b)) for b in rows)


def _compare(rel: str, v: float) -> bool:
    match rel:
        case "eq":
            return abs(v) <= TOLERANCE
        case "ne":
            return abs(v) > TOLERANCE
        case "ge":
            return v >= -TOLERANCE
        case _:
            return v > 0


def _unary(kind: str, x: float) -> float:
    match kind:
        case "exp":
            if x > 300:
                raise Undefined
            return math.exp(x)
        case "log":
            if x <= 0:
                raise Undefined
            return math.log(x)
        case "relu":
            return max(x, 0.0)
        case "ge0":
            return float(x >= 0)
        case "eq0":
            return float(abs(x) <= 1e-12)
        case _:  # "P", the base of a power
            return x


def _named(name: str, x: float) -> float:
    functions = {"erf": math.erf, "sin": math.sin, "cos": math.cos, "floor": math.floor}
    return float(functions[name](x))
