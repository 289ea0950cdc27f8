"""Needs of derived bounds, and of equality up to a scale and a constant.

In: a claim that a value bounds the negative log-likelihood of a model. Out: `Need`s: those of the
law of the latent, and

    bound       value = mean over examples of -log p(x | z) + E_q[log q(z) - log p(z)]
    divergence  the mean over examples of E_q[log q(z) - log p(z)] is not negative
    tangent     log w <= w / c - 1 + log c   for all w, c > 0

and the model is one: the prior sees neither the data nor the latent, the likelihood sees the data
through the latent alone, and that of an example through the latent of that example. The mean under
q of the tangent, with w = p(x, z) / q(z) and c = p(x), is Jensen's inequality. E_q of a polynomial
of degree two is its mean at the two points one deviation from the mean.

`left == c * right + d up to ..`: the terms c and d that are shown depend on no parameter of the
groups, c > 0 ("scale"), and left - c * right - d = 0 ("constant").
"""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import Any

from mpmath import mp, mpf

from .arrays import Array, Undefined, places, scalar, tabulate
from .evaluate import Evaluator
from .functions import inverse, log, power, same
from .law_needs import law_needs
from .needs import Need, View, value_of
from .node_text import Node, below
from .obligation import Claim, Record
from .points import Point
from .replay import Prop, need

HALF = Fraction(1, 2)


def bound_needs(claim: Claim) -> list[Need]:
    bound = Bound(claim)
    found = law_needs(claim, bound.latent, claim.body["posterior"])
    for given in claim.hypotheses:
        found += [
            Need("bound", given, "eq", bound.gap, bound.derived),
            Need("divergence", given, "ge", bound.mean_divergence, bound.mean_divergence),
            Need("tangent", given, "ge", _tangent),
        ]
    return found


def _tangent(view: View, point: Point) -> Array:
    w, c = (point.real(name, ()) for name in ("weight", "evidence"))
    if w <= 0 or c <= 0:
        raise Undefined("not positive")
    return scalar(w * inverse(c) + log(c) - 1 - log(w))


class Bound:
    """The model of a bound."""

    def __init__(self, claim: Claim) -> None:
        body = claim.body
        self.claim, self.batch = claim, str(body["batch"])
        self.value, self.target, self.latent = (
            claim.node(body[k]) for k in ("value", "target", "latent")
        )
        self.laws = {k: self._law(body[k]) for k in ("prior", "likelihood", "posterior")}
        self._generative()

    def _law(self, law: Record) -> dict[str, Node]:
        found = {k: self.claim.node(v) for k, v in law["arguments"].items()}
        need(law["dist"] == "normal" and {*found} == {"mean", "var"}, "not a diagonal normal law")
        return found

    def _generative(self) -> None:
        modelled = {x for x in below([self.target]) if x.op.name == "input"} | {self.target}
        modelled |= {x for x in below([self.latent]) if x.op.name == "draw"}
        for x in self._seen("prior", frozenset()):
            need(x not in modelled and x is not self.latent, "the prior sees the data")
        for x in self._seen("likelihood", frozenset({self.latent})):
            need(x not in modelled, "the likelihood sees the data past the latent")

    def _seen(self, name: str, through: frozenset[Node]) -> set[Node]:
        found: set[Node] = set()
        stack = list(self.laws[name].values())
        while stack:
            x = stack.pop()
            if x not in found and x not in through:
                found.add(x)
                stack.extend(x.inputs)
        return found

    def own_latent(self, point: Point) -> None:
        """The likelihood of an example does not change with the latents of the others."""
        many = point.sizes[self.batch]
        if many < 2:
            return
        stands = {self.latent: "latent"}
        shape = tuple(d.count(point.sizes) for d in self.latent.type.shape)
        row = tabulate(shape, lambda i: point.real("latent" if i[0] else "other latent", i))
        here, there = Evaluator(point, stands), Evaluator(point.with_fixed("latent", row), stands)
        for x in self.laws["likelihood"].values():
            a, b = here.value(x), there.value(x)
            rows = [i for i in places(a.shape) if i and i[0]]
            fine = all(same(a.at(i), b.at(i)) for i in rows) and (
                a.shape or same(a.at(()), b.at(()))
            )
            need(fine, "the likelihood of an example sees the latent of another")

    # ---- values ---------------------------------------------------------------------------

    def _nll(self, at: Evaluator, law: str, i: tuple[int, ...], x: Any) -> Any:
        m, v = self._arguments(at, law, i)
        return (log(2 * mp.pi * v) + (x - m) ** 2 * inverse(v)) / 2

    def _arguments(self, at: Evaluator, law: str, i: tuple[int, ...]) -> tuple[Any, Any]:
        mean, var = (at.value(self.laws[law][k]) for k in ("mean", "var"))
        return mean.at(i if mean.shape else ()), var.at(i if var.shape else ())

    def divergence(self, at: Evaluator) -> Any:
        shape, total = at.value(self.latent).shape, mpf(0)
        for i in places(shape):
            m, v = self._arguments(at, "posterior", i)
            for z in (m + power(v, HALF), m - power(v, HALF)):
                total += (self._nll(at, "prior", i, z) - self._nll(at, "posterior", i, z)) / 2
        return total

    def mean_divergence(self, view: View, point: Point) -> Array:
        return scalar(self.divergence(view.at(point)) / point.sizes[self.batch])

    def derived(self, view: View, point: Point) -> Array:
        at = view.at(point)
        self.own_latent(point)
        target = at.value(self.target)
        nll = sum(
            (self._nll(at, "likelihood", i, target.at(i)) for i in places(target.shape)), mpf(0)
        )
        return scalar((nll + self.divergence(at)) / point.sizes[self.batch])

    def gap(self, view: View, point: Point) -> Array:
        value = view.at(point).value(self.value)
        return value.map(lambda a, b: a - b, self.derived(view, point))


# ---- up to a scale and a constant -----------------------------------------------------------


def up_to_needs(claim: Claim, groups: Mapping[str, str]) -> list[Need]:
    body = claim.body
    moved = {f"param:{k}" for k, g in groups.items() if g in set(body["groups"])}
    need(moved, "no parameters in the groups")
    left, right = claim.node(body["left"]), claim.node(body["right"])
    leaves = {str(x.key): x for x in below([left, right]) if x.key is not None}

    def free(view: View) -> None:
        """The scale and the constant are made of leaves and variables that do not move."""
        known = {**leaves, **{v: x for x, v in view.subgoal.stands.items()}}
        for what in ("scale", "constant"):
            for name in view.replay.terms.names(view.shown(what).poly):
                node = known.get(name.rpartition("|")[0])
                need(node is not None, f"{name} is no value of the graph")
                fine = node is not None and not moved & {str(x.key) for x in below([node])}
                need(fine, f"the {what} depends on the parameters")

    def entry(view: View, point: Point, what: str, shape: tuple[int, ...]) -> Array:
        p: Prop = view.shown(what)
        need(len(p.binders) in (0, len(shape)), "a term of another shape")

        def at(i: tuple[int, ...]) -> Any:
            env = dict(zip(p.binders, i, strict=False))
            return value_of(view.replay, p, point, env)

        return tabulate(shape, at)

    def scale(view: View, point: Point) -> Array:
        found = entry(view, point, "scale", ())
        need(body["scale"] or same(found.entries[0], mpf(1)), "the scale is not 1")
        return found

    def gap(view: View, point: Point) -> Array:
        a, b = (view.at(point).value(x) for x in (left, right))
        rest = entry(view, point, "constant", a.shape)
        need(body["constant"] or all(same(x, mpf(0)) for x in rest.entries), "a constant")
        c = scale(view, point).entries[0]
        return a.map(lambda x, y, z: x - c * y - z, b, rest)

    found: list[Need] = []
    for given in claim.hypotheses:
        found.append(Need("scale", given, "gt", scale, None, free))
        found.append(Need("constant", given, "eq", gap, None, free))
    return found
