"""Factors of terms: signs of products, and roots and logarithms of products.

In: a term, a cone of facts. Out: theorems that it is positive, or that a root or logarithm in it is
the product or sum of those of its factors; None where no factors are found. Expansion loses that
1 - a - b + a b is (1 - a) (1 - b); here it is divided by what is known to be positive. Untrusted:
every step is a kernel rule.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction

from gendsl.prove import equal, lemmas
from gendsl.prove.advice import content
from gendsl.prove.cone import Cone
from gendsl.prove.kernel import normal as n
from gendsl.prove.kernel import rules as r
from gendsl.prove.kernel.rules import Thm
from gendsl.prove.kernel.term import ONE, Atom, Mono, Poly, const, of_atom, poly

LARGEST = 40  # terms of what is factored


@dataclass(frozen=True)
class Factor:
    """A factor > 0; `inverse` proves q > 0 if the factor is 1 / q."""

    above: Thm
    inverse: Thm | None = None


Factors = tuple[Thm, list[Factor]]


def factored(p: Poly, cone: Cone) -> Factors | None:
    """`p - product of factors = 0`, and each factor > 0; None without two factors."""
    if not 2 <= len(p.terms) <= LARGEST or not _whole(p):
        return None
    solid, rest = list[Factor](), p
    for a, k in _denominators(p).items():
        below = _base(a, cone)
        if below is None:
            return None
        one = Factor(lemmas.raise_to(below, -1), below)
        solid += [one] * k.numerator
        rest = r.times_power(rest, a, k)
        rest = rest if one.above.poly is of_atom(a, -1) or k % 2 == 0 else n.scale(rest, -1)
    found = list[Poly]()
    for c in _candidates(p, cone):
        while (q := divided(rest, c)) is not None:
            found.append(c)
            rest = q
    common, rest = _common(rest)
    found += [*common, *([rest] if rest is not ONE else [])]
    if len(found) + len(solid) < 2:
        return None
    for f in found:
        t = _above(f, cone)
        if t is None:
            return None
        solid.append(Factor(t))
    equation = equal.prove_zero(n.sub(p, n.prod_poly(f.above.poly for f in solid)))
    return None if equation is None else (equation, solid)


def _base(a: Atom, cone: Cone) -> Thm | None:
    """The base of a power, or its negative, is positive."""
    base = a.args[0] if a.kind == "P" else of_atom(a)
    for side in (1, -1):
        t = cone.prove(n.scale(base, side), "gt", effort=1)
        if t is not None and t.concl.rel == "gt":
            return t
    return None


def positive(p: Poly, cone: Cone) -> Thm | None:
    """p > 0, if it is a product of factors that are."""
    if p.single() is not None:
        return _above(p, cone)
    found = factored(p, cone)
    if found is None:
        return None
    equation, parts = found
    return r.linear("gt", p, [(ONE, equation), (ONE, _product(parts))])


def _above(p: Poly, cone: Cone) -> Thm | None:
    """p > 0; a product of powers by its bases."""
    term = p.single()
    if term is None:
        t = cone.prove(p, "gt", effort=1)
        return t if t is not None and t.concl.rel == "gt" else None
    if n.positive(p):
        return r.evident("gt", p)
    sure = n.assemble({a: k for a, k in term[0] if n.sign(a) == "+"}, term[1])
    made = r.evident("gt", sure) if n.positive(sure) else None
    for a, k in term[0]:
        if made is None or n.sign(a) == "+":
            continue
        base = cone.prove(a.args[0] if a.kind == "P" else of_atom(a), "gt", effort=1)
        fits = base is not None and base.concl.rel == "gt"
        made = r.times(made, lemmas.raise_to(base, k)) if fits and base is not None else None
    return made if made is not None and made.poly is p else None


def split(p: Poly, cone: Cone) -> tuple[list[Thm], Poly]:
    """p with roots and logarithms of products split: theorems (before - after) = 0, the rest."""
    steps: list[Thm] = []
    for a, k in dict.fromkeys((a, k) for m in p.terms for a, k in m if _splits(a, k)):
        found = factored(a.args[0], cone)
        if found is None:
            continue
        equation = _root(a.args[0], k, *found) if a.kind == "P" else _log(a.args[0], *found)
        rows = {tuple(x for x in m if x[0] is not a): c for m, c in p.terms.items() if (a, k) in m}
        step = r.linear("eq", n.mul(poly(rows), equation.poly), [(poly(rows), equation)])
        steps.append(step)
        p = n.sub(p, step.poly)
    return steps, p


def splits(p: Poly) -> bool:
    """Whether a root or a logarithm of a sum with a denominator, or of three terms, is in p."""
    atoms = {a for m in p.terms for a, k in m if _splits(a, k)}
    return any(_denominators(a.args[0]) or len(a.args[0].terms) > 2 for a in atoms)


def _splits(a: Atom, k: Fraction) -> bool:
    return (a.kind == "P" and k.denominator > 1) or (a.kind == "log" and k == 1)


def _root(p: Poly, k: Fraction, equation: Thm, parts: Sequence[Factor]) -> Thm:
    """p^k - product of the factors' powers = 0."""
    rows: list[tuple[Poly, Thm]] = [
        (ONE, lemmas.same_power(equation, p, n.sub(p, equation.poly), k))
    ]
    powers = [n.power(f.above.poly, k) for f in parts]
    for j, f in enumerate(parts[:-1]):
        rest = _product(parts[j + 1 :])
        rows.append((n.prod_poly(powers[:j]), lemmas.power_of_product(f.above, rest, k)))
    for j, f in enumerate(parts):
        if f.inverse is not None:
            others = n.prod_poly(x for i, x in enumerate(powers) if i != j)
            rows.append((others, _power_of_inverse(f.inverse, k)))
            powers[j] = n.power(f.inverse.poly, -k)
    return _total(rows)


def _power_of_inverse(t: Thm, k: Fraction) -> Thm:
    """(1/q)^k - q^-k = 0, for q > 0."""
    q, below = t.poly, lemmas.raise_to(t, -1)
    whole = n.mul(q, below.poly)
    one = lemmas.same_power(lemmas.cancel(q, 0), whole, ONE, k)  # (q / q)^k - 1 = 0
    parts = lemmas.power_of_product(t, below, k)  # (q / q)^k - q^k (1/q)^k = 0
    factor = n.power(q, -k)
    return _total([(factor, one), (n.scale(factor, -1), parts)])


def _log(p: Poly, equation: Thm, parts: Sequence[Factor]) -> Thm:
    """log p - sum of the factors' logarithms = 0."""
    rows = [(ONE, lemmas.same_image(equation, p, "log"))]
    for j, f in enumerate(parts[:-1]):
        rows.append((ONE, lemmas.log_of_product(f.above, _product(parts[j + 1 :]))))
    rows += [(ONE, _log_of_inverse(f.inverse)) for f in parts if f.inverse is not None]
    return _total(rows)


def _log_of_inverse(t: Thm) -> Thm:
    """log(1/q) + log q = 0, for q > 0."""
    q, below = t.poly, lemmas.raise_to(t, -1)
    one = lemmas.same_image(lemmas.cancel(q, 0), n.mul(q, below.poly), "log")  # log(q / q) = 0
    return _total([(ONE, one), (const(-1), lemmas.log_of_product(t, below))])


def _total(rows: Sequence[tuple[Poly, Thm]]) -> Thm:
    return r.linear("eq", n.add(*(n.mul(f, t.poly) for f, t in rows)), rows)


def _product(parts: Sequence[Factor]) -> Thm:
    t = parts[-1].above
    for f in reversed(parts[:-1]):
        t = r.times(f.above, t)
    return t


# ---- polynomial division -------------------------------------------------------------------


def _whole(p: Poly) -> bool:
    return all(k.denominator == 1 for m in p.terms for _, k in m)


def _denominators(p: Poly) -> dict[Atom, Fraction]:
    worst: dict[Atom, Fraction] = {}
    for m in p.terms:
        for a, k in m:
            if k < 0:
                worst[a] = max(worst.get(a, Fraction(0)), -k)
    return worst


def _candidates(p: Poly, cone: Cone) -> Iterator[Poly]:
    """What p may be divisible by: sums known to be positive, bases of powers in it."""
    found: dict[Poly, None] = {}
    for f in cone.facts:
        if f.concl.rel in ("gt", "ge") and len(f.concl.poly.terms) > 1:
            for t in cone.instances(f, [p]):
                found[content(t.poly)[1]] = None
    for a in dict.fromkeys(a for m in p.terms for a, _ in m if a.kind == "P"):
        found[a.args[0]] = None
        found[n.scale(a.args[0], -1)] = None
    yield from (c for c in found if len(c.terms) > 1 and _whole(c))


def _common(p: Poly) -> tuple[list[Poly], Poly]:
    """Positive atoms that divide every term."""
    found: list[Poly] = []
    for a in dict.fromkeys(a for a, k in next(iter(p.terms), ()) if k > 0 and n.sign(a) == "+"):
        while all(dict(m).get(a, 0) >= 1 for m in p.terms):
            found.append(of_atom(a))
            p = r.times_power(p, a, Fraction(-1))
    return found, p


def divided(p: Poly, by: Poly) -> Poly | None:
    """The exact quotient of two sums with whole exponents, or None."""
    lead, rest, quotient = _leading(by), p, poly({})
    for _ in range(LARGEST):
        if not rest.terms:
            return quotient
        m = _leading(rest)
        powers = dict(m)
        for a, k in lead:
            powers[a] = powers.get(a, Fraction(0)) - k
        if any(k < 0 for k in powers.values()):
            return None
        term = n.assemble(powers, rest.terms[m] / by.terms[lead])
        quotient = n.add(quotient, term)
        rest = n.sub(rest, n.mul(term, by))
    return None


def _leading(p: Poly) -> Mono:
    """The largest monomial in the lexicographic order of the atoms' numbers."""
    names = sorted({a.serial for m in p.terms for a, _ in m})

    def key(m: Mono) -> tuple[Fraction, ...]:
        powers = {a.serial: k for a, k in m}
        return tuple(powers.get(s, Fraction(0)) for s in names)

    return max(p.terms, key=key)
