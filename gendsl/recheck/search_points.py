"""Finding points: sizes that fit all shapes, and values that meet hypotheses.

In: nodes, hypotheses, declared ranges. Out: `Point`s. Sizes are 1 to 3 where shapes allow it, and
the least that fit otherwise. Equations between a leaf and a term are met by setting the leaf; other
hypotheses by trying.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from math import prod

from .arrays import Undefined, tabulate
from .evaluate import Evaluator
from .node_text import Node
from .obligation import Comparison
from .points import MODES, Point
from .sizes import Misfit, Size

TRIES = 60


def names_of(nodes: Iterable[Node]) -> set[str]:
    found: set[str] = set()
    for x in nodes:
        for d in x.type.shape:
            found |= d.names
        if x.type.bound is not None:
            found |= x.type.bound.names
        for value in x.op.attributes.values():
            for d in value if isinstance(value, list) else [value]:
                found |= d.names if isinstance(d, Size) else set()
    return found


def fitting_sizes(
    nodes: Sequence[Node],
    names: Iterable[str],
    least: Mapping[str, Size],
    many: int,
    fits: Callable[[Mapping[str, int]], bool] = lambda sizes: True,
) -> list[dict[str, int]]:
    """Sizes at which every shape is whole (and `fits`), small ones first."""
    r = random.Random("sizes")
    order = sorted(names)
    found: dict[tuple[int, ...], tuple[int, dict[str, int]]] = {}
    for k in range(900):
        menu = (1, 2, 3) if k < 60 else (1, 2, 3, 4, 8) if k < 300 else (1, 2, 4, 6, 8, 16)
        try:
            sizes = _drawn(r, order, menu, least)
            cost = sum(prod(d.count(sizes) for d in x.type.shape) for x in nodes)
            if all(d.count(sizes) >= 1 for x in nodes for d in x.type.shape) and fits(sizes):
                found[tuple(sizes.values())] = (cost, sizes)
        except Misfit:
            continue
        if len(found) >= 4 * many and k >= 60:
            break
    ranked = sorted(found.values(), key=lambda row: row[0])
    picked = ranked[:: max(1, len(ranked) // (2 * many))][:many]
    return [sizes for _, sizes in picked]


def _drawn(
    r: random.Random, order: Sequence[str], menu: Sequence[int], least: Mapping[str, Size]
) -> dict[str, int]:
    sizes = {n: r.choice(menu) for n in order}
    for name, bound in least.items():
        if name in sizes and bound.names <= set(sizes):
            sizes[name] = max(sizes[name], bound.count(sizes))
    return sizes


def candidates(
    sizes: Sequence[Mapping[str, int]], base: Point, tries: int = TRIES
) -> Iterator[Point]:
    """Points of all modes over all sizes."""
    modes = itertools.cycle(MODES)
    for k in range(tries):
        mode = next(modes)
        yield replace(base, seed=k, sizes=sizes[k % len(sizes)], mode=mode, fixed={})


def meeting(
    given: Sequence[Comparison],
    stands: Mapping[Node, str],
    points: Iterable[Point],
    many: int,
) -> list[Point]:
    """Points at which all hypotheses hold."""
    found: list[Point] = []
    for point in points:
        try:
            point = solved(given, stands, point)
            at = Evaluator(point, stands)
            if all(q.holds(at) for q in given):
                found.append(point)
        except (Undefined, Misfit, OverflowError):
            continue
        if len(found) >= many:
            break
    return found


def solved(given: Sequence[Comparison], stands: Mapping[Node, str], point: Point) -> Point:
    """The point with leaves set so that equations for them hold."""
    for q in given:
        if q.rel != "eq":
            continue
        for leaf, other in ((q.left, q.right), (q.right, q.left)):
            name = stands.get(leaf) or (leaf.key if not leaf.inputs else None)
            if name is None or name in point.fixed:
                continue
            value = Evaluator(point, stands).value(other)
            shape = tuple(d.count(point.sizes) for d in leaf.type.shape)
            if value.shape not in ((), shape):
                continue
            entry = value.entries[0] if not value.shape else None
            spread = tabulate(shape, lambda i, v=value, e=entry: v.at(i) if e is None else e)  # type: ignore[misc]
            point = point.with_fixed(name, spread)
            break
    return point
