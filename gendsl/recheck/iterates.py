"""Laws of iterated kernels, by carrying mean and covariance through the steps.

In: the record of `iterate(step, x, t) has law normal(mean, var)`, a point. Out: nothing, or
`Contradicted`. At the point's number of steps t, the step is evaluated t times: it is affine in the
state and in its draws (tested by superposition), so that mean and covariance after it follow from
those before it. That affine images of normals are normal is taken as known.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mpmath import mpf

from .arrays import Array, places, tabulate
from .evaluate import Evaluator
from .functions import same
from .node_text import Node, below
from .points import Point

Row = Sequence[Any]


class Contradicted(Exception):
    """The graph does not do what the claim says."""


def need(test: object, reason: str) -> None:
    if not test:
        raise Contradicted(reason)


def follows(point: Point, body: Mapping[str, Node], arguments: Mapping[str, Node]) -> None:
    """After t steps the mean and the variances are the declared ones, the covariances 0."""
    need("var" in arguments, "a law without a diagonal")
    start = Evaluator(point).value(body["initial"])
    steps = int(Evaluator(point).value(body["count"]).entries[0])
    many = len(start.entries)
    mean: list[Any] = list(start.entries)
    cov = [[mpf(0)] * many for _ in range(many)]
    draws = [x for x in below([body["step"]]) if x.op.name == "draw"]
    need(all(x.op["dist"] == "normal" for x in draws), "not normal draws")
    for k in range(steps):
        here = point.with_fixed(str(body["index"].key), Array((), [k + 1]))
        mean, cov = _stepped(here, body, draws, mean, cov, start.shape)
    at = Evaluator(point)
    said = [at.value(arguments[key]) for key in ("mean", "var")]
    for i, where in enumerate(places(start.shape)):
        m, v = (x.at(where if x.shape else ()) for x in said)
        need(same(mean[i], m), f"the mean after {steps} steps at {where}: {mean[i]} is not {m}")
        for j in range(many):
            want = v if i == j else mpf(0)
            need(same(cov[i][j], want), f"covariance after {steps} steps: {cov[i][j]}, not {want}")


def _stepped(
    point: Point,
    body: Mapping[str, Node],
    draws: Sequence[Node],
    mean: Row,
    cov: Sequence[Row],
    shape: tuple[int, ...],
) -> tuple[list[Any], list[list[Any]]]:
    def value(state: Row, noise: Mapping[tuple[str, tuple[int, ...]], Any]) -> list[Any]:
        at = point.with_fixed(str(body["state"].key), Array(shape, list(state)))
        for x in draws:
            own = tuple(d.count(point.sizes) for d in x.type.shape)
            key = str(x.key)
            row = tabulate(own, lambda i, key=key: noise.get((key, i), mpf(0)))  # type: ignore[misc]
            at = at.with_fixed(key, row)
        return list(Evaluator(at).value(body["step"]).entries)

    many, zero = len(mean), [mpf(0)] * len(mean)
    base = value(zero, {})
    columns = []
    for j in range(many):
        unit = [mpf(int(i == j)) for i in range(many)]
        columns.append([a - b for a, b in zip(value(unit, {}), base, strict=True)])
    noisy = []
    for x in draws:
        for i in places(tuple(d.count(point.sizes) for d in x.type.shape)):
            moved = value(zero, {(str(x.key), i): mpf(1)})
            noisy.append([a - b for a, b in zip(moved, base, strict=True)])
    after = value(mean, {})
    for p in range(many):
        total = base[p] + sum((columns[j][p] * mean[j] for j in range(many)), mpf(0))
        need(same(after[p], total), "the step is not affine in its state")
    made = [
        [
            sum(
                (
                    columns[p][i] * cov[p][q] * columns[q][j]
                    for p in range(many)
                    for q in range(many)
                ),
                mpf(0),
            )
            + sum((c[i] * c[j] for c in noisy), mpf(0))
            for j in range(many)
        ]
        for i in range(many)
    ]
    return after, made
