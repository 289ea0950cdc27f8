"""Induction over an index, and cumulative products at the next index.

In: a comparison with a free index i of a size N + 1, facts about k and k + 1. Out: a theorem, or
None. Base at 0, step from k to k + 1 with the statement at k as a fact. In a step, a cumulative
product at k + 1 is the one at k times the next factor: [k >= j] is [k >= j + 1] + [k = j].
Untrusted: every step is a kernel rule.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction

from gendsl.prove import lemmas
from gendsl.prove.cone import Cone
from gendsl.prove.kernel import normal as n
from gendsl.prove.kernel import rules as r
from gendsl.prove.kernel.rules import Thm
from gendsl.prove.kernel.term import ONE, ZERO, Atom, Mono, Poly, poly

# (relation, term, cone of facts) to a theorem
Prove = Callable[[str, Poly, Cone], Thm | None]


def by_induction(rel: str, p: Poly, cone: Cone, prove: Prove) -> Thm | None:
    """p rel 0 by induction on one of its free indices."""
    for i in sorted(p.free, key=lambda a: a.serial):
        below = n.sub(n.size_of(i), ONE)
        if not n.positive(below) or not _steps(below, [p, *(f.concl.poly for f in cone.facts)]):
            continue
        k = n.fresh(below)
        zero, here, after = (
            n.substitute(p, {i: x})
            for x in (
                n.index_const(ZERO, n.size_of(i)),
                n.shift(k, ZERO, n.size_of(i)),
                n.shift(k, ONE, n.size_of(i)),
            )
        )
        base = prove(rel, zero, cone)
        if base is None:
            continue
        assumed = r.assume(r.prop(rel, here))
        step = prove(rel, after, Cone([*cone.facts, assumed], cone.expired))
        if step is not None:
            return r.induct(_exact(base, rel), _exact(step, rel), rel, p, i, k)
    return None


def _exact(t: Thm, rel: str) -> Thm:
    return t if t.concl.rel == rel else lemmas.weaken(t, rel)


def _steps(below: Poly, terms: Sequence[Poly]) -> bool:
    """Whether the index after one of size `below` occurs."""
    return any(
        x.kind == "shift" and x.args[1] is ONE and n.size_of(x.args[0]) is below
        for p in terms
        for x in _atoms(p)
    )


def _atoms(p: Poly) -> Iterator[Atom]:
    seen: set[object] = set()
    stack: list[object] = [p]
    while stack:
        x = stack.pop()
        if isinstance(x, tuple):
            stack.extend(x)
        elif isinstance(x, Poly) and x not in seen:
            seen.add(x)
            stack.extend(a for m in x.terms for a, _ in m)
        elif isinstance(x, Atom) and x not in seen:
            seen.add(x)
            yield x
            stack.extend(x.args)


# ---- cumulative products -------------------------------------------------------------------


def unrolled(p: Poly) -> tuple[list[Thm], Poly]:
    """p with each cumulative product up to k as the one before k times the factor at k: theorems
    (before - after) = 0, and the rest."""
    steps: list[Thm] = []
    for a in dict.fromkeys(a for m in p.terms for a, _ in m if a.kind == "exp"):
        rows = [t for t in (_last(m, c) for m, c in a.args[0].terms.items()) if t is not None]
        if not rows:
            continue
        gap = _total(rows)
        value = lemmas.same_image(gap, a.args[0], "exp")
        for k in dict.fromkeys(k for m in p.terms for b, k in m if b is a):
            these = {m: c for m, c in p.terms.items() if (a, k) in m}
            rest = poly({tuple(x for x in m if x[0] is not a): c for m, c in these.items()})
            step = r.linear("eq", n.mul(rest, value.poly), [(rest, value)])
            steps.append(step)
            p = n.sub(p, step.poly)
    return steps, p


def _total(rows: Sequence[tuple[Poly, Thm]]) -> Thm:
    return r.linear("eq", n.add(*(n.mul(f, t.poly) for f, t in rows)), rows)


def _last(m: Mono, c: Fraction) -> tuple[Poly, Thm] | None:
    """For a sum over j of [k >= j] f(j): (what multiplies the sum, a theorem that it is the sum of
    [k >= j + 1] f(j), plus f(k))."""
    for a, e in m:
        if a.kind != "S" or e != 1 or len(a.args[0]) != 1:
            continue
        (j,), body = n.open_sum(a)
        for b, _ in next(iter(body.terms)):
            k = _upto(b, j)
            if k is not None:
                rest = {x: y for x, y in next(iter(body.terms)) if x is not b}
                factor = n.assemble(rest, next(iter(body.terms.values())))
                stair = r.staircase(k, j)
                t = r.total(r.linear("eq", n.mul(factor, stair.poly), [(factor, stair)]), j)
                return poly({tuple(x for x in m if x[0] is not a): c}), t
    return None


def _upto(b: Atom, j: Atom) -> Atom | None:
    """The index k of [k - j >= 0], of the size of j."""
    if b.kind != "ge0":
        return None
    for m, c in b.args[0].terms.items():
        if c == 1 and len(m) == 1 and m[0][0].kind == "ixval" and m[0][1] == 1:
            k: Atom = m[0][0].args[0]
            gap = n.sub(n.value_of(k), n.value_of(j))
            if k is not j and n.size_of(k) is n.size_of(j) and gap is b.args[0]:
                return k
    return None
