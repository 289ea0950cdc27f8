"""Proving one sequent: hypotheses and a comparison, over the terms of graph nodes.

In: comparisons. Out: a kernel theorem whose conclusion is the goal's proposition and whose
hypotheses are only those of the claim and declared ranges, or None. Three readings of the graph are
tried, each a sound generalisation of the next: named terms opaque, net results opaque, nothing
opaque. Domain conditions, of the reading and of the proof, are proved like goals and cut.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction

from gendsl.ir.graph import Builder, Node, reachable
from gendsl.ops import arithmetic as ar
from gendsl.ops import broadcast as br
from gendsl.ops.leaf import Const, Draw, Input, SizeValue
from gendsl.prove import equal, peel
from gendsl.prove.cone import Cone
from gendsl.prove.kernel import normal as n
from gendsl.prove.kernel import rules as r
from gendsl.prove.kernel.rules import Prop, Thm, prop
from gendsl.prove.kernel.term import ONE, Atom, Poly, atom, const, of_atom
from gendsl.prove.props import Comparison
from gendsl.prove.signs import Signs
from gendsl.prove.terms import Reader, indices, leaf_name, size
from gendsl.shape.dim import Dim
from gendsl.shape.tensor_type import Fin, Range


@dataclass(frozen=True)
class Setting:
    """What a claim may use: declared ranges of leaves (by variable name), lower bounds of sizes,
    bounds of index arguments, and when to stop."""

    build: Builder
    ranges: Mapping[str, Range]
    at_least: Mapping[str, Dim]
    index_bounds: Mapping[Node, tuple[Dim | None, Dim | None]]
    deadline: float
    opaque: frozenset[Node] = frozenset()

    def expired(self) -> bool:
        return time.monotonic() > self.deadline


def with_ranges(setting: Setting, ranges: Mapping[str, Range]) -> Setting:
    return replace(setting, ranges=ranges)


@dataclass(frozen=True)
class Sequent:
    """From every comparison in `given`, `goal`."""

    given: tuple[Comparison, ...]
    goal: Comparison

    @property
    def nodes(self) -> list[Node]:
        return [
            x for q in (*self.given, self.goal) for x in (q.node, q.left, q.right) if x is not None
        ]


@dataclass
class Proof:
    """A finished sequent: the theorem, the side conditions of the reading, and the reading."""

    sequent: Sequent
    theorem: Thm
    conditions: tuple[Thm, ...]
    reader: Reader
    level: str


def prove(sequent: Sequent, setting: Setting) -> Proof | None:
    """The first reading in which the sequent is proved."""
    tried: set[frozenset[Node]] = set()
    options = readings(sequent, setting)
    nets = dict(options)["nets"]
    for level, opaque in options:
        key = frozenset(opaque)
        if key in tried or setting.expired():
            continue
        tried.add(key)
        try:
            inner = opaque - nets if level == "terms" else frozenset()
            found = Attempt(sequent, setting, opaque, inner, level).run()
        except (n.KernelError, RecursionError):
            found = None
        if found is not None:
            return found
    return None


def readings(sequent: Sequent, setting: Setting) -> list[tuple[str, frozenset[Node]]]:
    """The sets of nodes to read as variables, from most to least abstract."""
    below = reachable(sequent.nodes)
    named = frozenset(x for x in below if x in setting.build.names and x.inputs)
    named |= setting.opaque & frozenset(below)
    return [("terms", leaves(sequent.nodes) | named), ("nets", named), ("full", setting.opaque)]


_SPLIT = (ar.Add, ar.Sub, ar.Mul, ar.Neg, ar.Div, br.Broadcast)


def leaves(roots: Iterable[Node]) -> frozenset[Node]:
    """What remains when sums and products are taken apart from `roots` downward."""
    found: set[Node] = set()
    stack, seen = list(roots), set[Node]()
    while stack:
        x = stack.pop()
        if x in seen:
            continue
        seen.add(x)
        if isinstance(x.op, _SPLIT):
            stack.extend(x.inputs)
        elif not isinstance(x.op, Const | SizeValue | Input | Draw | br.Broadcast):
            found.add(x)
    return frozenset(x for x in found if not isinstance(x.type.elem, Fin))


@dataclass
class Attempt:
    """One sequent under one reading. `inner` are the nodes that are variables only at first: the
    theorem about them is instantiated to their own terms at the end."""

    sequent: Sequent
    setting: Setting
    opaque: frozenset[Node]
    inner: frozenset[Node]
    level: str
    reader: Reader = field(init=False)
    ground: Reader = field(init=False)
    allowed: set[Prop] = field(default_factory=set)

    def __post_init__(self) -> None:
        outer = self.opaque - self.inner
        self.ground = Reader({x: f"%{x.id}" for x in outer}, self.setting.ranges)
        self.reader = (
            Reader({x: f"%{x.id}" for x in self.opaque}, self.setting.ranges)
            if self.inner
            else self.ground
        )

    def run(self) -> Proof | None:
        goal, given = self.sequent.goal, self.sequent.given
        at = goal.at()
        p = goal.poly(self.reader, at)
        used = equal.mentioned(p).union(*(equal.mentioned(q.prop(self.reader).poly) for q in given))
        inner = [x for x in sorted(self.inner, key=lambda x: x.id) if f"%{x.id}" in used]
        lemmas = [t for t in map(self._lemma, inner) if t]
        hyps = [r.assume(q.prop(self.reader)) for q in given]
        facts = [*hyps, *declared(self.sequent.nodes, self.setting)]
        facts += [r.assume(prop(*entry[0])) for entry in lemmas]
        cone = Cone(facts, self.setting.expired)
        signs = Signs(self.reader, cone)
        equations = [t for t in facts if t.concl.rel == "eq"]
        for q, t in zip(given, hyps, strict=True):
            equations += self._consequences(q, t, signs)
        t: Thm | None = prove_comparison(goal.relation, p, equations, cone, signs, goal.node, at)
        if t is None:
            return None
        t = self._grounded(r.generalize(t, [i for i in at if i in p.free]), lemmas)
        if t.concl != goal.prop(self.ground):
            raise n.KernelError("the theorem is not the goal")
        return self._finished(t)

    def _lemma(self, x: Node) -> tuple[tuple[str, Poly, list[Atom]], Thm] | None:
        """For a term of evident sign: what to assume of its variable, and the proof."""
        at = indices(x.type.shape)
        facts = declared([x], self.setting)
        t = Signs(self.ground, Cone(facts, self.setting.expired)).above(x, at)
        if t is None:
            return None
        closed = r.generalize(t, [i for i in at if i in t.poly.free])
        return (t.concl.rel, self.reader.real(x, at), list(at)), closed

    def _consequences(self, q: Comparison, t: Thm, signs: Signs) -> list[Thm]:
        """What a hypothesis `nonnegative term = 0` says about the parts of the term."""
        if q.rel != "eq" or q.node is None:
            return []
        at = q.at()
        above = signs.above(q.node, at if q.node.type.shape else ())
        if above is None:
            return []
        zero = equal.specialized(t, above.poly)
        return list(peel.equations(zero, above, [i for i in at if i in above.poly.free]))

    def _grounded(self, t: Thm, lemmas: Sequence[tuple[object, Thm]]) -> Thm:
        """The theorem about the inner nodes' variables, for the terms of these nodes."""
        for x in sorted(self.inner, key=lambda x: -x.id):
            at = indices(x.type.shape)
            t = r.instance(t, f"%{x.id}", at, self.ground.real(x, at))
        for _, lemma in lemmas:
            t = r.cut(t, lemma)
        return t

    def _finished(self, t: Thm) -> Proof | None:
        """The proof with every hypothesis that is not the claim's own proved and cut."""
        allowed = {q.prop(self.ground) for q in self.sequent.given}
        facts = declared(self.sequent.nodes, self.setting)
        allowed |= {f.concl for f in facts}
        cone = Cone([*(r.assume(a) for a in allowed)], self.setting.expired)
        done = discharge(t, allowed, cone)
        sides = []
        for q in self.ground.conditions:
            side = prove_closed(q, cone)
            side = side and discharge(side, allowed, cone)
            if side is None:
                return None
            sides.append(side)
        return (
            None
            if done is None
            else Proof(self.sequent, done, tuple(sides), self.ground, self.level)
        )


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
) -> Thm | None:
    """p rel 0; `node`, if any, is a node whose value at `at` is p."""
    if rel == "eq":
        found = equal.prove_zero(p, equations)
        return found or _by_both_sides(p, cone)
    if rel == "ne":
        up = prove_comparison("gt", p, equations, cone, None, None, ())
        down = (
            None if up else prove_comparison("gt", n.scale(p, -1), equations, cone, None, None, ())
        )
        if up is not None:
            return r.weaken(up, "ne")
        return None if down is None else r.opposite(r.weaken(down, "ne"))
    if signs is not None and node is not None:
        t = signs.above(node, at if node.type.shape else ())
        if t is not None and t.poly is p and t.concl.rel in (rel, "gt"):
            return t if t.concl.rel == rel else r.weaken(t, rel)
    steps, rest = equal.reduced(p, equations)
    t = cone.prove(rest, rel)
    if t is None or not steps:
        return t if t is not None else cone.prove(p, rel)
    return r.linear(rel, p, [(ONE, s) for s in (*steps, t)])


def _by_both_sides(p: Poly, cone: Cone) -> Thm | None:
    up = cone.prove(p)
    down = None if up is None else cone.prove(n.scale(p, -1))
    return None if up is None or down is None else r.combine(down, up)


def declared(nodes: Iterable[Node], setting: Setting) -> list[Thm]:
    """The declared ranges of the leaves below `nodes`, and of sizes, as assumed theorems."""
    found: list[Prop] = []
    for x in reachable(list(nodes)):
        if isinstance(x.op, Input | Draw):
            found += _leaf_facts(x, setting)
    for name, least in setting.at_least.items():
        gap = n.sub(of_atom(atom("dim", name)), size(least))
        if not n.nonnegative(gap):
            found.append(prop("ge", gap))
    return [r.assume(p) for p in dict.fromkeys(found)]


def _leaf_facts(x: Node, setting: Setting) -> list[Prop]:
    if isinstance(x.type.elem, Fin):
        low, high = setting.index_bounds.get(x, (None, None))
        if x.type.shape or not (low or high):
            return []
        v = n.value_of(Reader().index(x, ()))
        sides = [n.sub(v, size(low))] if low is not None else []
        sides += [n.sub(size(high), v)] if high is not None else []
        return [prop("ge", s) for s in sides if not n.nonnegative(s)]
    uniform = isinstance(x.op, Draw) and x.op.dist == "uniform"
    bounds = Range(None, Fraction(1)) if uniform else setting.ranges.get(leaf_name(x))
    if bounds is None:
        return []
    at = indices(x.type.shape)
    v = Reader(ranges=setting.ranges).real(x, at)
    sides = [n.sub(v, const(bounds.low))] if bounds.low is not None else []
    sides += [n.sub(const(bounds.high), v)] if bounds.high is not None else []
    return [prop("ge", s, at) for s in sides if not n.nonnegative(s)]
