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
from gendsl.ops import compare as cm
from gendsl.ops import movement as mv
from gendsl.ops import unary as un
from gendsl.ops.arity import Binary, Unary
from gendsl.ops.leaf import Const, Draw, Input, SizeValue
from gendsl.ops.symbolic import Pi
from gendsl.prove import equal, peel
from gendsl.prove.cone import Cone, relu_zero
from gendsl.prove.kernel import normal as n
from gendsl.prove.kernel import rules as r
from gendsl.prove.kernel.rules import Prop, Thm, prop
from gendsl.prove.kernel.term import ONE, Atom, Poly, atom, const, of_atom, poly
from gendsl.prove.props import Comparison
from gendsl.prove.signs import Signs
from gendsl.prove.terms import Reader, indices, leaf_name, pointwise, size
from gendsl.shape.dim import Dim
from gendsl.shape.tensor_type import Bool, Fin, Range


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
    signs: Mapping[str, str] = field(default_factory=dict)
    defined: set[Node] = field(default_factory=set)

    def later(self, seconds: float) -> Setting:
        """The setting with at least this much time left."""
        deadline = max(self.deadline, time.monotonic() + seconds)
        n.stop_at(deadline)
        return replace(self, deadline=deadline)

    def reader(self, opaque: Iterable[Node] = ()) -> Reader:
        return Reader({x: f"%{x.id}" for x in opaque}, self.ranges, self.signs)

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
    opaque: frozenset[Node] = frozenset()


def prove(sequent: Sequent, setting: Setting) -> Proof | None:
    """The first reading in which the sequent is proved."""
    setting = signed(setting, sequent.given)
    tried: set[Reading] = set()
    for reading in readings(sequent, setting):
        plain = replace(reading, level="")
        if plain in tried or setting.expired():
            continue
        tried.add(plain)
        try:
            found = Attempt(sequent, setting, reading).run()
        except (n.KernelError, RecursionError):
            found = None
        if found is not None:
            sides = domain(sequent, setting, found.opaque)
            if sides is not None:
                return replace(found, conditions=sides)
    return None


@dataclass(frozen=True)
class Reading:
    """Which nodes are variables; `inner` are only so until the theorem is instantiated."""

    level: str
    opaque: frozenset[Node]
    inner: frozenset[Node] = frozenset()

    @property
    def ground(self) -> frozenset[Node]:
        return self.opaque - self.inner


def readings(sequent: Sequent, setting: Setting) -> list[Reading]:
    """The sets of nodes to read as variables, from most to least abstract."""
    below = reachable(sequent.nodes)
    named = frozenset(x for x in below if x in setting.build.names and x.inputs)
    named |= setting.opaque & frozenset(below)
    shape = frontier(sequent.nodes, SHAPED, named) | named
    skeleton = frontier(sequent.nodes, _SIGNED, named) | named
    terms = frontier(sequent.nodes, _SPLIT, named) | named
    return [
        Reading("terms", terms | skeleton, terms - skeleton),
        Reading("terms", terms | shape, terms - shape),
        Reading("shape", shape),
        Reading("nets", named),
        Reading("full", setting.opaque),
    ]


def signed(setting: Setting, given: Iterable[Comparison]) -> Setting:
    return replace(setting, signs={**setting.signs, **signs_given(given)})


def signs_given(given: Iterable[Comparison]) -> dict[str, str]:
    """The signs of leaves that hypotheses of the form `leaf > 0` and `leaf >= 0` declare."""
    found: dict[str, str] = {}
    for q in given:
        positive = isinstance(q.right.op, Const) and isinstance(q.left.op, Input)
        if positive and q.right.op.value >= 0 and q.rel in ("gt", "ge"):  # type: ignore[attr-defined]
            strict = q.rel == "gt" or q.right.op.value > 0  # type: ignore[attr-defined]
            name = leaf_name(q.left)
            found[name] = "+" if strict or found.get(name) == "+" else "0+"
    return found


_SPLIT = (ar.Add, ar.Sub, ar.Mul, ar.Neg, ar.Div, br.Broadcast)
_SIGNED = (*_SPLIT, br.Sum, ar.Square, ar.Maximum, ar.StopGrad, mv.Transpose, mv.Reshape)
SHAPED = (Unary, Binary, br.Sum, br.Broadcast, mv.Transpose, mv.Reshape, cm.Where, cm.ToReal)
_LEAVES = (Const, SizeValue, Input, Draw, Pi)


def frontier(
    roots: Iterable[Node], through: tuple[type, ...], stop: frozenset[Node]
) -> frozenset[Node]:
    """Where a descent from `roots` through some ops ends: real nodes that are not leaves."""
    found: set[Node] = set()
    stack, seen = list(roots), set[Node]()
    while stack:
        x = stack.pop()
        if x in seen or x in stop:
            continue
        seen.add(x)
        if isinstance(x.type.elem, Fin | Bool) or isinstance(x.op, through):
            below = [y for y in x.inputs if not _halts(x, through)]
            stack.extend(below)
            found.update(y for y in x.inputs if y not in below and not isinstance(y.op, _LEAVES))
        elif not isinstance(x.op, _LEAVES):
            found.add(x)
    return frozenset(found)


def _halts(x: Node, through: tuple[type, ...]) -> bool:
    """A square is not looked into when only signs matter."""
    own = isinstance(x.op, ar.Mul) and x.inputs[0] is x.inputs[1]
    return through is _SIGNED and (own or isinstance(x.op, ar.Square))


@dataclass
class Attempt:
    """One sequent under one reading."""

    sequent: Sequent
    setting: Setting
    reading: Reading
    reader: Reader = field(init=False)
    ground: Reader = field(init=False)
    opened: set[Node] = field(default_factory=set)  # inner nodes that the theorem was about

    def __post_init__(self) -> None:
        self.ground = self.setting.reader(self.reading.ground)
        inner = self.reading.inner
        self.reader = self.setting.reader(self.reading.opaque) if inner else self.ground

    def run(self) -> Proof | None:
        goal, given = self.sequent.goal, self.sequent.given
        at = goal.at()
        p = goal.poly(self.reader, at)
        used = equal.mentioned(p).union(*(equal.mentioned(q.prop(self.reader).poly) for q in given))
        inner = [x for x in sorted(self.reading.inner, key=lambda x: x.id) if f"%{x.id}" in used]
        lemmas = [x for x in map(self._lemma, inner) if x]
        hyps = [r.assume(q.prop(self.reader)) for q in given]
        facts = [*hyps, *declared(self.sequent.nodes, self.setting)]
        facts += [r.assume(prop(*entry[0])) for entry in lemmas]
        cone = Cone(facts, self.setting.expired)
        signs = Signs(self.reader, cone)
        equations = [t for t in facts if t.concl.rel == "eq"]
        for q, h in zip(given, hyps, strict=True):
            equations += self._consequences(q, h, signs)
        t = prove_comparison(goal.relation, p, equations, cone, signs, goal.node, at)
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
        used = equal.mentioned(t.concl.poly).union(*(equal.mentioned(h.poly) for h in t.hyps))
        for x in sorted(self.reading.inner, key=lambda x: -x.id):
            if f"%{x.id}" not in used:
                continue
            at = indices(x.type.shape)
            self.opened.add(x)
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
        if done is None:
            return None
        shown = self.reading.opaque - self.opened
        return Proof(self.sequent, done, (), self.ground, self.reading.level, shown)


def domain(sequent: Sequent, setting: Setting, opaque: frozenset[Node]) -> tuple[Thm, ...] | None:
    """Proofs that every division, logarithm and root that the reading shows is defined. (What is
    opaque is a real number: a claim speaks about points where its terms are defined.)"""
    found: list[Thm] = []
    for x in visible(sequent.nodes, opaque):
        if isinstance(x.op, _PARTIAL) and x not in setting.defined:
            below = Sequent(sequent.given, Comparison("ge", x, x, None))
            sides = _defined(x, Sequent((), below.goal), setting)
            if sides is None and sequent.given:
                sides = _defined(x, below, setting)
            elif sides is not None:
                setting.defined.add(x)
            if sides is None:
                return None
            found += sides
    return tuple(found)


def visible(roots: Iterable[Node], opaque: frozenset[Node]) -> list[Node]:
    """The nodes that are reached from `roots` without passing an opaque one."""
    found: set[Node] = set()
    stack = list(roots)
    while stack:
        x = stack.pop()
        if x not in found and x not in opaque:
            found.add(x)
            stack.extend(x.inputs)
    return sorted(found, key=lambda x: x.id)


_PARTIAL = (ar.Div, ar.Reciprocal, ar.Power, un.Log, un.Log1p, un.Sqrt, un.Rsqrt)


def _defined(x: Node, sequent: Sequent, setting: Setting) -> list[Thm] | None:
    """The condition of one partial op, in the readings of its operand."""
    for reading in readings(Sequent(sequent.given, Comparison("ge", x, x, x)), setting)[2:]:
        try:
            reader = setting.reader(reading.opaque - {x})
            at = indices(x.type.shape)
            operands = [reader.real(a, at) for a in x.inputs]
            reader.conditions.clear()
            pointwise(x.op, operands, reader.need)
            hyps = [r.assume(q.prop(reader)) for q in sequent.given]
            facts = [*hyps, *declared([x, *sequent.nodes], setting)]
            cone = Cone(facts, setting.expired)
            signs = Signs(reader, cone)
            allowed = {f.concl for f in facts}
            sides = [_side(q, x, at, signs, cone) for q in reader.conditions]
            done = [t and discharge(t, allowed, cone) for t in sides]
        except (n.KernelError, RecursionError):
            continue
        if all(done):
            return [t for t in done if t]
    return None


def _side(q: Prop, x: Node, at: tuple[Atom, ...], signs: Signs, cone: Cone) -> Thm | None:
    t = signs.above(x.inputs[-1], at)
    if t is not None and t.concl.rel == "gt" and q.rel in ("gt", "ne", "ge"):
        weak = t if q.rel == "gt" else r.weaken(t, q.rel)
        closed = r.generalize(weak, [i for i in at if i in t.poly.free])
        if closed.concl == q:
            return closed
    return prove_closed(q, cone)


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
    found = _directly(rel, p, equations, cone, signs, node, at)
    if found is not None or not top_atoms(p):
        return found
    steps, rest = settled(p, cone)
    if steps:
        t = prove_comparison(rel, rest, equations, cone, None, None, (), depth)
        if t is None or rel == "ne":
            return None
        return r.linear(rel, p, [(ONE, s) for s in (*steps, t)])
    return by_cases(rel, p, equations, cone, depth)


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
            return r.weaken(up, "ne")
        return None if down is None else r.opposite(r.weaken(down, "ne"))
    if signs is not None and node is not None:
        t = signs.above(node, at if node.type.shape else ())
        if t is not None and t.poly is p and t.concl.rel in (rel, "gt"):
            return t if t.concl.rel == rel else r.weaken(t, rel)
    steps, rest = equal.reduced(p, equations)
    t = cone.prove(rest, rel)
    if t is None:
        t = cone.prove(p, rel) if steps else None
        return t and r.linear(rel, p, [(ONE, t)])
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
            equal_ = value if k == 1 else r.same_power(value, of_atom(a), k)
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
    up = cone.prove(u)
    if up is not None:
        up = r.weaken(up, "ge") if up.concl.rel == "gt" else up
        return a, r.relu_at(up) if a.kind == "relu" else r.indicator_at(up)
    down = cone.prove(n.scale(u, -1), "ge" if a.kind == "relu" else "gt")
    if down is None:
        return None
    if a.kind == "ge0":
        return a, r.indicator_at(down)
    return a, relu_zero(u, r.weaken(down, "ge") if down.concl.rel == "gt" else down)


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
            halves.append(t if t.concl.rel == rel else r.weaken(t, rel))
        else:
            return r.cases(u, *halves)
    return None


def _by_both_sides(p: Poly, cone: Cone) -> Thm | None:
    up = cone.prove(p)
    down = None if up is None else cone.prove(n.scale(p, -1))
    if up is None or down is None:
        return None
    return r.combine(*(r.weaken(t, "ge") if t.concl.rel == "gt" else t for t in (down, up)))


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
    v = setting.reader().real(x, at)
    sides = [n.sub(v, const(bounds.low))] if bounds.low is not None else []
    sides += [n.sub(const(bounds.high), v)] if bounds.high is not None else []
    return [prop("ge", s, at) for s in sides if not n.nonnegative(s)]
