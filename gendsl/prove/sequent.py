"""Proving one sequent: hypotheses and a comparison, over the terms of graph nodes.

In: comparisons. Out: a kernel theorem whose conclusion is the goal's proposition and whose
hypotheses are only those of the claim and declared ranges, or None. Readings of the graph are tried
from the most abstract to the full one, each a sound generalisation of the next. Domain conditions,
of what a reading shows and of the proof, are proved like goals and cut.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from gendsl.ir.graph import Node
from gendsl.ops import arithmetic as ar
from gendsl.ops import unary as un
from gendsl.prove import equal, lemmas, norms, peel
from gendsl.prove.compare import discharge, prove_closed, prove_comparison
from gendsl.prove.cone import Cone
from gendsl.prove.kernel import normal as n
from gendsl.prove.kernel import rules as r
from gendsl.prove.kernel.rules import Prop, Thm, prop
from gendsl.prove.kernel.term import Atom, Poly
from gendsl.prove.props import Comparison
from gendsl.prove.reading import Reading, Sequent, Setting, declared, readings, signed, visible
from gendsl.prove.signs import Signs
from gendsl.prove.terms import Reader, indices, pointwise


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
    plainly, setting = setting, signed(setting, sequent.given)
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
            sides = domain(sequent, plainly, found.opaque)
            if sides is not None:
                return replace(found, conditions=sides)
    return None


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
        hyps = [r.assume(q.prop(self.reader)) for q in given]
        given_signs = self._lemmas(p, goal.relation, hyps)
        facts = [*hyps, *declared(self.sequent.nodes, self.setting)]
        facts += [r.assume(prop(*entry[0])) for entry in given_signs]
        cone = Cone(facts, self.setting.expired)
        signs = Signs(self.reader, cone)
        equations = [t for t in facts if t.concl.rel == "eq"]
        for q, h in zip(given, hyps, strict=True):
            equations += self._consequences(q, h, signs)
        cone.facts = [*norms.rewritten(facts, equations), *facts]
        t = prove_comparison(goal.relation, p, equations, cone, signs, goal.node, at)
        if t is None and given:
            false = cone.contradiction()
            t = false and lemmas.absurd(false, goal.relation, p)
        if t is None:
            return None
        t = self._grounded(r.generalize(t, [i for i in at if i in p.free]), given_signs)
        if t.concl != goal.prop(self.ground):
            raise n.KernelError("the theorem is not the goal")
        return self._finished(t)

    def _lemmas(
        self, p: Poly, rel: str, hyps: Sequence[Thm]
    ) -> list[tuple[tuple[str, Poly, list[Atom]], Thm]]:
        """Signs of the inner nodes that matter: for an equation, those in its hypotheses."""
        used = frozenset[str]().union(*(equal.mentioned(h.concl.poly) for h in hyps))
        if rel == "eq" and equal.prove_zero(p, [h for h in hyps if h.concl.rel == "eq"]):
            return []
        used |= equal.mentioned(p) if rel != "eq" else frozenset()
        inner = [x for x in sorted(self.reading.inner, key=lambda x: x.id) if f"%{x.id}" in used]
        return [x for x in map(self._lemma, inner) if x]

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

    def _grounded(self, t: Thm, proved: Sequence[tuple[object, Thm]]) -> Thm:
        """The theorem about the inner nodes' variables, for the terms of these nodes."""
        used = equal.mentioned(t.concl.poly).union(*(equal.mentioned(h.poly) for h in t.hyps))
        for x in sorted(self.reading.inner, key=lambda x: -x.id):
            if f"%{x.id}" not in used:
                continue
            at = indices(x.type.shape)
            self.opened.add(x)
            t = r.instance(t, f"%{x.id}", at, self.ground.real(x, at))
        for _, lemma in proved:
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
    opaque is a real number: a claim speaks about points where its terms are defined.) `setting` has
    no signs from hypotheses: what is kept in `defined` holds without them."""
    found: list[Thm] = []
    for x in visible(sequent.nodes, opaque):
        if isinstance(x.op, _PARTIAL) and x not in setting.defined:
            below = Sequent(sequent.given, Comparison("ge", x, x, None))
            sides = _defined(x, Sequent((), below.goal), setting)
            if sides is None and sequent.given:
                sides = _defined(x, below, signed(setting, sequent.given))
            elif sides is not None:
                setting.defined.add(x)
            if sides is None:
                return None
            found += sides
    return tuple(found)


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
            sides = [_side(q, x, at, signs, cone) for q in tuple(reader.conditions)]
            done = [t and discharge(t, allowed, cone) for t in sides]
        except (n.KernelError, RecursionError):
            continue
        if all(done):
            return [t for t in done if t]
    return None


def _side(q: Prop, x: Node, at: tuple[Atom, ...], signs: Signs, cone: Cone) -> Thm | None:
    t = signs.above(x.inputs[-1], at)
    if t is not None and t.concl.rel == "gt" and q.rel in ("gt", "ne", "ge"):
        weak = t if q.rel == "gt" else lemmas.weaken(t, q.rel)
        closed = r.generalize(weak, [i for i in at if i in t.poly.free])
        if closed.concl == q:
            return closed
    return prove_closed(q, cone)


__all__ = ["Attempt", "Proof", "Sequent", "Setting", "domain", "prove", "visible"]
