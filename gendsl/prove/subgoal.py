"""Subgoals: obligations that are no comparison of two nodes, with their kernel theorems.

In: a polynomial read off the graph, the comparisons that may be used. Out: a `Subgoal`, whose
theorem says `polynomial rel 0` for all of its indices under nothing but these comparisons and
declared ranges, or None. `what` names the obligation ("mean", "covariance", "gradient", ...): the
certificate says no more, and the stand-alone checker works out by itself what that obligation is
for the claim. Nodes in `opaque` are variables in the theorem. `lemmas` prove those comparisons in
`given` that are none of the claim's hypotheses.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from gendsl.ir.graph import Node
from gendsl.prove.compare import discharge, prove_closed, prove_comparison
from gendsl.prove.cone import Cone
from gendsl.prove.kernel import rules as r
from gendsl.prove.kernel.rules import Prop, Thm
from gendsl.prove.kernel.term import Atom, Poly
from gendsl.prove.props import Comparison
from gendsl.prove.reading import Setting, declared
from gendsl.prove.sequent import Proof
from gendsl.prove.terms import Reader

Term = tuple[Poly, Sequence[Atom]]


@dataclass(frozen=True)
class Subgoal:
    """`term` is what was read off the graph, and the indices of its entries: the checker compares
    it with values of its own. `about` is a node that the
    obligation is about, where the claim does not determine it."""

    what: str
    given: tuple[Comparison, ...]
    theorem: Thm
    conditions: tuple[Thm, ...]
    roots: tuple[Node, ...]
    opaque: frozenset[Node] = frozenset()
    lemmas: tuple[Proof, ...] = ()
    term: Term | None = None
    about: Node | None = None


@dataclass(frozen=True)
class Scope:
    """What the subgoals of one reading have in common."""

    setting: Setting
    given: tuple[Comparison, ...]
    roots: tuple[Node, ...]
    opaque: frozenset[Node] = frozenset()
    lemmas: tuple[Proof, ...] = ()

    def show(
        self,
        what: str,
        goal: tuple[str, Poly],
        reader: Reader,
        at: Sequence[Atom] = (),
        term: Term | None = None,
    ) -> Subgoal | None:
        """The relation of a polynomial to 0 at all indices `at`, with every domain condition that
        the reader met."""
        rel, p = goal
        if rel == "eq" and not p.terms and not reader.conditions:  # by the normal form alone
            same = r.linear("eq", p, ())
            return Subgoal(what, self.given, same, (), self.roots, self.opaque, self.lemmas, term)
        given = (*self.given, *(x.sequent.goal for x in self.lemmas))
        hyps = [r.assume(q.prop(reader)) for q in given]
        facts = [*hyps, *declared(self.roots, self.setting)]
        cone, allowed = Cone(facts, self.setting.expired), {f.concl for f in facts}
        equations = [h for h in hyps if h.concl.rel == "eq"]
        t = prove_comparison(rel, p, equations, cone, None, None, ())
        closed = t and r.generalize(t, [i for i in at if i in t.poly.free])
        done = closed and discharge(closed, allowed, cone)
        if not done:
            return None
        sides = self.defined(reader.conditions, cone, allowed)
        if sides is None:
            return None
        return Subgoal(what, self.given, done, sides, self.roots, self.opaque, self.lemmas, term)

    @staticmethod
    def defined(
        conditions: Iterable[Prop], cone: Cone, allowed: set[Prop]
    ) -> tuple[Thm, ...] | None:
        """Proofs of domain conditions."""
        found: list[Thm] = []
        for q in sorted(conditions, key=lambda q: q.poly.serial):
            side = prove_closed(q, cone)
            done = side and discharge(side, allowed, cone)
            if not done:
                return None
            found.append(done)
        return tuple(found)
