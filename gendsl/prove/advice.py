"""Which of several equal forms a term takes: advice that the kernel asks for, and checks.

In: a polynomial, or the bound indices and the factors of a sum. Out: factors whose product the
polynomial is, so that roots, inverses and logarithms split; the order in which the indices are
named, so that sums that differ only by names are one. Untrusted: bad advice makes two equal terms
look different, never two different ones equal.
"""

from __future__ import annotations

import itertools
import zlib
from collections.abc import Mapping, Sequence
from fractions import Fraction
from functools import cache
from math import gcd, lcm
from typing import Any

from gendsl.prove.kernel import normal as n
from gendsl.prove.kernel.term import F0, F1, ZERO, Atom, Mono, Poly, atom, const, of_atom

ORDERS = 720  # of the bound indices of one sum
Factors = Sequence[tuple[Poly, Fraction]]


def factors(p: Poly, whole: bool) -> Factors:
    """For a whole exponent the content of p and what is left, else also the factors of both."""
    if not p.terms:
        return ((p, F1),)
    if p.single():
        return _of_term(p)
    factor, rest = content(p, signed=whole)
    return (*(((factor, F1),) if whole else _of_term(factor)), (rest, F1))


def _of_term(p: Poly) -> Factors:
    """The primes and the atoms of a single term."""
    ((mono, c),) = p.terms.items()
    if c < 0:
        return ((p, F1),)
    rows = [(const(k), Fraction(e)) for k, e in primes(c)]
    return (*rows, *((a.args[0] if a.kind == "P" else of_atom(a), e) for a, e in mono))


def primes(c: Fraction) -> list[tuple[int, int]]:
    """c > 0 as powers of primes (a large cofactor stays whole)."""
    found = []
    for number, side in ((c.numerator, 1), (c.denominator, -1)):
        p = 2
        while number > 1:
            p = number if p * p > number or p > 1000 else p
            e = 0
            while number % p == 0:
                number, e = number // p, e + 1
            if e:
                found.append((p, e * side))
            p += 1
    return found


def content(p: Poly, *, signed: bool = False) -> tuple[Poly, Poly]:
    """(f, r) with p = f * r, f one term: the rational content, common powers of positive atoms (of
    all atoms, and a sign, if `signed`), and an exponential if one choice stands out."""
    numbers = list(p.terms.values())
    c = Fraction(gcd(*(x.numerator for x in numbers)), lcm(*(x.denominator for x in numbers)))
    common = dict(next(iter(p.terms)))
    for m in p.terms:
        powers = dict(m)
        common = {a: min(common.get(a, F0), powers.get(a, F0)) for a in {*common, *powers}}
    skip = ("exp", "P", "d", "bool", "ge0", "eq0")
    usable = {
        a: k for a, k in common.items() if k and a.kind not in skip and (signed or n.sign(a) == "+")
    }
    arguments = {next((a.args[0] for a, _ in m if a.kind == "exp"), ZERO) for m in p.terms}
    if arguments != {ZERO} and len(arguments) <= 8:
        forms = sorted((shape(n.mul(p, n.exp(n.scale(q, -1)))), q.serial, q) for q in arguments)
        if len(forms) == 1 or forms[0][0] != forms[1][0]:
            usable[atom("exp", forms[0][2])] = F1
    negatives = sum(x < 0 for x in numbers)
    if signed and (2 * negatives, shape(n.scale(p, -1))) > (len(numbers), shape(p)):
        c = -c
    inverse = n.assemble({a: -k for a, k in usable.items()}, 1 / c)
    return n.assemble(usable, c), n.mul(p, inverse)


def order(binders: Sequence[Atom], inside: Mapping[Atom, Fraction]) -> Sequence[Atom]:
    """The order under which the summand, renamed, comes first."""
    marks = {b: sorted((shape(a), k) for a, k in inside.items() if b in a.free) for b in binders}

    def mark(b: Atom) -> tuple[int, list[tuple[int, Fraction]]]:
        return b.args[1].serial, marks[b]

    groups = [list(g) for _, g in itertools.groupby(sorted(binders, key=mark), key=mark)]
    orders = itertools.product(*(itertools.permutations(g) for g in groups))
    rows = [list(itertools.chain(*o)) for o in itertools.islice(orders, ORDERS)]
    return rows[0] if len(rows) == 1 else min(rows, key=lambda row: _named(row, inside))


def _named(row: Sequence[Atom], inside: Mapping[Atom, Fraction]) -> list[tuple[int, Fraction]]:
    _, named = n.bind(row, n.assemble(inside))
    mono: Mono = next(iter(named.terms), ())
    return [(a.serial, k) for a, k in mono]


# ---- checksums ---------------------------------------------------------------------------


@cache
def shape(x: Atom | Poly) -> int:
    """A checksum that ignores index names, to choose between equal forms."""
    if isinstance(x, Poly):
        rows = sorted(
            (sorted((shape(a), str(k)) for a, k in m), str(c)) for m, c in x.terms.items()
        )
        return zlib.crc32(repr(rows).encode())
    text: tuple[Any, ...] = (x.kind, *(_shape(a) for a in x.args))
    if x.kind == "i":
        text = ("i", shape(x.args[1]))
    elif x.kind in ("S", "lam"):
        text = (x.kind, tuple(shape(b) for b in x.args[0]), _shape(x.args[1]))
    return zlib.crc32(repr(text).encode())


def _shape(a: Any) -> Any:
    if isinstance(a, Atom | Poly):
        return shape(a)
    if not isinstance(a, tuple):
        return str(a)
    shapes = [_shape(x) for x in a]
    mono = bool(a) and isinstance(a[0], tuple) and len(a[0]) == 2
    return tuple(sorted(shapes, key=repr)) if mono else tuple(shapes)


def flip(p: Poly) -> bool:
    """Whether relu(p) is written with relu(-p)."""
    return shape(n.scale(p, -1)) < shape(p)


def give() -> None:
    """Have the kernel ask here."""
    n.ADVICE.update(factors=factors, order=order, flip=flip)
