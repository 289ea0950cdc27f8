"""Sizes: signed terms of integer factors, names and divisors, as certificates write them.

In: text such as `H*W / 4 + 1`. Out: a `Size`, which can be evaluated exactly. Nothing here is
shared with the prover: the same notation, read again.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction

_TOKEN = re.compile(r"\s*(\d+|[^\W\d]\w*|[*/^+-])")


class Malformed(Exception):
    """A certificate that is not of the form it should have."""


@dataclass(frozen=True)
class Size:
    """A sum of coefficient times powers of names."""

    terms: tuple[tuple[Fraction, tuple[tuple[str, int], ...]], ...]

    def value(self, sizes: Mapping[str, int]) -> Fraction:
        total = Fraction(0)
        for coefficient, powers in self.terms:
            product = coefficient
            for name, exponent in powers:
                if name not in sizes:
                    raise Misfit(f"no size {name}")
                product *= Fraction(sizes[name]) ** exponent
            total += product
        return total

    def count(self, sizes: Mapping[str, int]) -> int:
        """The value as a number of things; raises `Misfit` where it is none."""
        value = self.value(sizes)
        if value.denominator != 1 or value < 0:
            raise Misfit(f"{self} is {value}")
        return int(value)

    @property
    def names(self) -> set[str]:
        return {name for _, powers in self.terms for name, _ in powers}

    @property
    def number(self) -> Fraction | None:
        """The value, when no name occurs."""
        return self.value({}) if not self.names else None


class Misfit(Exception):
    """Sizes for which some shape is not a whole number."""


def read_size(text: str) -> Size:
    """A size from text, all of it."""
    tokens = _TOKEN.findall(text)
    if "".join(tokens) != re.sub(r"\s", "", text) or not tokens:
        raise Malformed(f"no size: {text!r}")
    terms: list[tuple[Fraction, tuple[tuple[str, int], ...]]] = []
    at, sign = 0, 1
    if tokens[0] == "-":
        at, sign = 1, -1
    while True:
        coefficient, powers = Fraction(sign), dict[str, int]()
        divide = False
        while True:
            at, base, exponent = _factor(tokens, at)
            exponent = -exponent if divide else exponent
            if base.isdigit():
                coefficient *= Fraction(int(base)) ** exponent
            else:
                powers[base] = powers.get(base, 0) + exponent
            if at < len(tokens) and tokens[at] in "*/":
                divide, at = tokens[at] == "/", at + 1
                continue
            break
        terms.append((coefficient, tuple(sorted((n, e) for n, e in powers.items() if e))))
        if at == len(tokens):
            return Size(tuple(terms))
        if tokens[at] not in "+-":
            raise Malformed(f"no size: {text!r}")
        at, sign = at + 1, 1 if tokens[at] == "+" else -1


def _factor(tokens: list[str], at: int) -> tuple[int, str, int]:
    if at >= len(tokens) or tokens[at] in "*/^+-":
        raise Malformed("a size ends early")
    base, exponent = tokens[at], 1
    at += 1
    if at + 1 < len(tokens) and tokens[at] == "^":
        exponent, at = int(tokens[at + 1]), at + 2
    return at, base, exponent
