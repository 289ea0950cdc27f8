"""One comparison of a term with zero, by every means that the prover has.

In: a relation, a polynomial, equations, a cone of facts. Out: a theorem, or None. Equations
rewrite; signs come from the graph or from cone certificates; relus and indicators are resolved
where the sign of their argument is provable, else by cases; what cannot be shown of sums is tried
summand by summand. Untrusted: every step is a kernel rule.
"""

from __future__ import annotations

from collections.abc import Sequence

from gendsl.ir.graph import Node
from gendsl.prove import equal, factors, induct, lemmas, norms
from gendsl.prove.cone import Cone, relu_zero
from gendsl.prove.kernel import normal as n
from gendsl.prove.kernel import rules as r
from gendsl.prove.kernel.rules import Prop, Thm
from gendsl.prove.kernel.term import ONE, Atom, Poly, of_atom, poly
from gendsl.prove.signs import Signs


def discharge(t: Thm, allowed: set[Prop], cone: Cone, depth: int = 4) -> Thm | None:
    """The theorem without hypotheses outside of `allowed`."""
    for _ in range(depth):
        left = sorted(t.hyps - allowed, key=lambda h: h.poly.serial)
        if not left:
            return t
        for h in left:
            lemma = prove_closed(h, cone)
            if lemma is None or h in lemma.hyps:
                return None
            t = r.cut(t, lemma)
    return None if t.hyps - allowed else t


def prove_closed(h: Prop, cone: Cone) -> Thm | None:
    """A domain condition, for all values of its indices."""
    p, names = r.opened(h)
    equations = [t for t in cone.facts if t.concl.rel == "eq"]
    t = prove_comparison(h.rel, p, equations, cone, None, None, ())
    return None if t is None else r.generalize(t, names)


def prove_comparison(
    rel: str,
    p: Poly,
    equations: Sequence[Thm],
    cone: Cone,
    signs: Signs | None,
    node: Node | None,
    at: tuple[Atom, ...],
    depth: int = 1,
) -> Thm | None:
    """p rel 0; `node`, if any, is a node whose value at `at` is p."""
    found = _norms(rel, p, equations, cone, depth) if norms.rooted(p) else None
    if rel == "eq" and depth and found is None and factors.splits(p):
        found = _split(rel, p, equations, cone, depth)
    found = found or _directly(rel, p, equations, cone, signs, node, at)
    if found is None and rel != "ne" and depth:
        found = _by_summands(rel, p, equations, cone, depth)
    if found is None and depth:
        found = _split(rel, p, equations, cone, depth)
    if found is None and rel == "eq" and not top_atoms(p):
        found = norms.by_roots(rel, p, cone)
    if found is None and top_atoms(p):
        found = _branches(rel, p, equations, cone, depth)
    if found is None and depth and p.free and rel != "ne":

        def again(rel: str, p: Poly, cone: Cone) -> Thm | None:
            return prove_comparison(rel, p, equations, cone, None, None, (), 0)

        found = induct.by_induction(rel, p, cone, again)
    return found


def _branches(rel: str, p: Poly, equations: Sequence[Thm], cone: Cone, depth: int) -> Thm | None:
    """Without the relus and indicators that are known, or by cases."""
    steps, rest = settled(p, cone)
    if steps:
        t = prove_comparison(rel, rest, equations, cone, None, None, (), depth)
        if t is None or rel == "ne":
            return None
        return r.linear(rel, p, [(ONE, s) for s in (*steps, t)])
    return by_cases(rel, p, equations, cone, depth)


def _norms(rel: str, p: Poly, equations: Sequence[Thm], cone: Cone, depth: int) -> Thm | None:
    """An inequality between norms: squares decide it sooner than combinations do."""
    if rel != "ge":
        return None
    return (
        _branches(rel, p, equations, cone, depth) if top_atoms(p) else norms.by_roots(rel, p, cone)
    )


def _directly(
    rel: str,
    p: Poly,
    equations: Sequence[Thm],
    cone: Cone,
    signs: Signs | None,
    node: Node | None,
    at: tuple[Atom, ...],
) -> Thm | None:
    if rel == "eq":
        return equal.prove_zero(p, equations) or _by_both_sides(p, cone)
    if rel == "ne":
        up = prove_comparison("gt", p, equations, cone, None, None, ())
        down = (
            None if up else prove_comparison("gt", n.scale(p, -1), equations, cone, None, None, ())
        )
        if up is not None:
            return lemmas.weaken(up, "ne")
        return None if down is None else lemmas.opposite(lemmas.weaken(down, "ne"))
    if signs is not None and node is not None:
        t = signs.above(node, at if node.type.shape else ())
        if t is not None and t.poly is p and t.concl.rel in (rel, "gt"):
            return t if t.concl.rel == rel else lemmas.weaken(t, rel)
    steps, rest = equal.reduced(p, equations)
    t = cone.prove(rest, rel)
    if t is None:
        t = cone.prove(p, rel) if steps else None
        return t and r.linear(rel, p, [(ONE, t)])
    return r.linear(rel, p, [(ONE, s) for s in (*steps, t)])


def _split(rel: str, p: Poly, equations: Sequence[Thm], cone: Cone, depth: int) -> Thm | None:
    """With roots and logarithms of products split, or as a product of positive factors."""
    if rel == "gt" and (t := factors.positive(p, cone)) is not None:
        return t
    steps, rest = induct.unrolled(p)
    more, rest = factors.split(rest, cone)
    steps = [*steps, *more]
    if not steps:
        return None
    t = prove_comparison(rel, rest, equations, cone, None, None, (), depth - 1)
    if t is None or rel == "ne":
        return None
    return r.linear(rel, p, [(ONE, s) for s in (*steps, t)])


def settled(p: Poly, cone: Cone) -> tuple[list[Thm], Poly]:
    """p without the relus and indicators whose argument has a provable sign."""
    steps: list[Thm] = []
    for _ in range(8):
        e = next((e for a in top_atoms(p) if (e := _known_branch(a, cone)) is not None), None)
        if e is None:
            return steps, p
        a, value = e
        for k in {k for m in p.terms for b, k in m if b is a}:
            rows = {
                tuple(x for x in m if x[0] is not a): c for m, c in p.terms.items() if (a, k) in m
            }
            equal_ = (
                value
                if k == 1
                else lemmas.same_power(value, of_atom(a), n.sub(of_atom(a), value.poly), k)
            )
            factor = poly(rows)
            step = r.linear("eq", n.mul(factor, equal_.poly), [(factor, equal_)])
            steps.append(step)
            p = n.sub(p, step.poly)
    return steps, p


def top_atoms(p: Poly) -> list[Atom]:
    found = {a: None for m in p.terms for a, k in m if a.kind in ("relu", "ge0")}
    return list(found)


def _known_branch(a: Atom, cone: Cone) -> tuple[Atom, Thm] | None:
    """An equation `a - value = 0` for a relu or an indicator of known branch."""
    u = a.args[0]
    up = cone.prove(u) or factors.positive(u, cone)
    if up is not None:
        up = lemmas.weaken(up, "ge") if up.concl.rel == "gt" else up
        return a, lemmas.relu_at(up) if a.kind == "relu" else lemmas.indicator_at(up)
    down = cone.prove(n.scale(u, -1), "ge" if a.kind == "relu" else "gt")
    if down is None:
        return None
    if a.kind == "ge0":
        return a, lemmas.indicator_at(down)
    return a, relu_zero(u, lemmas.weaken(down, "ge") if down.concl.rel == "gt" else down)


def by_cases(rel: str, p: Poly, equations: Sequence[Thm], cone: Cone, depth: int) -> Thm | None:
    """Split on the sign of the argument of a relu."""
    for a in [a for a in top_atoms(p) if a.kind == "relu"][: 2 if depth else 0]:
        u, halves = a.args[0], list[Thm]()
        for side in (u, n.scale(u, -1)):
            h = r.assume(r.prop("ge", side))
            inner = Cone([*cone.facts, h], cone.expired)
            t = prove_comparison(rel, p, equations, inner, None, None, (), depth - 1)
            if t is None:
                break
            halves.append(t if t.concl.rel == rel else lemmas.weaken(t, rel))
        else:
            return lemmas.cases(u, *halves)
    return None


def _by_summands(rel: str, p: Poly, equations: Sequence[Thm], cone: Cone, depth: int) -> Thm | None:
    """For p = outer * sum of a body over common indices: the body's sign, then the sum's."""
    common: list[Atom] | None = None
    outer, body = ONE, poly({})
    for k, (m, c) in enumerate(p.terms.items()):
        sums = [a for a, e in m if a.kind == "S" and e == 1]
        if len(sums) != 1:
            return None
        binders, inner = n.open_sum(sums[0])
        rest = n.assemble({a: e for a, e in m if a is not sums[0]})
        if k == 0:
            common, outer = binders, rest
        assert common is not None
        if rest is not outer or [b.args[1] for b in binders] != [b.args[1] for b in common]:
            return None
        renamed = n.substitute(inner, dict(zip(binders, common, strict=True)))
        body = n.add(body, n.scale(renamed, c))
    if common is None or not (n.positive(outer) or rel == "eq"):
        return None
    t = prove_comparison(rel, body, equations, cone, None, None, (), depth)
    if t is None:
        return None
    for b in common:
        t = r.total(t, b)
    if n.mul(outer, t.poly) is not p:
        return None
    return r.linear(rel, p, [(outer, t)])


def _by_both_sides(p: Poly, cone: Cone) -> Thm | None:
    up = None if cone.nonzero(p) else cone.prove(p, effort=1)
    down = None if up is None else cone.prove(n.scale(p, -1), effort=1)
    if up is None or down is None:
        return None
    weak = (lemmas.weaken(t, "ge") if t.concl.rel == "gt" else t for t in (up, down))
    return lemmas.combine(*weak)
