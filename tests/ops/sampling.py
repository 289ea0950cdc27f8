"""Random operands for an op's samples: in its domain, away from its kinks, indices in range."""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

import gendsl.ops
from gendsl.ir.graph import Builder, Node
from gendsl.ir.op import REGISTRY, Absent, Concrete, NodeType, Op
from gendsl.ops.leaf import Draw, Input
from gendsl.ops.loop import Placeholder
from gendsl.shape.tensor_type import Bool, Fin, Real

assert gendsl.ops

Array = np.ndarray[Any, Any]

# Every sample is run at each of these: ordinary, odd, and with axes of size 1.
SIZES: tuple[Mapping[str, int], ...] = (
    {"M": 3, "N": 4, "K": 5, "P": 2},
    {"M": 1, "N": 3, "K": 2, "P": 1},
    {"M": 2, "N": 1, "K": 1, "P": 3},
    {"M": 1, "N": 1, "K": 1, "P": 1},
)


def given_from_outside(cls: type[Op]) -> bool:
    """Ops without a meaning of their own: inputs, draws, values of a loop, claim-only ops."""
    outside = issubclass(cls, (Input, Draw, Placeholder))
    return outside or all(isinstance(a, Absent) for a in cls.targets.values())


EXECUTABLE = {name: cls for name, cls in sorted(REGISTRY.items()) if not given_from_outside(cls)}


def generator(*key: object) -> np.random.Generator:
    return np.random.default_rng(zlib.crc32(repr(key).encode()))


def operands(
    op: Op, types: Sequence[NodeType], sizes: Mapping[str, int], rng: np.random.Generator
) -> list[Array]:
    """Values for the operands, reals in float64."""
    env = Concrete(sizes, np.float64)
    values = [one(op, type_, env, rng) for type_ in types]
    if op.facts.domain == "divisor":
        values[1] = in_domain(values[1], "nonzero")
    reals = [i for i, t in enumerate(types) if isinstance(t.elem, Real)]
    if len(reals) == 2 and op.facts.kinks:  # kinks of a binary op are of the difference
        gap = values[reals[0]] - values[reals[1]]
        values[reals[0]] = values[reals[1]] + away(gap, op)
    return values


def one(op: Op, type_: NodeType, env: Concrete, rng: np.random.Generator) -> Array:
    shape = env.shape(type_)
    match type_.elem:
        case Fin(bound):
            return rng.integers(0, bound.size(env.sizes), size=shape, dtype=np.int64)
        case Bool():
            return np.asarray(rng.random(shape) < 0.5)
        case Real():
            return away(in_domain(rng.normal(size=shape) * 1.5, op.facts.domain), op)


def in_domain(x: Array, domain: str) -> Array:
    match domain:
        case "positive" | "nonnegative":
            return np.abs(x) + 0.2
        case "nonzero":
            return np.where(x < 0, x - 0.2, x + 0.2)
        case "above_minus_one":
            return np.abs(x) - 0.8
        case "all" | "divisor":
            return np.asarray(x)
        case _:
            raise ValueError(domain)


def away(x: Array, op: Op) -> Array:
    """`x` moved to at least 0.05 from every kink."""
    for kink in map(float, op.facts.kinks):
        x = np.where(np.abs(x - kink) < 0.05, kink + np.where(x < kink, -0.06, 0.06), x)
    return np.asarray(x)


def node_for(op: Op, types: Sequence[NodeType]) -> tuple[Builder, Node, list[Node]]:
    """The op applied to inputs named x0, x1, ..."""
    build = Builder()
    sources = [
        build.apply(Input("data", f"x{i}", type_.shape, type_.elem))
        for i, type_ in enumerate(types)
    ]
    return build, build.apply(op, *sources), sources


def named(values: Sequence[Array]) -> dict[str, Array]:
    return {f"data:x{i}": value for i, value in enumerate(values)}


def close(actual: Array, expected: Array, tolerance: float) -> None:
    """Equal within `tolerance` of the largest expected magnitude."""
    scale = max(1e-300, float(np.max(np.abs(expected), initial=0.0)))
    error = float(np.max(np.abs(actual - expected), initial=0.0))
    assert actual.shape == expected.shape, (actual.shape, expected.shape)
    assert error <= tolerance * scale, f"error {error:.3g} of {scale:.3g}"
