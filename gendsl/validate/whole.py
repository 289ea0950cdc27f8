"""Integers as polynomials over sizes, index variables, floor divisions and loaded indices.

In: constants, sizes, variables. Out: hash-consed `Whole`s, so that equality of normal forms is
identity. Always: `nonnegative` and `less` answer True only where it holds for all values of sizes
(>= 1) and of variables in their ranges; `floordiv` simplifies only by such answers.
"""

from __future__ import annotations

import itertools
import time
import zlib
from collections.abc import Callable, Iterable, KeysView, Mapping
from typing import Any


class Unmodelled(Exception):
    """A construct that has no model here: the verdict is `unknown`, with this reason."""


_stop = [float("inf")]


def stop_at(moment: float) -> None:
    """From this moment of `time.process_time` on, `tick` raises."""
    _stop[0] = moment


def tick() -> None:
    """Called wherever much is computed: what takes too long is unknown."""
    if time.process_time() > _stop[0]:
        raise Unmodelled("not decided within the time limit")


class Whole:
    """An integer polynomial. Make with `whole`, `number`, `size` and arithmetic."""

    __slots__ = ("serial", "terms")

    def __init__(self, terms: dict[Mono, int], serial: int) -> None:
        self.terms, self.serial = terms, serial

    @property
    def constant(self) -> int | None:
        if not self.terms:
            return 0
        return self.terms.get(()) if len(self.terms) == 1 else None

    def __add__(self, other: Whole | int) -> Whole:
        total = dict(self.terms)
        for m, c in number(other).terms.items():
            total[m] = total.get(m, 0) + c
        return whole(total)

    def __neg__(self) -> Whole:
        return whole({m: -c for m, c in self.terms.items()})

    def __sub__(self, other: Whole | int) -> Whole:
        return self + (-number(other))

    def __mul__(self, other: Whole | int) -> Whole:
        other = number(other)
        if other is ONE or self is ONE:
            return self if other is ONE else other
        total: dict[Mono, int] = {}
        for (m, c), (k, d) in itertools.product(self.terms.items(), other.terms.items()):
            key = _times(m, k)
            total[key] = total.get(key, 0) + c * d
        return whole(total)

    __radd__ = __add__
    __rmul__ = __mul__

    def __rsub__(self, other: int) -> Whole:
        return number(other) - self

    @property
    def atoms(self) -> KeysView[Unit]:
        """In an order that does not depend on where they lie in memory, as a set's does."""
        return dict.fromkeys(a for m in self.terms for a, _ in m).keys()

    def __str__(self) -> str:
        return _text(self)

    __repr__ = __str__


class Unit:
    """An indecomposable integer, by kind: ("size", name) at least 1 · ("var", name, bound) an index
    variable in 0 .. bound - 1 · ("div", number, divisor) floor division, divisor > 0 · ("get", key,
    bound) a loaded or chosen index in 0 .. bound - 1, `key` being a value of `value.py` ·
    ("trunc", number, divisor) division towards zero, of what may be negative ·
    ("opaque", name) any integer."""

    __slots__ = ("args", "kind", "serial")

    def __init__(self, kind: str, args: tuple[Any, ...], serial: int) -> None:
        self.kind, self.args, self.serial = kind, args, serial

    def __repr__(self) -> str:
        return _unit_text(self)


Mono = tuple[tuple[Unit, int], ...]
Renaming = Mapping[Unit, Whole]

_UNITS: dict[tuple[Any, ...], Unit] = {}
_WHOLES: dict[frozenset[tuple[Mono, int]], Whole] = {}
_fresh = itertools.count()


def unit(kind: str, *args: Any) -> Unit:
    key = (kind, *args)
    found = _UNITS.get(key)
    if found is None:
        found = _UNITS[key] = Unit(kind, args, len(_UNITS))
    return found


def whole(terms: Mapping[Mono, int]) -> Whole:
    kept = terms if all(terms.values()) else {m: c for m, c in terms.items() if c}
    key = frozenset(kept.items())
    found = _WHOLES.get(key)
    if found is None:
        found = _WHOLES[key] = Whole(dict(kept), len(_WHOLES))
    return found


def number(value: int | Whole) -> Whole:
    return value if isinstance(value, Whole) else whole({(): value})


def of_unit(u: Unit) -> Whole:
    return whole({((u, 1),): 1})


def size(name: str) -> Whole:
    """A size by its name: at least 1."""
    return of_unit(unit("size", name))


def serial(a: Unit) -> int:
    """Units in the order in which they were made: what a search takes first may not depend on
    where they lie in memory."""
    return a.serial


def variable(bound: Whole, name: str = "i") -> Unit:
    """A new index variable in 0 .. bound - 1."""
    return unit("var", f"{name}{next(_fresh)}", bound)


def product(factors: Iterable[Whole]) -> Whole:
    result = ONE
    for factor in factors:
        result = result * factor
    return result


def _times(m: Mono, k: Mono) -> Mono:
    if not m or not k:
        return m or k
    powers = dict(m)
    for a, e in k:
        powers[a] = powers.get(a, 0) + e
    return tuple(sorted(powers.items(), key=lambda x: x[0].serial))


# ---- division ----------------------------------------------------------------------------


def exact(p: Whole, q: Whole) -> Whole | None:
    """p / q if q is one term that divides every term of p, or p is a multiple of q."""
    if p is q:
        return ONE
    if len(q.terms) != 1:
        return _multiple(p, q)
    (lead, c) = next(iter(q.terms.items()))
    rows: dict[Mono, int] = {}
    for m, k in p.terms.items():
        powers = dict(m)
        for a, e in lead:
            powers[a] = powers.get(a, 0) - e
        if k % c or any(e < 0 for e in powers.values()):
            return None
        rows[tuple((a, e) for a, e in powers.items() if e)] = k // c
    return whole({tuple(sorted(m, key=lambda x: x[0].serial)): k for m, k in rows.items()})


def _multiple(p: Whole, q: Whole) -> Whole | None:
    """p / q for a sum q, where the quotient is one term."""
    if not q.terms or not p.terms:
        return None if not q.terms else ZERO
    first = next(iter(q.terms))
    for m, k in p.terms.items():
        guess = exact(whole({m: k}), whole({first: q.terms[first]}))
        if guess is not None and guess * q is p:
            return guess
    return None


def floordiv(p: Whole, q: Whole) -> Whole:
    """floor(p / q), q > 0."""
    if q is ONE:
        return p
    (inner,) = p.atoms if len(p.atoms) == 1 else (None,)
    if inner is not None and inner.kind == "div" and p is of_unit(inner):
        return floordiv(inner.args[0], inner.args[1] * q)
    if p.constant is not None and q.constant is not None:
        return number(p.constant // q.constant)
    if not positive(q):
        raise Unmodelled(f"a division by {q}, which may not be positive")
    outside, rest = ZERO, ZERO
    if len(q.terms) > 1:  # a sum divides what is multiplied by all of it
        for a in sorted(p.atoms, key=serial):
            slope, other = affine_in(p, a)
            share = exact(slope, q) if slope is not None and slope.terms else None
            if share is not None:
                outside, p = outside + share * of_unit(a), other
    for m, c in p.terms.items():
        term = whole({m: c})
        quotient = exact(term, q)
        if quotient is None:
            rest = rest + term
        else:
            outside = outside + quotient
    if q.constant is not None and rest.terms:  # numbers: the remainder of each coefficient
        split = {m: abs(c) // q.constant * (1 if c > 0 else -1) for m, c in rest.terms.items()}
        outside = outside + whole(split)
        rest = rest - whole(split) * q
    whole_quotient = exact(rest, q)
    if whole_quotient is not None:
        return outside + whole_quotient
    if nonnegative(rest) and less(rest, q):
        return outside
    if nonnegative(-rest - 1) and nonnegative(rest + q):
        return outside - 1
    return outside + of_unit(unit("div", rest, q))


def truncdiv(p: Whole, q: Whole) -> Whole:
    """p / q rounded towards zero, q > 0: the floor where p is not negative."""
    quotient = exact(p, q)
    if quotient is not None:
        return quotient
    return floordiv(p, q) if nonnegative(p) else of_unit(unit("trunc", p, q))


def modulo(p: Whole, q: Whole) -> Whole:
    """p - q floor(p / q)."""
    return p - q * floordiv(p, q)


def cdiv(p: Whole, q: Whole) -> Whole:
    """The least number of q that reach p; one unit, so that it can be a divisor."""
    quotient = exact(p, q)
    if p is ONE:
        return ONE
    if quotient is not None or (p.constant is not None and q.constant is not None):
        return floordiv(p + q - 1, q)
    if not positive(q):
        raise Unmodelled(f"a division by {q}, which may not be positive")
    return of_unit(unit("div", p + q - 1, q))


# ---- bounds ------------------------------------------------------------------------------

_DEPTH = 14


def less(p: Whole, q: Whole) -> bool:
    return nonnegative(q - p - 1)


def positive(p: Whole) -> bool:
    return nonnegative(p - 1)


# True, or how deep a search that found nothing went.
_known: dict[Whole, int | bool] = {}
_facts: list[Whole] = []
# Caches elsewhere of what was decided with the facts.
decided: list[dict[Any, Any]] = [_known]


def assume(facts: Iterable[Whole]) -> None:
    """From now on, these polynomials in sizes are taken not to be negative (and no others)."""
    _facts[:] = dict.fromkeys(f for f in facts if not _by_sizes(f))
    _good.clear()
    for cache in decided:
        cache.clear()


def nonnegative(p: Whole) -> bool:
    """Whether p >= 0 is evident for all sizes and all variables in their ranges."""
    return _nonnegative(p, _DEPTH)


def _nonnegative(p: Whole, depth: int) -> bool:
    found = _known.get(p)
    if found is True or (found is not None and found >= depth):
        return found is True
    tick()
    made = not _refuted(p) and _evident(p, depth)
    _known[p] = True if made else _DEPTH if _refuted(p) else depth
    return made


def _refuted(p: Whole) -> bool:
    """Whether p is negative at a sample of sizes and variables: a search would be in vain."""
    for k in range(_SAMPLES):
        x = _sampled(p, k)
        if x is not None and x < 0 and _usable(k):
            return True
    return False


_SAMPLES = 4
_samples: dict[tuple[Unit, int], int | None] = {}
_good: dict[int, bool] = {}


def _usable(k: int) -> bool:
    """Whether sample k satisfies the facts."""
    if k not in _good:
        found = [_sampled(f, k) for f in _facts]
        _good[k] = all(x is not None and x >= 0 for x in found)
    return _good[k]


def _sampled(p: Whole, k: int) -> int | None:
    """The value of p in sample k; None where a variable has no value there."""
    total = 0
    for m, c in p.terms.items():
        for a, e in m:
            x = _sampled_unit(a, k)
            if x is None:
                return None
            c *= x**e
        total += c
    return total


def _sampled_unit(a: Unit, k: int) -> int | None:
    key = (a, k)
    if key not in _samples:
        _samples[key] = _draw(a, k)
    return _samples[key]


def _draw(a: Unit, k: int) -> int | None:
    match a.kind:
        case "size":
            return 1 + zlib.crc32(f"{a.args[0]}:{k}".encode()) % 7
        case "var" | "get":
            bound = _sampled(a.args[-1], k)
            if bound is None or bound < 1:
                return None
            return (0, bound - 1, a.serial * 7919 % bound, a.serial * 104729 % bound)[k]
        case "div" | "trunc":
            above, below = (_sampled(x, k) for x in a.args)
            if above is None or below is None or below < 1:
                return None
            quotient = abs(above) // below
            return above // below if a.kind == "div" or above >= 0 else -quotient
        case _:
            return None


def _evident(p: Whole, depth: int) -> bool:
    if all(c >= 0 for c in p.terms.values()) and all(_natural(a) for a in p.atoms):
        return True
    if p.constant is not None or not depth:
        return p.constant is not None and p.constant >= 0
    bounded = [a for a in p.atoms if a.kind in ("var", "get")]
    # A variable whose bound mentions others goes first.
    for a in sorted(bounded, key=lambda a: -a.serial):
        slope, rest = affine_in(p, a)
        if slope is None:
            continue
        top = of_unit_bound(a) - 1
        ends = []
        if not _nonnegative(slope, depth - 1):
            ends.append(slope * top + rest)
        if not _nonnegative(-slope, depth - 1):
            ends.append(rest)
        return all(_nonnegative(end, depth - 1) for end in ends or [rest])
    for a in sorted((a for a in p.atoms if a.kind == "div"), key=serial):
        slope, rest = affine_in(p, a)
        if slope is not None and _by_division(a, slope, rest, depth):
            return True
    return _by_sizes(p) or any(_by_sizes(p - f) for f in _facts)


def _natural(a: Unit) -> bool:
    if a.kind == "div":
        return nonnegative(a.args[0])
    return a.kind not in ("opaque", "trunc")


def of_unit_bound(a: Unit) -> Whole:
    bound: Whole = a.args[-1]
    return bound


def _by_division(a: Unit, slope: Whole, rest: Whole, depth: int) -> bool:
    """slope * floor(n / q) + rest >= 0, from n - q + 1 <= q floor(n / q) <= n."""
    n, q = a.args
    if _nonnegative(slope, depth - 1):
        return _nonnegative(slope * (n - q + 1) + rest * q, depth - 1) or (
            nonnegative(n) and _nonnegative(rest, depth - 1)
        )
    if _nonnegative(-slope, depth - 1):
        return _nonnegative(slope * n + rest * q, depth - 1)
    return False


def affine_in(p: Whole, a: Unit) -> tuple[Whole | None, Whole]:
    """(s, r) with p = s a + r, neither mentioning a; s is None if there are none."""
    slope, rest = dict[Mono, int](), dict[Mono, int]()
    for m, c in p.terms.items():
        power = dict(m).get(a, 0)
        if power > 1:
            return None, p
        (slope if power else rest)[tuple(x for x in m if x[0] is not a)] = c
    made, left = whole(slope), whole(rest)
    if any(mentions(x, a) for x in (made, left)):
        return None, p
    return made, left


def _by_sizes(p: Whole) -> bool:
    """p >= 0 with every natural number N, at least 1, written as 1 + N'."""
    units = [a for a in p.atoms if a.kind in ("size", "div")]
    if len(units) != len(p.atoms):
        return False
    shift = {
        a: of_unit(a) + 1 if a.kind == "size" or _div_positive(a) else of_unit(a)
        for a in units
        if a.kind == "size" or nonnegative(a.args[0])
    }
    if len(shift) != len(units):
        return False
    shifted = ZERO
    for m, c in p.terms.items():
        term = number(c)
        for a, e in m:
            for _ in range(e):
                term = term * shift[a]
        shifted = shifted + term
    return all(c >= 0 for c in shifted.terms.values())


def _div_positive(a: Unit) -> bool:
    return nonnegative(a.args[0] - a.args[1])


# ---- substitution ------------------------------------------------------------------------

# Rebuilds the key of a "get" unit; set by `value.py`, whose values hold wholes.
rebuild_key: list[Callable[[Any, Renaming], Any]] = []
units_of_key: list[Callable[[Any], frozenset[Unit]]] = []


def rename(p: Whole, to: Renaming) -> Whole:
    """Replace units by integers, at any depth."""
    if not to or not (units_of(p) & to.keys()):
        return p
    total = ZERO
    for m, c in p.terms.items():
        term = number(c)
        for a, e in m:
            value = rename_unit(a, to)
            for _ in range(e):
                term = term * value
        total = total + term
    return total


def rename_unit(a: Unit, to: Renaming) -> Whole:
    if a in to:
        return to[a]
    match a.kind:
        case "div" | "trunc":
            above, below = (rename(x, to) for x in a.args)
            if above is a.args[0] and below is a.args[1]:
                return of_unit(a)
            return floordiv(above, below) if a.kind == "div" else truncdiv(above, below)
        case "get":
            key = rebuild_key[0](a.args[0], to)
            if key.kind == "choice" and key.args[0].kind == "truth":
                chosen: Whole = key.args[1] if key.args[0].args[0] else key.args[2]
                return chosen
            return of_unit(unit("get", key, rename(a.args[1], to)))
        case _:
            return of_unit(a)


_inside: dict[Whole, frozenset[Unit]] = {}


def units_of(p: Whole) -> frozenset[Unit]:
    """Every unit in p, at any depth (bounds of variables excepted)."""
    found = _inside.get(p)
    if found is None:
        units: set[Unit] = set()
        for a in p.atoms:
            units.add(a)
            if a.kind in ("div", "trunc"):
                units |= units_of(a.args[0]) | units_of(a.args[1])
            elif a.kind == "get":
                units |= units_of_key[0](a.args[0])
        found = _inside[p] = frozenset(units)
    return found


def mentions(p: Whole, a: Unit) -> bool:
    return a in units_of(p)


def variables(p: Whole) -> frozenset[Unit]:
    return frozenset(a for a in units_of(p) if a.kind == "var")


# ---- text --------------------------------------------------------------------------------


def _unit_text(a: Unit) -> str:
    match a.kind:
        case "div" | "trunc":
            return f"({a.args[0]}) // ({a.args[1]})"
        case "get":
            return f"index{a.serial}"
        case _:
            return str(a.args[0])


def _text(p: Whole) -> str:
    rows = []
    for m, c in p.terms.items():
        factors = [f"{a}" if e == 1 else f"{a}**{e}" for a, e in m]
        head = [] if abs(c) == 1 and factors else [str(abs(c))]
        rows.append(("- " if c < 0 else "+ ") + "*".join([*head, *factors]))
    text = " ".join(rows) or "0"
    return (
        text.removeprefix("+ ").replace("- ", "-", 1)
        if text.startswith("- ")
        else text.removeprefix("+ ")
    )


def evaluate(p: Whole, sizes: Mapping[str, int]) -> int:
    """The value of a polynomial in sizes."""
    total = 0
    for m, c in p.terms.items():
        for a, e in m:
            if a.kind == "size":
                c *= sizes[a.args[0]] ** e
            elif a.kind == "div":
                c *= (evaluate(a.args[0], sizes) // evaluate(a.args[1], sizes)) ** e
            else:
                raise Unmodelled(f"{a} in a number")
        total += c
    return total


ZERO, ONE = number(0), number(1)
