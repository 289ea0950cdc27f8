"""Refutation: concrete points, evaluated by the reference interpreter, where a claim fails.

In: a claim. Out: a refuted `Outcome` with sizes, inputs and the two values, or None. A point counts
only if every hypothesis holds there and the claim fails by far more than the difference between
evaluations in double and in extended precision. A search that finds nothing says nothing.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gendsl.ir.evaluate import input_key
from gendsl.ir.graph import Node
from gendsl.lazy import np
from gendsl.ops.leaf import Const, Input
from gendsl.prove.case import Case, Outcome
from gendsl.prove.props import Alternatives, Comparison
from gendsl.prove.solve import CLEAR, solved
from gendsl.prove.witness import NoWorld, World, leaves_below, make_world, sample

if TYPE_CHECKING:
    Array = np.ndarray[Any, Any]

MARGIN = 1e-7  # of the magnitude of the values: how far a claim must fail
SHOWN = 16  # entries of a tensor that a witness shows


@dataclass(frozen=True)
class Miss:
    """Where a comparison fails: the entry, and both values."""

    index: tuple[int, ...]
    left: float
    right: float
    rel: str


def refute(
    case: Case,
    given: Alternatives,
    goals: Alternatives,
    seeds: Sequence[int],
    *,
    solve: bool = True,
) -> Outcome | None:
    """A point where some alternative of `given` holds and every alternative of `goals` fails;
    with `solve`, one hypothesis that fails at a sampled point is solved for near it."""
    nodes = [x for row in (*given, *goals) for q in row for x in (q.left, q.right)]
    for world in worlds(case, nodes, seeds):
        for hyps in given:
            try:
                for at, margin in _points(case, world, nodes, hyps, solve):
                    misses = [
                        next((m for q in goal if (m := miss(at, q, margin))), None)
                        for goal in goals
                    ]
                    if misses and all(misses):
                        return Outcome("refuted", witness=show(at, misses[0]))
            except NoWorld:
                continue
    return None


def _points(
    case: Case, world: World, nodes: Sequence[Node], hyps: Sequence[Comparison], solve: bool
) -> Iterator[tuple[World, float]]:
    """Points near `world` where the hypotheses hold, and how far a claim must fail there."""
    at = assigned(world, hyps)
    failing = [q for q in hyps if not holds(at, q)]
    if not failing:
        yield at, MARGIN
    elif solve and len(failing) == 1:
        rest = [q for q in hyps if q is not failing[0]]
        for found in solved(world, case.setting, nodes, failing[0], lambda w: assigned(w, rest)):
            if all(holds(found, q) for q in hyps):
                yield found, CLEAR


def possible(case: Case, given: Alternatives, seeds: Sequence[int]) -> bool:
    """Whether a point was found where some alternative of the hypotheses holds."""
    nodes = [x for row in given for q in row for x in (q.left, q.right)]
    for world in worlds(case, nodes, seeds):
        for hyps in given:
            try:
                at = assigned(world, hyps)
                if all(holds(at, q) for q in hyps):
                    return True
            except NoWorld:
                continue
    return False


def worlds(case: Case, nodes: Sequence[Node], seeds: Sequence[int]) -> Iterator[World]:
    for seed in seeds:
        if case.setting.expired():
            return
        try:
            yield make_world(nodes, case.interface, case.setting, seed)
        except NoWorld:
            continue


def assigned(world: World, hyps: Sequence[Comparison]) -> World:
    """The world with leaves set so that equations `leaf == value` hold."""
    for q in hyps:
        for leaf, value in ((q.left, q.right), (q.right, q.left)):
            if q.rel == "eq" and isinstance(leaf.op, Input):
                (found,) = world.run([value])
                shape = tuple(d.size(world.sizes) for d in leaf.type.shape)
                world = world.with_values({str(input_key(leaf)): np.broadcast_to(found, shape)})
                break
            bound = q.rel in ("ge", "gt") and isinstance(leaf.op, Input) and not leaf.type.shape
            if bound and isinstance(value.op, Const):
                world = _clipped(world, q, leaf, float(value.op.value))
                break
    return world


def _clipped(world: World, q: Comparison, leaf: Node, limit: float) -> World:
    """A scalar leaf mirrored to the side of a constant where its bound holds."""
    key = str(input_key(leaf))
    v = float(np.asarray(world.values.get(key, 0.0)))
    gap = abs(v - limit) + (1 / 64 if q.rel == "gt" else 0.0)
    while gap > 1:
        gap /= 4
    return world.with_values({key: limit + gap if leaf is q.left else limit - gap})


def holds(world: World, q: Comparison) -> bool:
    """Whether a hypothesis holds exactly enough to be relied on."""
    (a, da), (b, db) = world.both([q.left, q.right])
    gap, error = _gap(a, b), np.minimum(da + db, 1e-12)
    match q.rel:
        case "eq":
            return bool((np.abs(gap) <= 4e-16 + 2 * error).all())
        case "ne":
            return bool((np.abs(gap) > 1e-9).all())
        case "gt":
            return bool((gap > 2 * error).all())
        case _:
            return bool((gap >= 0).all())


def _gap(a: Array, b: Array) -> Array:
    if a.dtype.kind == "b":
        a, b = a.astype(float), b.astype(float)
    gap: Array = np.asarray(a - b, dtype=float)
    return gap


def miss(world: World, q: Comparison, margin: float = MARGIN) -> Miss | None:
    """An entry where the comparison fails by a safe margin."""
    (a, da), (b, db) = world.both([q.left, q.right])
    gap = _gap(a, b)
    safe = margin * (1 + np.abs(np.asarray(a, float)) + np.abs(np.asarray(b, float)))
    safe = safe + 1000 * (da + db)
    match q.rel:
        case "eq":
            bad = np.abs(gap) > safe
        case "ne":
            bad = (np.abs(gap) == 0) & (da + db == 0)
        case "gt":
            bad = (gap < -safe) | ((gap == 0) & (da + db == 0))
        case _:
            bad = gap < -safe
    if not bad.any():
        return None
    worst = np.where(bad, np.abs(gap), -1.0)
    at = tuple(int(i) for i in np.unravel_index(int(np.argmax(worst)), worst.shape))
    left, right = (float(np.broadcast_to(x, gap.shape)[at]) for x in (a, b))
    return Miss(at, left, right, q.rel)


_SIGNS = {"eq": "==", "ge": ">=", "gt": ">", "ne": "!="}


def show(world: World, found: Miss | None, **more: Any) -> Mapping[str, Any]:
    """A witness as JSON values."""
    shown: dict[str, Any] = {"sizes": dict(world.sizes)}
    if found is not None:
        shown |= {"left": found.left, "right": found.right, "relation": _SIGNS[found.rel]}
        if found.index:
            shown["index"] = list(found.index)
    shown |= more
    inputs: dict[str, Any] = {}
    for key, value in sorted(world.values.items()):
        array = np.asarray(value)
        if array.size <= SHOWN:
            inputs[key] = array.tolist()
        else:
            inputs[key] = {"shape": list(array.shape), "first": array.ravel()[:4].tolist()}
    shown["inputs"] = inputs
    return shown


# ---- forms with their own notion of failure ------------------------------------------------


def refute_gradients(
    case: Case, sides: Sequence[Sequence[Node | None]], params: Sequence[str], seeds: Sequence[int]
) -> Outcome | None:
    """Two lists of gradient nodes (None is zero), parameter by parameter."""
    nodes = [x for side in sides for x in side if x is not None]
    given = case.given
    roots = [*nodes, *(x for row in given for q in row for x in (q.left, q.right))]
    for world in worlds(case, roots, seeds):
        for hyps in given:
            try:
                at = assigned(world, hyps)
                if not all(holds(at, q) for q in hyps):
                    continue
                found = _differing(at, sides, params)
            except NoWorld:
                continue
            if found is not None:
                return Outcome("refuted", witness=show(at, None, **found))
    return None


def _differing(
    world: World, sides: Sequence[Sequence[Node | None]], params: Sequence[str]
) -> dict[str, Any] | None:
    for path, left, right in zip(params, *sides, strict=True):
        rows = [
            world.both([x])[0] if x is not None else (np.zeros(()), np.zeros(()))
            for x in (left, right)
        ]
        (a, da), (b, db) = rows
        gap = np.abs(a - b)
        safe = MARGIN * (1 + np.abs(a) + np.abs(b)) + 1000 * (da + db)
        if (gap > safe).any():
            return {
                "parameter": path,
                "left": float(np.abs(a).max()),
                "right": float(np.abs(b).max()),
                "relation": "largest entries of the two gradients",
            }
    return None


def _value(world: World, x: Node | None) -> tuple[Array, Array]:
    return (np.zeros(()), np.zeros(())) if x is None else world.both([x])[0]


def refute_batch(
    case: Case, value: Node, batch: str, seeds: Sequence[int], *, separable: bool
) -> Outcome | None:
    """The value at two batches and at their concatenation (or at one batch, twice)."""
    for world in worlds(case, [value], seeds):
        try:
            first = _fixed(world, case, value, batch, 1)
            second = _fixed(world, case, value, batch, 2) if separable else first
            found = _parts(first, second, case, value, batch)
        except NoWorld:
            continue
        if found is not None:
            return found
    return None


def _fixed(world: World, case: Case, value: Node, batch: str, size: int) -> World:
    """The world with another batch size and new values for what has the batch axis."""
    sizes, values = {**world.sizes, batch: size}, dict(world.values)
    rng = random.Random(size)
    for leaf in leaves_below([value]):
        if example_axis(leaf, batch) is not None:
            values[str(input_key(leaf))] = sample(leaf, sizes, case.setting, rng, None, 1.0)
    return World(sizes, values)


def example_axis(leaf: Node, batch: str) -> int | None:
    """The axis of a leaf that counts examples."""
    at = [k for k, d in enumerate(leaf.type.shape) if d.as_name == batch]
    return at[0] if at else None


def _parts(first: World, second: World, case: Case, value: Node, batch: str) -> Outcome | None:
    a, b = first.sizes[batch], second.sizes[batch]
    values = dict(first.values)
    merged: dict[str, Any] = {}
    for leaf in leaves_below([value]):
        key, axis = str(input_key(leaf)), example_axis(leaf, batch)
        if axis is not None:
            merged[key] = np.concatenate([first.values[key], second.values[key]], axis=axis)
    second = World(second.sizes, {**values, **{k: second.values[k] for k in merged}})
    whole = World({**first.sizes, batch: a + b}, {**values, **merged})
    (u, du), (v, dv), (w, dw) = (x.both([value])[0] for x in (first, second, whole))
    mean = (a * float(u) + b * float(v)) / (a + b)
    safe = MARGIN * (1 + abs(mean) + abs(float(w))) + 1000 * float(du + dv + dw)
    if abs(mean - float(w)) <= safe:
        return None
    shown = show(whole, None, batches=[a, b, a + b], values=[float(u), float(v), float(w)])
    return Outcome("refuted", witness=shown)
