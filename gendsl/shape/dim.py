"""Sizes as exact symbolic expressions.

A `Dim` is a Laurent polynomial with rational coefficients over named sizes, kept in normal form,
so that two sizes are equal for *all* values of the names exactly when the objects are equal:
`2*Z`, `H*W`, `T + 1`, `H / 4` (coefficient 1/4), `H / P` (exponent -1). Division is exact by
meaning: whoever writes `H / 4` owes the condition `4 | H`, which the checker records separately
(`divisibility` says what has to hold). Names denote integers >= 1.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property

# A monomial is a sorted tuple of (name, nonzero exponent).
Monomial = tuple[tuple[str, int], ...]


def _monomial_product(a: Monomial, b: Monomial) -> Monomial:
    powers = dict(a)
    for name, exponent in b:
        powers[name] = powers.get(name, 0) + exponent
    return tuple(sorted((n, e) for n, e in powers.items() if e))


@dataclass(frozen=True)
class Dim:
    """A size. Build with `Dim.of`, `Dim.name` and arithmetic; never by the constructor."""

    terms: tuple[tuple[Monomial, Fraction], ...]

    def __hash__(self) -> int:
        return self._hash

    @cached_property
    def _hash(self) -> int:
        return hash(tuple((m, c.numerator, c.denominator) for m, c in self.terms))

    # -- construction -----------------------------------------------------------------------
    @staticmethod
    def _normal(terms: Iterable[tuple[Monomial, Fraction]]) -> Dim:
        total: dict[Monomial, Fraction] = {}
        for monomial, coefficient in terms:
            total[monomial] = total.get(monomial, Fraction(0)) + coefficient
        kept = ((m, c) for m, c in total.items() if c)
        return Dim(tuple(sorted(kept, key=lambda item: (_order(item[0]), item[0]))))

    @staticmethod
    def of(value: int | Fraction | Dim) -> Dim:
        if isinstance(value, Dim):
            return value
        return Dim._normal([((), Fraction(value))])

    @staticmethod
    def name(name: str) -> Dim:
        return Dim(((((name, 1),), Fraction(1)),))

    @staticmethod
    def product(factors: Iterable[Dim]) -> Dim:
        result = ONE
        for factor in factors:
            result = result * factor
        return result

    # -- arithmetic -------------------------------------------------------------------------
    def __add__(self, other: Dim | int) -> Dim:
        return Dim._normal(self.terms + Dim.of(other).terms)

    def __neg__(self) -> Dim:
        return Dim(tuple((m, -c) for m, c in self.terms))

    def __sub__(self, other: Dim | int) -> Dim:
        return self + (-Dim.of(other))

    def __mul__(self, other: Dim | int) -> Dim:
        if self == ONE:
            return Dim.of(other)
        return Dim._normal(
            (_monomial_product(m, n), c * d) for m, c in self.terms for n, d in Dim.of(other).terms
        )

    __radd__ = __add__
    __rmul__ = __mul__

    def __rsub__(self, other: int) -> Dim:
        return Dim.of(other) - self

    def divide(self, other: Dim | int) -> Dim | None:
        """Exact quotient, or None when it has no normal form (divisor is a sum that does not
        divide this polynomial, or zero)."""
        divisor = Dim.of(other)
        if len(divisor.terms) == 1:
            monomial, coefficient = divisor.terms[0]
            inverse = tuple((n, -e) for n, e in monomial)
            return self * Dim(((inverse, 1 / coefficient),))
        return _long_division(self, divisor)

    # -- queries ----------------------------------------------------------------------------
    @cached_property
    def names(self) -> frozenset[str]:
        return frozenset(name for monomial, _ in self.terms for name, _ in monomial)

    @property
    def constant(self) -> int | None:
        """The integer value when no name occurs, else None."""
        if not self.terms:
            return 0
        if self.terms[0][0] == () and len(self.terms) == 1 and self.terms[0][1].denominator == 1:
            return int(self.terms[0][1])
        return None

    @cached_property
    def as_name(self) -> str | None:
        """The name when this size is a bare name, else None."""
        if len(self.terms) == 1:
            monomial, coefficient = self.terms[0]
            if coefficient == 1 and len(monomial) == 1 and monomial[0][1] == 1:
                return monomial[0][0]
        return None

    @property
    def divisibility(self) -> tuple[tuple[int, Dim, Dim], ...]:
        """What must hold for this size to be an integer: `(k, d, e)` means `k * d` divides `e`
        (d, e without division). Empty when the size is an integer for all integer names."""
        denominator = 1
        inverse: dict[str, int] = {}
        for monomial, coefficient in self.terms:
            denominator = (
                denominator * coefficient.denominator // _gcd(denominator, coefficient.denominator)
            )
            for name, exponent in monomial:
                if exponent < 0:
                    inverse[name] = max(inverse.get(name, 0), -exponent)
        if denominator == 1 and not inverse:
            return ()
        divisor = Dim(((tuple(sorted(inverse.items())), Fraction(1)),))
        return ((denominator, divisor, self * divisor * denominator),)

    def substitute(self, values: Mapping[str, Dim]) -> Dim:
        """Replace names by sizes (simultaneously). Raises ValueError when a divisor becomes a
        sum that does not divide."""
        if not any(name in values for name in self.names):
            return self
        bare = self.as_name
        if bare is not None:
            return values[bare]
        total = ZERO
        for monomial, coefficient in self.terms:
            product = Dim.of(coefficient)
            for name, exponent in monomial:
                factor = values.get(name, Dim.name(name))
                for _ in range(abs(exponent)):
                    step = product * factor if exponent > 0 else product.divide(factor)
                    if step is None:
                        raise ValueError(f"{self} has no normal form at {name} = {factor}")
                    product = step
            total = total + product
        return total

    def evaluate(self, sizes: Mapping[str, int]) -> Fraction:
        """The exact value; it is an integer when the divisibility conditions hold."""
        total = Fraction(0)
        for monomial, coefficient in self.terms:
            value = coefficient
            for name, exponent in monomial:
                value *= Fraction(sizes[name]) ** exponent
            total += value
        return total

    def size(self, sizes: Mapping[str, int]) -> int:
        """The value as an int; raises ValueError when it is not an integer >= 0."""
        value = self.evaluate(sizes)
        if value.denominator != 1 or value < 0:
            raise ValueError(f"{self} = {value} is not a size")
        return int(value)

    # -- text -------------------------------------------------------------------------------
    def __str__(self) -> str:
        if not self.terms:
            return "0"
        text = ""
        for monomial, coefficient in self.terms:
            sign = "-" if coefficient < 0 else "+"
            body = _monomial_text(monomial, abs(coefficient))
            text += (f" {sign} " if text else ("-" if sign == "-" else "")) + body
        return text

    def __repr__(self) -> str:
        return f"Dim({self})"


def _order(monomial: Monomial) -> tuple[int, ...]:
    """Higher total degree first, constants last: `H*W + 2*H + 1`."""
    return (-sum(e for _, e in monomial),)


def _gcd(a: int, b: int) -> int:
    while b:
        a, b = b, a % b
    return a


def _monomial_text(monomial: Monomial, coefficient: Fraction) -> str:
    above = [n if e == 1 else f"{n}^{e}" for n, e in monomial if e > 0]
    below = [n if e == -1 else f"{n}^{-e}" for n, e in monomial if e < 0]
    if coefficient.numerator != 1 or not above:
        above.insert(0, str(coefficient.numerator))
    if coefficient.denominator != 1:
        below.insert(0, str(coefficient.denominator))
    return "*".join(above) + "".join(f" / {b}" for b in below)


def _long_division(dividend: Dim, divisor: Dim) -> Dim | None:
    """Polynomial division that must leave no remainder, after clearing negative powers."""
    if not divisor.terms:
        return None
    above, below = _cleared(dividend), _cleared(divisor)
    lead_monomial, lead_coefficient = _leading(divisor * below)
    inverse = tuple((n, -e) for n, e in lead_monomial)
    quotient, rest = ZERO, dividend * above
    for _ in range(_MAX_DIVISION_STEPS):
        if not rest.terms:
            return (quotient * below).divide(above)
        monomial, coefficient = _leading(rest)
        step = Dim(((_monomial_product(monomial, inverse), coefficient / lead_coefficient),))
        if any(e < 0 for m, _ in step.terms for _, e in m):
            return None
        quotient, rest = quotient + step, rest - step * divisor * below
    return None


_MAX_DIVISION_STEPS = 256


def _cleared(dim: Dim) -> Dim:
    """The monomial whose product with `dim` has no negative powers."""
    powers: dict[str, int] = {}
    for monomial, _ in dim.terms:
        for name, exponent in monomial:
            powers[name] = max(powers.get(name, 0), -exponent)
    return Dim(((tuple(sorted((n, e) for n, e in powers.items() if e)), Fraction(1)),))


def _leading(dim: Dim) -> tuple[Monomial, Fraction]:
    """The largest term in the graded lexicographic order, which products respect (the order of
    `terms`, made for reading, is not such an order)."""
    names = sorted(dim.names)

    def key(term: tuple[Monomial, Fraction]) -> tuple[int, ...]:
        powers = dict(term[0])
        return (sum(powers.values()), *(powers.get(name, 0) for name in names))

    return max(dim.terms, key=key)


ZERO = Dim(())
ONE = Dim((((), Fraction(1)),))
