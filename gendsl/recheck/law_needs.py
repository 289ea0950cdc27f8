"""Needs of claims about normal laws: an affine map of standard normals, its mean and covariance.

In: a claim that a value has a law, that an iterated step has, or that a value bounds a negative
log-likelihood. Out: `Need`s. v is the value as a function of its draws z:

    affine      v(z) + s (v(z') - v(0)) - v(z + s z') = 0   for all z, z' and s
    mean        v(0) - m = 0
    covariance  sum over draws of (v(one draw 1) - v(0))_i (..)_j - c_ij = 0

with the declared mean m and covariance c. Draws are the same when they have the same name and
index, and independent otherwise. An iterated step starts from m(k) + v(k)^(1/2) z with draws z of
its own, and has to lead to m(k + 1) and v(k + 1); at 0 steps m is the start and v is 0.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from mpmath import mpf

from .arrays import Array, places, tabulate
from .evaluate import Evaluator
from .functions import power
from .needs import Need, View
from .node_text import Node, below
from .obligation import Claim, Conjunction, Record
from .points import Point
from .replay import Rejected, need

Drawn = Mapping[str, Array]  # the values of draws, by key
Value = Callable[[View, Point, Drawn], Array]
Said = Callable[[View, Point], tuple[Array, Callable[[tuple[int, ...], tuple[int, ...]], Any]]]
STATE = "draw:iterate.state"
HALF = Fraction(1, 2)


@dataclass(frozen=True)
class Gaussian:
    """A value, its draws with their shapes at a point, and the law that it should have."""

    value: Value
    shapes: Callable[[Point], Mapping[str, tuple[int, ...]]]
    said: Said

    def needs(self, given: Conjunction, variables: Callable[[View], None]) -> list[Need]:
        rows = (
            ("affine", self.superposition, self.itself),
            ("mean", self.mean_gap, self.mean),
            ("covariance", self.covariance_gap, self.covariance),
        )
        return [Need(what, given, "eq", gap, term, variables) for what, gap, term in rows]

    def _drawn(self, point: Point, value: Callable[[str, tuple[int, ...]], Any]) -> Drawn:
        return {
            key: tabulate(shape, lambda i, key=key: value(key, i))  # type: ignore[misc]
            for key, shape in self.shapes(point).items()
        }

    def itself(self, view: View, point: Point) -> Array:
        return self.value(view, point, self._drawn(point, point.real))

    def superposition(self, view: View, point: Point) -> Array:
        s = point.real("scale of draws", ())
        again = self._drawn(point, lambda key, i: point.real(f"again:{key}", i))
        both = self._drawn(point, lambda key, i: point.real(key, i) + s * again[key].at(i))
        rows = [self.itself(view, point), self.value(view, point, again), self.mean(view, point)]
        ends = self.value(view, point, both)
        return ends.map(lambda e, v, w, m: v + s * (w - m) - e, *rows)

    def mean(self, view: View, point: Point) -> Array:
        return self.value(view, point, self._drawn(point, lambda key, i: mpf(0)))

    def mean_gap(self, view: View, point: Point) -> Array:
        found, (want, _) = self.mean(view, point), self.said(view, point)
        return tabulate(found.shape, lambda i: found.at(i) - want.at(i if want.shape else ()))

    def covariance(self, view: View, point: Point) -> Array:
        mean, columns = self.mean(view, point), list[Array]()
        for key, shape in self.shapes(point).items():
            for j in places(shape):
                drawn = self._drawn(point, lambda k, i, at=(key, j): mpf(int((k, i) == at)))  # type: ignore[misc]
                columns.append(self.value(view, point, drawn).map(lambda a, b: a - b, mean))
        rank = len(mean.shape)

        def entry(i: tuple[int, ...]) -> Any:
            rows = (c.at(i[:rank]) * c.at(i[rank:]) for c in columns)
            return sum(rows, mpf(0))

        return tabulate((*mean.shape, *mean.shape), entry)

    def covariance_gap(self, view: View, point: Point) -> Array:
        found, (_, want) = self.covariance(view, point), self.said(view, point)
        rank = len(found.shape) // 2
        return tabulate(found.shape, lambda i: found.at(i) - want(i[:rank], i[rank:]))


# ---- the law of a node ---------------------------------------------------------------------


def law_needs(claim: Claim, value: Node, law: Record) -> list[Need]:
    need(law["dist"] == "normal", "a law that is not normal")
    arguments = {k: claim.node(v) for k, v in law["arguments"].items()}
    fixed = {x.key for a in arguments.values() for x in below([a]) if x.op.name == "draw"}
    draws = [x for x in below([value]) if x.op.name == "draw" and x.key not in fixed]
    need(draws and all(x.op["dist"] == "normal" for x in draws), "not normal draws")
    need(not any(x.inputs for x in draws), "a draw of a loop")
    for given in claim.hypotheses:
        for x in below([y for q in given for y in (q.left, q.right)]):
            need(x not in draws, "a hypothesis about the draws")

    def at(view: View, point: Point, drawn: Drawn) -> Array:
        for key, row in drawn.items():
            point = point.with_fixed(key, row)
        return view.at(point).value(value)

    def said(view: View, point: Point) -> Any:
        here = view.at(point)
        return here.value(arguments["mean"]), _spread(here, law, arguments)

    def variables(view: View) -> None:
        moved = [x for x in view.subgoal.stands if not {*draws}.isdisjoint(below([x]))]
        need(not moved, "a variable for a node that depends on the draws")

    gaussian = Gaussian(at, lambda point: _shapes(point, draws), said)
    return [n for h in claim.hypotheses for n in gaussian.needs(h, variables)]


def _shapes(point: Point, draws: Sequence[Node]) -> dict[str, tuple[int, ...]]:
    return {str(x.key): tuple(d.count(point.sizes) for d in x.type.shape) for x in draws}


def _spread(at: Evaluator, law: Record, arguments: Mapping[str, Node]) -> Any:
    """The declared covariance of two entries."""
    given = at.value(arguments["var" if "var" in arguments else "cov"])
    lead = int(law["batch_axes"]["number"]) if isinstance(law["batch_axes"], dict) else 0

    def covariance(i: tuple[int, ...], j: tuple[int, ...]) -> Any:
        if "var" in arguments:
            return given.at(i if given.shape else ()) if i == j else mpf(0)
        if i[:lead] != j[:lead]:
            return mpf(0)
        full = len(given.shape) == 2 * len(i) - lead
        return given.at(((*i[:lead],) if full else ()) + (*i[lead:], *j[lead:]))

    return covariance


# ---- the law of an iterated step ------------------------------------------------------------


def iterated_needs(claim: Claim, body: Record) -> list[Need]:
    node = {k: claim.node(body[k]) for k in ("initial", "state", "index", "step", "count")}
    need(body["law"]["dist"] == "normal", "a law that is not normal")
    law = {k: claim.node(v) for k, v in body["law"]["arguments"].items()}
    need("var" in law and node["count"].type.bound is not None, "not a law by number of steps")
    draws = [x for x in below([node["step"]]) if x.op.name == "draw"]
    need(all(x.op["dist"] == "normal" and not x.inputs for x in draws), "not normal draws")
    held = [claim.node(x) for x in body["held"]]
    still = [node["initial"], *law.values(), *_sides(claim), *held]
    need(all(x.op.name != "draw" for x in below(still)), "the law or the start draws")

    def after(view: View, point: Point, k: int) -> tuple[Array, Array]:
        at = view.at(point.with_fixed(str(node["count"].key), Array((), [k])))
        shape = at.value(node["initial"]).shape
        rows = [at.value(law[key]) for key in ("mean", "var")]
        mean, var = (tabulate(shape, lambda i, x=x: x.at(i if x.shape else ())) for x in rows)  # type: ignore[misc]
        return mean, var

    def number(point: Point) -> int:
        bound = node["count"].type.bound
        if bound is None:
            raise Rejected("steps without a bound")
        return point.index("argument:iterate.k", (), bound.count(point.sizes) - 1)

    def value(view: View, point: Point, drawn: Drawn) -> Array:
        k = number(point)
        mean, var = after(view, point, k)
        state = mean.map(lambda m, v, z: m + power(v, HALF) * z, var, drawn[STATE])
        here = point.with_fixed(str(node["index"].key), Array((), [k + 1]))
        here = here.with_fixed(str(node["state"].key), state)
        for key, row in drawn.items():
            here = here.with_fixed(key, row)
        return view.at(here).value(node["step"])

    def said(view: View, point: Point) -> Any:
        mean, var = after(view, point, number(point) + 1)
        return mean, lambda i, j: var.at(i) if i == j else mpf(0)

    def shapes(point: Point) -> dict[str, tuple[int, ...]]:
        state = tuple(d.count(point.sizes) for d in node["state"].type.shape)
        return {STATE: state, **_shapes(point, draws)}

    def start(view: View, point: Point) -> Array:
        first = view.at(point).value(node["initial"])
        return after(view, point, 0)[0].map(lambda a, b: a - b, first)

    def variables(view: View) -> None:
        need(not view.subgoal.stands, "a node of an iterated step is read as a variable")

    found = []
    for given in claim.hypotheses:
        found += Gaussian(value, shapes, said).needs(given, variables)
        found.append(Need("mean at the start", given, "eq", start, None, variables))
        found.append(
            Need(
                "variance at the start", given, "eq",
                lambda view, point: after(view, point, 0)[1], None, variables,
            )
        )  # fmt: skip
    return found


def _sides(claim: Claim) -> list[Node]:
    return [x for h in claim.hypotheses for q in h for x in (q.left, q.right)]
