"""Concrete points: sizes and inputs at which claims are tried with the reference evaluator.

In: the leaves below some nodes, declared ranges, size conditions. Out: `World`s, each a choice of
sizes and a value for every input and draw, with which nodes are evaluated in double and in extended
precision. Values are multiples of 1/64, so that hypotheses such as `mu == 0` can hold exactly.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from gendsl.core.program import Interface, SizeCondition
from gendsl.ir.evaluate import EvaluationError, evaluate, input_key
from gendsl.ir.graph import Node, reachable
from gendsl.lazy import np
from gendsl.ops.leaf import Draw, Input
from gendsl.prove.reading import Setting
from gendsl.prove.terms import leaf_name
from gendsl.shape.dim import Dim
from gendsl.shape.tensor_type import Bool, Fin, Range

if TYPE_CHECKING:
    Array = np.ndarray[Any, Any]

TRIES = 60  # choices of sizes until the conditions hold


class NoWorld(Exception):
    """The nodes cannot be evaluated here."""


@dataclass(frozen=True)
class World:
    """Bound sizes and a value for each input and draw, by the evaluator's keys."""

    sizes: Mapping[str, int]
    values: Mapping[str, Any]

    def with_values(self, values: Mapping[str, Any]) -> World:
        return replace(self, values={**self.values, **values})

    def run(self, nodes: Sequence[Node], dtype: Any = None) -> list[Array]:
        try:
            return evaluate(nodes, self.values, self.sizes, dtype=dtype)
        except (EvaluationError, NotImplementedError, ValueError, KeyError) as problem:
            raise NoWorld(str(problem)) from problem

    def both(self, nodes: Sequence[Node]) -> list[tuple[Array, Array]]:
        """Values and error estimates: the difference between double and extended precision."""
        near = self.run(nodes)
        far = self.run(nodes, np.longdouble)
        rows = []
        for a, b in zip(near, far, strict=True):
            if a.dtype.kind != "f":
                rows.append((a, np.zeros(a.shape)))
            elif not (np.isfinite(a).all() and np.isfinite(b).all()):
                raise NoWorld("a value is not finite")
            else:
                rows.append((a, np.abs(a - b.astype(np.float64))))
        return rows


def choose_sizes(
    names: Iterable[str], interface: Interface, setting: Setting, rng: random.Random
) -> dict[str, int]:
    """Small sizes that meet the declared bounds and the inferred conditions."""
    every = sorted({*names, *interface.dims})
    for trial in range(TRIES):
        top = 3 if trial < TRIES // 2 else 8
        sizes = {name: rng.randint(1, top) for name in every}
        for name in every:
            least = setting.at_least.get(name, Dim.of(1))
            low = int(least.evaluate({**sizes, name: 1})) if name not in least.names else 1
            sizes[name] = max(sizes[name], low)
        for condition in interface.conditions:
            _repair(sizes, condition)
        if all(_met(c, sizes) for c in interface.conditions):
            return sizes
    raise NoWorld("no small sizes meet the conditions")


def _met(condition: SizeCondition, sizes: Mapping[str, int]) -> bool:
    try:
        return condition.holds(sizes)
    except (KeyError, ZeroDivisionError):
        return True


def _repair(sizes: dict[str, int], condition: SizeCondition) -> None:
    """Scale a bare size so that a divisibility condition holds."""
    name = condition.dividend.as_name
    if condition.kind == "divides" and name in sizes and name not in condition.divisor.names:
        unit = int(condition.divisor.evaluate(sizes)) or 1
        sizes[name] = max(1, sizes[name] // unit) * unit


def leaves_below(nodes: Sequence[Node]) -> list[Node]:
    return [x for x in reachable(nodes) if isinstance(x.op, Input | Draw)]


def sizes_below(nodes: Sequence[Node]) -> set[str]:
    found: set[str] = set()
    for x in reachable(nodes):
        for d in x.type.shape:
            found |= d.names
        for value in x.op.attributes().values():
            found |= _names(value)
        if isinstance(x.type.elem, Fin):
            found |= x.type.elem.bound.names
    return found


def _names(value: object) -> set[str]:
    if isinstance(value, Dim):
        return set(value.names)
    if isinstance(value, tuple):
        return set().union(*map(_names, value))
    return set(value.bound.names) if isinstance(value, Fin) else set()


def make_world(nodes: Sequence[Node], interface: Interface, setting: Setting, seed: int) -> World:
    """A random point; small seeds are simple ones (zeros, ones, halves)."""
    rng = random.Random(seed)
    sizes = choose_sizes(sizes_below(nodes), interface, setting, rng)
    simple = {1: 0.0, 2: 1.0, 3: 0.5}.get(seed % 8)
    scale = rng.choice((0.25, 1.0, 1.0, 3.0))
    sparse = seed % 8 in (5, 6)  # half of the tensors are zero
    values = {}
    for leaf in leaves_below(nodes):
        start = 0.0 if sparse and rng.random() < 0.5 else simple
        values[str(input_key(leaf))] = sample(leaf, sizes, setting, rng, start, scale)
    return World(sizes, values)


def sample(
    leaf: Node,
    sizes: Mapping[str, int],
    setting: Setting,
    rng: random.Random,
    simple: float | None,
    scale: float,
) -> Array:
    """A value of a leaf in its declared range."""
    shape = tuple(d.size(sizes) for d in leaf.type.shape)
    count = int(np.prod(shape, dtype=int))
    match leaf.type.elem:
        case Fin(bound):
            low, high = setting.index_bounds.get(leaf, (None, None))
            first = int(low.evaluate(sizes)) if low is not None else 0
            last = int(high.evaluate(sizes)) if high is not None else bound.size(sizes) - 1
            if last < first:
                raise NoWorld("an index has no value at these sizes")
            row: list[Any] = [rng.randint(first, last) for _ in range(count)]
            return np.asarray(row, dtype=np.int64).reshape(shape)
        case Bool():
            return np.asarray([rng.random() < 0.5 for _ in range(count)]).reshape(shape)
        case _:
            bounds = range_of(leaf, setting)
            row = [_real(bounds, rng, simple, scale) for _ in range(count)]
            return np.asarray(row, dtype=np.float64).reshape(shape)


def range_of(leaf: Node, setting: Setting) -> Range:
    if isinstance(leaf.op, Draw) and leaf.op.dist == "uniform":
        return Range(Fraction(1, 64), Fraction(63, 64))
    return setting.ranges.get(leaf_name(leaf), Range(None, None))


def _real(bounds: Range, rng: random.Random, simple: float | None, scale: float) -> float:
    low = None if bounds.low is None else float(bounds.low)
    high = None if bounds.high is None else float(bounds.high)
    if simple is not None:
        v = simple
    elif low is not None and high is not None:
        v = rng.choice((low, high, low + (high - low) * rng.randint(0, 64) / 64))
    else:
        v = round(rng.gauss(0, scale) * 64) / 64
        if low is not None:
            v = low + abs(v)
        elif high is not None:
            v = high - abs(v)
    return min(max(v, low if low is not None else v), high if high is not None else v)
