"""From `t = 0` and the way `t >= 0` was proved: what has to be zero.

In: a theorem t = 0 and a theorem t >= 0. Out: equations as theorems (the indices of sums become
free and are then quantified). Untrusted: every step is a kernel rule.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction

from gendsl.prove import lemmas
from gendsl.prove.advice import content
from gendsl.prove.cone import Cone
from gendsl.prove.kernel import normal as n
from gendsl.prove.kernel import rules as r
from gendsl.prove.kernel.rules import Thm
from gendsl.prove.kernel.term import F1, ONE, Atom, Poly, poly


def equations(zero: Thm, above: Thm, bound: Sequence[Atom] = ()) -> Iterator[Thm]:
    """Equations that follow from `zero`; `bound` are the indices that sums above have freed."""
    match above.rule:
        case "linear":
            parts = [_part(f, t) for f, t in zip(above.data, above.premises, strict=True)]
            for k, (factor, t) in enumerate(zip(above.data, above.premises, strict=True)):
                if t.concl.rel == "eq":
                    continue
                split = _without(zero, parts, k)
                if split is not None and n.positive(factor):
                    yield from equations(_undo(split, factor, t.poly), t, bound)
        case "total":
            (i,), (inner,) = above.data, above.premises
            yield from equations(lemmas.zero_summand(zero, inner, i), inner, (*bound, i))
        case "times":
            yield from _product(zero, above.premises, bound)
        case "square":
            yield _closed(lemmas.zero_root(zero, above.data[0]), bound)
        case "exp_above_tangent":
            yield _closed(lemmas.zero_root(zero, above.data[0]), bound)
        case "log_below_tangent":
            yield _closed(lemmas.zero_root(zero, n.sub(above.data[0], ONE)), bound)
        case "evident":
            yield from _monomials(zero, bound)
        case "cut" | "weaken" | "cases":
            yield from equations(zero, above.premises[0], bound)
        case _:
            yield _closed(zero, bound)


def _part(factor: Poly, t: Thm) -> Thm:
    product = n.mul(factor, t.poly)
    return r.linear("eq" if t.concl.rel == "eq" else "ge", product, [(factor, t)])


def _without(zero: Thm, parts: Sequence[Thm], k: int) -> Thm | None:
    """Part k is zero; parts that are equations are taken out of the sum first."""
    solid = [p for p in parts if p.concl.rel != "eq"]
    equal = [p for p in parts if p.concl.rel == "eq"]
    if equal:
        rest = n.add(*(p.poly for p in solid))
        minus = poly({(): Fraction(-1)})
        zero = r.linear("eq", rest, [(ONE, zero), *((minus, e) for e in equal)])
    return zero_part(zero, solid, solid.index(parts[k]))


def zero_part(zero: Thm, parts: Sequence[Thm], k: int) -> Thm:
    """From a sum of nonnegative parts = 0: part k = 0, since it is also minus the other parts."""
    one, minus = ONE, poly({(): Fraction(-1)})
    rest = [(one, p) for j, p in enumerate(parts) if j != k]
    low = r.linear("ge", n.scale(parts[k].poly, -1), [(minus, zero), *rest])
    return lemmas.combine(r.linear("ge", parts[k].poly, [(one, parts[k])]), low)


def _undo(zero: Thm, factor: Poly, p: Poly) -> Thm:
    """From factor * p = 0, factor > 0: p = 0."""
    return zero if factor is ONE else lemmas.divide(zero, r.evident("gt", factor), p)


def _product(zero: Thm, factors: Sequence[Thm], bound: Sequence[Atom]) -> Iterator[Thm]:
    for f, other in (factors, factors[::-1]):
        strict = (
            f if f.concl.rel == "gt" else r.evident("gt", f.poly) if n.positive(f.poly) else None
        )
        if strict is not None:
            yield from equations(lemmas.divide(zero, strict, other.poly), other, bound)
            return
    yield _closed(zero, bound)


def _monomials(zero: Thm, bound: Sequence[Atom]) -> Iterator[Thm]:
    """A sum of monomials of evident sign: each is zero, and so is what is not positive in it."""
    monos = [poly({m: c}) for m, c in zero.poly.terms.items()]
    parts = [r.evident("ge", p) for p in monos]
    for k, p in enumerate(monos):
        t = zero_part(zero, parts, k)
        (m, c) = next(iter(p.terms.items()))
        sure = {a: e for a, e in m if n.positive(n.assemble({a: e}))}
        rest = n.assemble({a: e for a, e in m if a not in sure})
        t = _undo(t, n.assemble(sure, c), rest)
        yield from _factor(t, rest, bound)


def _factor(t: Thm, p: Poly, bound: Sequence[Atom]) -> Iterator[Thm]:
    """From a monomial that is zero: its base if it is a power, the summands if it is a sum."""
    term = p.single()
    mono = () if term is None else term[0]
    if len(mono) == 1 and mono[0][1] != 1 and mono[0][1] > 0:
        (a, k) = mono[0]
        base = a.args[0] if a.kind == "P" else poly({((a, F1),): F1})
        t, mono = lemmas.zero_base(t, base, k), ((a, F1),) if a.kind != "P" else ()
    elif mono and all(e > 0 and e % 2 == 0 for _, e in mono):
        t, mono = lemmas.zero_root(t, n.assemble({a: e / 2 for a, e in mono})), ()
    if len(mono) == 1 and _is_sum(*mono[0]):
        binders, body = n.open_sum(mono[0][0])
        above = Cone().prove(body)
        if above is not None:
            for b in binders:
                above = r.total(above, b)
            yield from equations(t, above, bound)
            return
    yield _closed(t, bound)


def _is_sum(a: Atom, k: Fraction) -> bool:
    return a.kind == "S" and k == 1


def _closed(t: Thm, bound: Sequence[Atom]) -> Thm:
    """The equation for all values of the indices that were freed."""
    factor, rest = content(t.poly) if len(t.poly.terms) > 1 else (ONE, t.poly)
    t = _undo(t, factor, rest)
    mine = [i for i in bound if i in t.poly.free]
    return r.generalize(t, mine) if mine else t
