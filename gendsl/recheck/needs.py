"""What claims that are no comparisons of nodes have to show, by name; and how it is judged.

In: a claim, the subgoals of its certificate. Out: nothing, or `Rejected`. A `Need` is worked out
here from the claim and the graph alone: its name, the relation to 0 that a theorem has to state,
and the value of what is related, entry by entry, computed on the graph at a point. A subgoal of the
certificate meets it when its theorem's conclusion has these values at all points tried, its
hypotheses are the claim's (or comparisons with theorems of their own, or declared ranges), and the
term that it shows has the values that this checker computes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, field
from typing import Any

from .arrays import Array, Undefined
from .evaluate import Evaluator
from .node_text import Node
from .obligation import Claim, Comparison, Conjunction, Entries, Record, Sequent, linked
from .points import Point
from .replay import Prop, Rejected, Replay
from .sizes import Misfit


@dataclass(frozen=True)
class Subgoal:
    """One row of the certificate, with the nodes that its theorem reads as variables."""

    what: str
    given: Conjunction
    theorem: int
    conditions: tuple[int, ...]
    stands: Mapping[Node, str]
    about: Node | None
    term: str | None

    @staticmethod
    def read(row: Record, claim: Claim) -> Subgoal:
        return Subgoal(
            str(row["what"]),
            tuple(
                Comparison(q["rel"], claim.outputs[q["left"]], claim.outputs[q["right"]])
                for q in row["given"]
            ),
            int(row["theorem"]),
            tuple(int(k) for k in row["conditions"]),
            {claim.outputs[name]: str(v) for v, name in row["stands"].items()},
            None if row["about"] is None else claim.outputs[row["about"]],
            row["term"],
        )


@dataclass(frozen=True)
class View:
    """A subgoal at which a need looks, and the theorems and subgoals of the certificate."""

    subgoal: Subgoal
    replay: Replay
    others: Sequence[Subgoal]

    def at(self, point: Point) -> Evaluator:
        return Evaluator(point, self.subgoal.stands)

    def shown(self, what: str) -> Prop:
        """The term of the subgoal of this name."""
        given = self.subgoal.given
        rows = [s for s in self.others if s.what == what and s.given == given]
        found = [s.term for s in rows if s.term is not None]
        if len(found) != 1:
            raise Rejected(f"not one term of {what}")
        return self.replay.prop(found[0])


FEW = 3  # points
Read = Callable[[View, Point], Array]


def unrestricted(view: View) -> None:
    """Any node may be read as a variable."""


@dataclass(frozen=True)
class Need:
    """`entries rel 0` from the hypotheses; `term` is what the subgoal's term has to be, and
    `variables` raises `Rejected` unless the nodes read as variables may be."""

    what: str
    given: Conjunction
    rel: str
    entries: Read
    term: Read | None = None
    variables: Callable[[View], None] = unrestricted
    about: Node | None = None
    follows: Callable[[View], Iterable[Need]] = field(default=lambda view: ())


class Judge:
    """The subgoals of one certificate against the needs of its claim."""

    def __init__(
        self,
        subgoals: Sequence[Subgoal],
        sequents: Sequence[Sequent],
        replay: Replay,
        facts: Sequence[tuple[str, Entries]],
    ) -> None:
        self.subgoals, self.sequents, self.replay, self.facts = subgoals, sequents, replay, facts
        self.few = copy(replay)  # for needs about single nodes, of which there are many
        self.few.points = replay.points[:FEW]

    def all(self, needs: Iterable[Need]) -> int:
        """How many needs were met; those that follow from them included."""
        todo, done = list(needs), set[tuple[str, Conjunction, Node | None]]()
        while todo:
            need = todo.pop()
            key = need.what, need.given, need.about
            if need.about is not None and key in done:
                continue
            done.add(key)
            todo += need.follows(self._met(need))
        return len(done)

    def _met(self, need: Need) -> View:
        """The subgoal that meets a need."""
        reason = "there is no such subgoal"
        for s in self.subgoals:
            if s.what == need.what and s.about is need.about:
                try:
                    return self._judged(s, need)
                except Rejected as problem:
                    reason = str(problem)
        raise Rejected(f"{need.what}: {reason}")

    def _judged(self, s: Subgoal, need: Need) -> View:
        self._given(s, need)
        view = View(s, self.replay, self.subgoals)
        need.variables(view)
        concl = self.replay.prop(self.replay.theorems[s.theorem].concl)
        tried = self.replay if need.about is None else self.few
        if not linked(tried, concl, need.rel, lambda p: need.entries(view, p)):
            raise Rejected("the theorem does not say this")
        read = need.term
        if s.term is not None and read is not None:
            term = self.replay.prop(s.term)
            if not linked(tried, term, "eq", lambda p: read(view, p)):
                raise Rejected("the term shown is not that of the graph")
        for k in (s.theorem, *s.conditions):
            self._hypotheses(k, s)
        return view

    def _given(self, s: Subgoal, need: Need) -> None:
        """Each comparison that is used is a hypothesis of the claim, or has a sequent."""
        own = frozenset(need.given)
        shown = {q.goal for q in self.sequents if frozenset(q.given) <= own}
        if not frozenset(s.given) <= own | shown:
            raise Rejected("a comparison that is used is not shown")

    def _hypotheses(self, theorem: int, s: Subgoal) -> None:
        def entries(q: Comparison) -> Entries:
            return lambda point: q.gap(Evaluator(point, s.stands))

        allowed = [*((q.kernel_rel, entries(q)) for q in s.given), *self.facts]
        for h in self.replay.theorems[theorem].hyps:
            p = self.replay.prop(h)
            if not any(linked(self.replay, p, rel, f) for rel, f in allowed):
                raise Rejected("a hypothesis of the theorem is none of the claim's")


def value_of(replay: Replay, p: Prop, point: Point, env: Mapping[str, int]) -> Any:
    """The value of the term that a proposition shows."""
    return replay.terms.value(p.poly, point, env)


__all__ = ["Judge", "Misfit", "Need", "Subgoal", "Undefined", "View", "value_of"]
