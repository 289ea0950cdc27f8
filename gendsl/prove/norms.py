"""Inequalities between square roots: norms.

In: a term with roots, a cone of facts. Out: a theorem `term >= 0` or `= 0`, or None. What is added
is squared against what is taken away (from y >= 0 and y^2 >= x^2 follows y >= x), until no root is
left and `Cone` decides: the triangle inequality comes down to Cauchy-Schwarz. Known inequalities
between norms (Lipschitz hypotheses) are used first. Untrusted: every step is a kernel rule.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from fractions import Fraction

from gendsl.prove import equal, lemmas
from gendsl.prove.cone import Cone
from gendsl.prove.kernel import normal as n
from gendsl.prove.kernel import rules as r
from gendsl.prove.kernel.rules import Thm
from gendsl.prove.kernel.term import ONE, Atom, Mono, Poly, atom, of_atom, poly

LARGEST = 40  # terms of what is squared
DEPTH = 3


def by_roots(rel: str, p: Poly, cone: Cone, depth: int = DEPTH) -> Thm | None:
    """p >= 0 (or = 0, from both sides), by squaring."""
    if not rooted(p) or len(p.terms) > LARGEST or cone.expired():
        return None
    if rel == "eq":
        up = None if cone.nonzero(p) else by_roots("ge", p, cone, depth)
        down = None if up is None else by_roots("ge", n.scale(p, -1), cone, depth)
        return None if up is None or down is None else lemmas.combine(up, down)
    if depth == DEPTH:
        made = _by_differences(p, cone)
        if made is not None:
            return made
    return _with_facts(p, cone, depth) or squared(p, cone, depth)


def _by_differences(p: Poly, cone: Cone) -> Thm | None:
    """With new variables for the differences whose norms occur: for a norm of x - y, the variable
    x becomes u + y, and in the theorem that is then found u becomes x - y."""
    known = [f.concl.poly for f in cone.facts if f.concl.rel in ("ge", "gt")]
    pairs = dict(_differences([p, *known]))
    env: dict[str, tuple[tuple[tuple[Atom, ...], Poly], ...]] = {}
    back: list[tuple[str, tuple[Atom, ...], Poly]] = []
    for a, b in pairs.items():
        name, at = f"difference:{a.args[0]}:{b.args[0]}", a.args[1]
        env[a.args[0]] = ((at, n.add(of_atom(atom("var", name, at, "")), of_atom(b))),)
        back.append((name, at, n.sub(of_atom(a), of_atom(b))))
    if not env:
        return None
    facts = [_moved(f, env) for f in cone.facts]
    target = n.substitute(p, {}, env)
    t = by_roots("ge", target, Cone(facts, cone.expired), DEPTH - 1)
    for name, at, value in back if t is not None else ():
        assert t is not None
        t = r.instance(t, name, at, value)
    if t is None or t.poly is not p:
        return None
    for f in cone.facts:
        t = r.cut(t, f) if f.concl in t.hyps and f.concl not in f.hyps else t
    return t


def _moved(fact: Thm, env: n.Env) -> Thm:
    """A fact in the new variables, as an assumption: the instance makes it the fact again."""
    free, names = r.opened(fact.concl)
    moved = r.prop(fact.concl.rel, n.substitute(free, {}, env), names)
    return fact if moved == fact.concl else r.assume(moved)


def _differences(terms: Sequence[Poly]) -> Iterator[tuple[Atom, Atom]]:
    """Variables x, y for which the root of the sum of (x - y)^2 occurs; each x once, no y an x."""
    first, second = set[str](), set[str]()
    for a in dict.fromkeys(a for p in terms for m in p.terms for a, _ in m if a.kind == "P"):
        squares = [m[0][0] for m, c in a.args[0].terms.items() if c == 1 and _square_sum(m)]
        if len(a.args[0].terms) != 3 or len(squares) != 2:
            continue
        (i, x), (j, y) = (_base(s) for s in squares)
        y = next(iter(n.substitute(of_atom(y), dict(zip(j, i, strict=True))).terms))[0][0]
        whole = n.power(n.sub(of_atom(x), of_atom(y)), 2)
        for b in i:
            whole = n.nsum(b, whole)
        clear = x.args[0] not in second and y.args[0] not in first | {x.args[0]}
        if whole is a.args[0] and clear and x.args[0] not in first:
            first.add(x.args[0])
            second.add(y.args[0])
            yield x, y


def _square_sum(m: Mono) -> bool:
    """Whether a monomial is the sum of the squares of a variable."""
    if len(m) != 1 or m[0][1] != 1 or m[0][0].kind != "S":
        return False
    binders, body = m[0][0].args
    return (
        len(body) == 1
        and body[0][1] == 2
        and body[0][0].kind == "var"
        and body[0][0].args[1:] == (body[0][0].args[1], "")
        and set(body[0][0].args[1]) == set(binders)
    )


def _base(s: Atom) -> tuple[list[Atom], Atom]:
    binders, body = n.open_sum(s)
    return binders, next(iter(body.terms))[0][0]


def rewritten(facts: Sequence[Thm], equations: Sequence[Thm]) -> Iterator[Thm]:
    """Known inequalities between norms, rewritten by the equations."""
    for t in facts if equations else ():
        if t.concl.rel == "ge" and not t.concl.binders and rooted(t.poly):
            steps, rest = equal.reduced(t.poly, equations)
            if steps:
                minus = n.scale(ONE, -1)
                yield r.linear("ge", rest, [(ONE, t), *((minus, s) for s in steps)])


def rooted(p: Poly) -> bool:
    """Whether a root of a sum is in the term."""
    return any(_is_root(a.kind, k) for m in p.terms for a, k in m)


def _is_root(kind: str, k: Fraction) -> bool:
    return k.denominator == 2 and kind in ("P", "S")


def squared(p: Poly, cone: Cone, depth: int) -> Thm | None:
    """For p = y - x with y >= 0 term by term: y^2 - x^2 >= 0, then y - x >= 0."""
    rows = [poly({m: c}) for m, c in p.terms.items()]
    signs = [_sure(row, cone) for row in rows]
    above = [t for t in signs if t is not None]
    if not above or len(above) == len(rows):
        return _sum(above) if above else None
    y = _sum(above)
    x = n.sub(y.poly, p)
    if n.positive(y.poly):
        y = r.evident("ge", y.poly)
    gap = n.sub(n.mul(y.poly, y.poly), n.mul(x, x))
    t = _by_products(gap, cone) if rooted(gap) else cone.prove(gap, effort=1)
    if t is None and depth:
        t = by_roots("ge", gap, cone, depth - 1)
    if t is None:
        return None
    return lemmas.root(y, lemmas.weaken(t, "ge") if t.concl.rel == "gt" else t, x)


def _by_products(gap: Poly, cone: Cone) -> Thm | None:
    """With |x| |y| >= <x, y> and |x| |y| >= -<x, y> for the norms and products that occur."""
    atoms = dict.fromkeys(a for m in gap.terms for a, k in m if k == 1 and a.kind == "S")
    products = [a for a in atoms if len(a.args[1]) == 2]
    pairs = dict.fromkeys(
        n.assemble({a: k for a, k in m if _is_root(a.kind, k)})
        for m in gap.terms
        if sum(_is_root(a.kind, k) for a, k in m) == 2
    )
    found = list[Thm]()
    for pair, a in itertools.islice(itertools.product(pairs, products), 6):
        for side in (1, -1):
            t = squared(n.sub(pair, n.scale(of_atom(a), side)), Cone((), cone.expired), 0)
            found += [] if t is None else [t]
    return Cone([*cone.facts, *found], cone.expired).prove(gap, effort=0) if found else None


def _sure(row: Poly, cone: Cone) -> Thm | None:
    """The term is not negative: by its form, or a known factor times a root."""
    if n.nonnegative(row):
        return r.evident("ge", row)
    ((m, c),) = row.terms.items()
    roots = n.assemble({a: k for a, k in m if _is_root(a.kind, k)})
    rest = n.assemble({a: k for a, k in m if not _is_root(a.kind, k)}, c)
    if roots is ONE or not n.nonnegative(roots):
        return None
    t = cone.prove(rest, effort=0)
    if t is None:
        return None
    made = r.times(lemmas.weaken(t, "ge") if t.concl.rel == "gt" else t, r.evident("ge", roots))
    return made if made.poly is row else None


def _sum(parts: list[Thm]) -> Thm:
    return r.linear("ge", n.add(*(t.poly for t in parts)), [(ONE, t) for t in parts])


def _with_facts(p: Poly, cone: Cone, depth: int) -> Thm | None:
    """p minus a multiple of a known inequality between norms, by squaring."""
    for t in _known(p, cone):
        found = _divided(p, t, cone)
        if found is not None:
            return found
        for factor in _multiples(p, t.poly, cone):
            part = r.times(factor, t) if factor.poly is not ONE else t
            rest = n.sub(p, part.poly)
            if not rest.terms:
                return r.linear("ge", p, [(ONE, part)])
            found = cone.prove(rest, effort=0) or (
                by_roots("ge", rest, cone, depth - 1) if depth else None
            )
            if found is not None:
                return r.linear("ge", p, [(ONE, part), (ONE, found)])
    return None


def _divided(p: Poly, t: Thm, cone: Cone) -> Thm | None:
    """From q p >= 0 and q > 0: p >= 0, for p = -root."""
    term = p.single()
    if term is None or not all(_is_root(a.kind, k) for a, k in term[0]):
        return None
    q = n.mul(t.poly, n.power(p, -1))
    if n.mul(q, p) is not t.poly or rooted(q):
        return None
    above = cone.prove(q, "gt", effort=1)
    return None if above is None or above.concl.rel != "gt" else lemmas.divide(t, above, p)


def _known(p: Poly, cone: Cone) -> Iterator[Thm]:
    for f in cone.facts:
        if f.concl.rel in ("ge", "gt") and rooted(f.concl.poly):
            for t in cone.instances(f, [p]):
                yield lemmas.weaken(t, "ge") if t.concl.rel == "gt" else t


def _multiples(p: Poly, fact: Poly, cone: Cone) -> Iterator[Thm]:
    """Factors >= 0 that carry some rooted term of the fact to one of p."""
    seen: set[Poly] = set()
    for m, c in p.terms.items():
        for own, d in fact.terms.items():
            powers = dict(m)
            for a, k in own:
                powers[a] = powers.get(a, Fraction(0)) - k
            ratio = n.assemble(powers, c / d)
            below = any(k < 0 for mm in ratio.terms for _, k in mm)
            if ratio in seen or rooted(ratio) or below:
                continue
            seen.add(ratio)
            t = r.evident("ge", ratio) if n.nonnegative(ratio) else cone.prove(ratio, effort=0)
            if t is not None:
                yield lemmas.weaken(t, "ge") if t.concl.rel == "gt" else t
