"""Points on which an equation holds: by bisection between two points.

In: a point, and the one hypothesis that fails there, an equation that does not just name a leaf
(`loss == 0`), taken at sizes where it is one equation. Out: points where it holds up to rounding.
Two points of equal sizes on which the difference has opposite signs are joined by a line;
the sign changes on it, and bisection ends at neighbouring floats, so that an exact solution lies
beside the point by continuity. A claim must then fail by `CLEAR`, which no neighbour undoes.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from gendsl.ir.evaluate import input_key
from gendsl.ir.graph import Node, reachable
from gendsl.lazy import np
from gendsl.ops import arithmetic as ar
from gendsl.ops import reduce as rd
from gendsl.ops.arity import Compare
from gendsl.ops.symbolic import Derivative, Expectation, NetCall
from gendsl.ops.unary import Floor, Sign
from gendsl.prove.props import Comparison
from gendsl.prove.reading import Setting, number
from gendsl.prove.witness import NoWorld, World, leaves_below, sample

if TYPE_CHECKING:
    Array = np.ndarray[Any, Any]

CLEAR = 1e-3  # of the magnitude of the values: how far a claim must fail beside a solution
PARTNERS = 6  # points that a point is joined with
STEPS = 60  # of bisection: neighbouring floats

Prepare = Callable[[World], World]

_JUMPS = (Floor, Sign, Compare, rd.ArgMin, rd.ArgMax, rd.ArgSort, Expectation, Derivative, NetCall)


def solved(
    world: World, setting: Setting, nodes: Sequence[Node], q: Comparison, prepare: Prepare
) -> Iterator[World]:
    """Points where `q` holds, between `world` and others of its sizes; `prepare` makes the other
    hypotheses hold."""
    if q.rel != "eq" or not continuous((q.left, q.right)):
        return
    q = _rooted(q)
    rng = random.Random(repr(sorted(world.values.items())))
    names = {n for x in (q.left, q.right) for d in x.type.shape for n in d.names}
    if any(world.sizes[name] != 1 for name in names):
        sizes = {**world.sizes, **dict.fromkeys(names, 1)}
        world = _another(World(sizes, {}), setting, nodes, rng)
    here = _gap(prepare(world), q)
    for _ in range(PARTNERS):
        other = _another(world, setting, nodes, rng)
        try:
            there = _gap(prepare(other), q)
            if here * there < 0 and min(abs(here), abs(there)) > 1e-6:
                yield _bisected(world, other, q, prepare, here)
        except NoWorld:
            continue


def _rooted(q: Comparison) -> Comparison:
    """`u == 0` for `u^2 == 0`: the square does not change its sign."""
    while number(q.right) == 0 and len(q.left.inputs) in (1, 2):
        own = isinstance(q.left.op, ar.Mul) and q.left.inputs[0] is q.left.inputs[1]
        if not (own or isinstance(q.left.op, ar.Square)):
            break
        q = replace(q, left=q.left.inputs[0])
    return q


def continuous(roots: Sequence[Node]) -> bool:
    """Whether the values vary continuously with the inputs, wherever they are defined. (Beside a
    pole the difference is large on one side, and the point is no solution.)"""
    return not any(isinstance(x.op, _JUMPS) for x in reachable(list(roots)))


def _another(world: World, setting: Setting, nodes: Sequence[Node], rng: random.Random) -> World:
    values: dict[str, Any] = {}
    scale = rng.choice((0.25, 1.0, 3.0))
    for leaf in leaves_below(list(nodes)):
        key = str(input_key(leaf))
        try:
            fresh = sample(leaf, world.sizes, setting, rng, None, scale)
        except ValueError as problem:
            raise NoWorld(str(problem)) from problem
        values[key] = fresh if fresh.dtype.kind == "f" else world.values.get(key, fresh)
    return World(world.sizes, values)


def _gap(world: World, q: Comparison) -> float:
    a, b = world.run([q.left, q.right])
    if a.size != 1 or b.size != 1:
        raise NoWorld("several equations")
    gap = float(a.item()) - float(b.item())
    if not np.isfinite(gap):
        raise NoWorld("a value is not finite")
    return gap


def _between(a: Mapping[str, Any], b: Mapping[str, Any], t: float) -> dict[str, Any]:
    rows = {}
    for key, x in a.items():
        y = np.asarray(b.get(key, x))
        rows[key] = (1 - t) * np.asarray(x) + t * y if y.dtype.kind == "f" else x
    return rows


def _bisected(a: World, b: World, q: Comparison, prepare: Prepare, start: float) -> World:
    low, high, best = 0.0, 1.0, (abs(start), 0.0)
    for _ in range(STEPS):
        middle = (low + high) / 2
        gap = _gap(prepare(World(a.sizes, _between(a.values, b.values, middle))), q)
        best = min(best, (abs(gap), middle))
        if gap == 0:
            break
        low, high = (middle, high) if gap * start > 0 else (low, middle)
    return prepare(World(a.sizes, _between(a.values, b.values, best[1])))
