"""Replaying proof objects: each theorem follows from its premises by its rule.

In: the tables of a certificate, points. Out: nothing, or `Rejected` with theorem and reason.

A rule has a form (which premises, which relations, which data), which is checked as such, and
identities between terms, which are checked by values: both sides are evaluated with 60 digits at
random sizes and random reals, and must agree everywhere. (Two different terms of this language that
agree at such points to 40 digits would be a coincidence that no one can arrange; it is nevertheless
a test and not a proof, see `check.py`.) Signs of factors are read off the terms. Hypotheses of a
theorem must contain those of its premises and the domain conditions of its terms.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .arrays import Undefined
from .functions import same
from .points import Point
from .sizes import Malformed, Misfit
from .terms import Env, Override, Terms

NEEDED = 2  # points at which an identity has to be evaluated
Value = Callable[[Point, Env], Any]


class Rejected(Exception):
    """A step that does not follow."""


@dataclass(frozen=True)
class Prop:
    rel: str
    poly: str
    binders: tuple[str, ...]


@dataclass(frozen=True)
class Theorem:
    rule: str
    concl: str
    hyps: frozenset[str]
    premises: tuple[Theorem, ...]
    data: tuple[Any, ...]


Rule = Callable[["Replay", Theorem], "set[str] | None"]  # the hypotheses that are passed on


def need(test: object, reason: str) -> None:
    if not test:
        raise Rejected(reason)


class Replay:
    """The theorems of a certificate, checked in order."""

    def __init__(
        self,
        terms: Terms,
        tables: Mapping[str, Any],
        points: Sequence[Point],
        rules: Mapping[str, Rule],
    ) -> None:
        self.terms, self.points, self.rules = terms, points, rules
        self.props = [Prop(rel, poly, tuple(binders)) for rel, poly, binders in tables["props"]]
        self._equal: dict[tuple[str, str], bool] = {}
        self.theorems: list[Theorem] = []
        for p in self.props:
            need(p.rel in ("eq", "ge", "gt", "ne"), f"no relation {p.rel}")
            need(len(set(p.binders)) == len(p.binders), "a binder is repeated")
            need(all(terms.atom(b)[0] == "i" for b in p.binders), "a binder is no variable")
        for k, row in enumerate(tables["theorems"]):
            need(all(0 <= j < k for j in row["premises"]), "a premise comes later")
            premises = tuple(self.theorems[j] for j in row["premises"])
            data = tuple(row["data"])
            t = Theorem(row["rule"], row["concl"], frozenset(row["hyps"]), premises, data)
            try:
                self._check(t)
            except (Rejected, Malformed, Misfit, Undefined) as problem:
                raise Rejected(f"theorem {k}, by {t.rule}: {problem}") from problem
            self.theorems.append(t)

    # ---- what rules are made of -----------------------------------------------------------

    def prop(self, ref: str) -> Prop:
        need(ref.startswith("h"), f"{ref} is not a proposition")
        return self.props[int(ref[1:])]

    def concl(self, t: Theorem) -> Prop:
        return self.prop(t.concl)

    def open(self, t: Theorem, *rels: str) -> str:
        """The polynomial of an unquantified conclusion with one of these relations."""
        p = self.concl(t)
        need(not p.binders, "the conclusion is quantified")
        need(not rels or p.rel in rels, f"the relation is {p.rel}, not one of {rels}")
        return p.poly

    def of(self, ref: str, over: Override | None = None) -> Value:
        return lambda point, env: self.terms.value(ref, point, env, over)

    def agree(self, left: Value, right: Value, free: Sequence[str], what: str = "") -> None:
        """The two are equal at all points, for the values of the free indices tried."""
        done = 0
        for point in self.points:
            try:
                rows = self.terms.assignments(sorted(free), point, {})
                step = max(1, len(rows) // 6)
                for env in rows[::step]:
                    a, b = left(point, env), right(point, env)
                    need(same(a, b), f"{what or 'the two sides'}: {a} is not {b}")
            except (Undefined, OverflowError):
                continue
            done += 1
        need(done >= NEEDED, "no point at which the terms are defined")

    def is_(self, t: Theorem, value: Value, free: Sequence[str], *rels: str) -> None:
        """The conclusion is unquantified and has this value."""
        poly = self.open(t, *rels)
        self.agree(self.of(poly), value, [*{*free, *self.terms.free(poly)}])

    def free(self, *refs: str) -> list[str]:
        return sorted(frozenset().union(*(self.terms.free(x) for x in refs)))

    def alike(
        self, a: Prop, poly: str, binders: Sequence[str], over: Override | None = None
    ) -> bool:
        """Whether `a` says `poly rel 0` for all values of `binders` (those that occur)."""
        mine, yours = list(a.binders), [b for b in binders if b in self.terms.free(poly)]
        loose = sorted((self.terms.free(a.poly) - {*mine}) | (self.terms.free(poly) - {*yours}))
        for chosen in itertools.permutations(yours, len(mine)):
            if all(self._same_size(x, y) for x, y in zip(mine, chosen, strict=True)):
                names = dict(zip(mine, chosen, strict=True))

                def renamed(point: Point, env: Env, names: Mapping[str, str] = names) -> Any:
                    own = {**env, **{x: env[y] for x, y in names.items()}}
                    return self.terms.value(a.poly, point, own)

                try:
                    self.agree(renamed, self.of(poly, over), [*loose, *yours])
                    return True
                except Rejected:
                    continue
        return False

    def _same_size(self, x: str, y: str) -> bool:
        return all(self.terms.size(x, p) == self.terms.size(y, p) for p in self.points)

    def among(self, refs: Sequence[str] | frozenset[str], rel: str, poly: str) -> bool:
        """Whether one of the propositions says `poly rel 0` for all its free indices."""
        binders = self.free(poly)
        return any(
            p.rel == rel and self.alike(p, poly, binders) for p in (self.prop(h) for h in refs)
        )

    def equal(self, a: str, b: str) -> bool:
        """Whether two propositions are the same up to the names of binders."""
        if a == b:
            return True
        key = (min(a, b), max(a, b))
        if key not in self._equal:
            p, q = self.prop(a), self.prop(b)
            self._equal[key] = p.rel == q.rel and self.alike(p, q.poly, q.binders)
        return self._equal[key]

    # ---- hypotheses -----------------------------------------------------------------------

    def _check(self, t: Theorem) -> None:
        rule = self.rules.get(t.rule)
        if rule is None:
            raise Rejected("no such rule")
        inherited = {h for p in t.premises for h in p.hyps}
        dropped = rule(self, t)
        if dropped is not None:
            inherited = dropped
        for h in inherited:
            need(h in t.hyps or any(self.equal(h, g) for g in t.hyps), "a hypothesis is lost")
        if t.rule != "cut":
            self._conditions(t)

    def _conditions(self, t: Theorem) -> None:
        """The domain conditions of the conclusion and of the data are hypotheses."""
        refs = [self.concl(t).poly, *(x for x in t.data if isinstance(x, str) and x[:1] == "p")]
        for ref in refs:
            for rel, base in self.terms.conditions(ref):
                fits = any(self._says(self.prop(h), rel, base) for h in t.hyps)
                need(fits, f"the condition {rel} on {base} is not among the hypotheses")

    def _says(self, p: Prop, rel: str, base: str) -> bool:
        """Whether a hypothesis is `base rel 0` for all its indices (> implies >= and !=)."""
        if p.rel != rel and p.rel != "gt":
            return False
        if base.startswith("p"):
            return self.alike(p, base, self.free(base))
        rows = self.terms.poly(p.poly)
        alone = len(rows) == 1 and rows[0][0] == 1 and len(rows[0][1]) == 1
        if not alone:
            return False
        loose = self.free(base)
        for chosen in itertools.permutations(loose, len(p.binders)):
            if len(chosen) == len(loose) and all(map(self._same_size, p.binders, chosen)):
                names = dict(zip(p.binders, chosen, strict=True))
                try:
                    self.agree(
                        lambda point, env, names=names: self.terms.value(  # type: ignore[misc]
                            p.poly, point, {x: env[y] for x, y in names.items()}
                        ),
                        lambda point, env: self.terms.atom_value(base, point, env),
                        loose,
                    )
                    return True
                except Rejected:
                    continue
        return False

    def fixed(self, i: str, *theorems: Theorem) -> None:
        """The index is not free in a hypothesis."""
        need(self.terms.atom(i)[0] == "i", "not an index variable")
        for t in theorems:
            for h in t.hyps:
                p = self.prop(h)
                need(i not in self.terms.free(p.poly) - {*p.binders}, "free in a hypothesis")
