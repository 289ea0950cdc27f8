"""Needs of batch claims: a value of a batch is the mean of its values at the single examples.

In: a claim that a value is separable over the batch size B, or unchanged by repeating the batch.
Out: `Need`s. V(B; x) is the value at batch size B and x the leaves with a batch axis:

    value    V(B; x) = (1/B) sum over e of V(1; x[e])
    example  y(B; x)[e] = y(1; x[e])   for each node y that a theorem reads as a variable

The first says that the value is separable, and so that repeating the batch does not change it. The
example e is an argument. V(1; ..) is the graph at batch size 1, where leaves and variables have the
entries of that example.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from mpmath import mpf

from .arrays import Array, scalar, tabulate
from .evaluate import Evaluator
from .needs import Need, View
from .node_text import Node, below
from .obligation import Claim
from .points import Point
from .replay import Rejected, need
from .search_points import names_of
from .sizes import read_size

EXAMPLE = "argument:example"


def batch_needs(claim: Claim) -> list[Need]:
    value, batch = claim.node(claim.body["value"]), str(claim.body["batch"])
    need(not value.type.shape, "a value with axes")
    examples = Examples(value, batch)
    return [
        Need("value", h, "eq", examples.gap, examples.mean, examples.variables,
             follows=examples.follows)
        for h in claim.hypotheses
    ]  # fmt: skip


class Examples:
    """What the needs of one claim have in common."""

    def __init__(self, value: Node, batch: str) -> None:
        self.value, self.batch, self.size = value, batch, read_size(batch)
        self.leaves = {x: self._axis(x) for x in below([value]) if x.key and self._mentions(x)}
        for x in self.leaves:
            stochastic = x.op.name == "draw" or x.op["kind"] in ("data", "argument")
            need(stochastic, f"{x.key} has an axis of the batch")

    def _mentions(self, x: Node) -> bool:
        return self.batch in names_of([x])

    def _axis(self, x: Node) -> int:
        """The only axis of the batch size; no other size is made of it."""
        axes = [k for k, d in enumerate(x.type.shape) if d == self.size]
        others = {name for d in x.type.shape if d != self.size for name in d.names}
        bound = set() if x.type.bound is None else x.type.bound.names
        if len(axes) != 1 or self.batch in others | bound:
            raise Rejected(f"%{x.number} has not one batch axis")
        return axes[0]

    def coupled(self, x: Node) -> bool:
        """Whether the batch size occurs at or below a node."""
        return self.batch in names_of(below([x]))

    def variables(self, view: View) -> None:
        for x in view.subgoal.stands:
            if self.coupled(x):
                self._axis(x)

    def alone(self, view: View, point: Point, e: int) -> Evaluator:
        """The graph at one example."""
        single = replace(point, sizes={**point.sizes, self.batch: 1})
        stands = view.subgoal.stands
        rows: Iterable[tuple[Node, str]] = [
            *((x, str(x.key)) for x in self.leaves),
            *((x, v) for x, v in stands.items() if self.coupled(x)),
        ]
        for x, name in rows:
            k = self._axis(x)
            shape = tuple(d.count(point.sizes) for d in x.type.shape)
            whole = point.array(name, x.type, shape, ())
            part = (*shape[:k], 1, *shape[k + 1 :])
            row = tabulate(part, lambda i, k=k, w=whole: w.at((*i[:k], e, *i[k + 1 :])))  # type: ignore[misc]
            single = single.with_fixed(name, row)
        return Evaluator(single, stands)

    # ---- the value ------------------------------------------------------------------------

    def mean(self, view: View, point: Point) -> Array:
        many = point.sizes[self.batch]
        rows = [self.alone(view, point, e).value(self.value).entries[0] for e in range(many)]
        return scalar(sum(rows, mpf(0)) / many)

    def gap(self, view: View, point: Point) -> Array:
        return view.at(point).value(self.value).map(lambda a, b: a - b, self.mean(view, point))

    # ---- the tensors that it is read over ---------------------------------------------------

    def follows(self, view: View) -> Iterable[Need]:
        for x in view.subgoal.stands:
            if self.coupled(x):
                yield self._need(x)

    def _need(self, x: Node) -> Need:
        k = self._axis(x)

        def inner(deeper: View) -> None:
            need(all(y in below([x]) and y is not x for y in deeper.subgoal.stands), "not below")
            self.variables(deeper)

        known: dict[int, Array] = {}

        def entry(view: View, point: Point) -> Array:
            if id(point) not in known:  # (points live as long as the replay)
                found = self.alone(view, point, self._example(point)).value(x)
                known[id(point)] = _without(found, k, 0)
            return known[id(point)]

        def gap(view: View, point: Point) -> Array:
            here = _without(view.at(point).value(x), k, self._example(point))
            if x.type.elem == "fin":
                return here.map(lambda a, b: mpf(int(a == b) - 1), entry(view, point))
            return here.map(lambda a, b: a - b, entry(view, point))

        return Need("example", (), "eq", gap, entry, inner, x, self.follows)

    def _example(self, point: Point) -> int:
        return point.index(EXAMPLE, (), point.sizes[self.batch])


def _without(x: Array, axis: int, at: int) -> Array:
    """The entries with one index fixed."""
    shape = (*x.shape[:axis], *x.shape[axis + 1 :])
    return tabulate(shape, lambda i: x.at((*i[:axis], at, *i[axis:])))
