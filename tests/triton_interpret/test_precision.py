"""Precision of products under the interpreter: bf16 is what rounding to bfloat16 makes of float32.

The reference rounds the operands in numpy (to nearest, ties to even, by bits) and multiplies in
double precision: products of bfloat16 are exact in float32, so only sums differ, by at most K
roundings of float32.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from backends.triton_cuda import TARGET
from gendsl.ir.graph import Builder, Node
from gendsl.noise import Noise
from gendsl.ops.contract import Contract
from gendsl.ops.leaf import Input
from gendsl.ops.reduce import ArgMin
from gendsl.shape.dim import Dim

Array = np.ndarray[Any, Any]
SIZES = {"M": 19, "K": 37, "N": 23}
M, K, N = map(Dim.name, SIZES)


def rounded(x: Array) -> Array:
    """To the nearest bfloat16, ties to even."""
    bits = np.ascontiguousarray(x, dtype=np.float32).view(np.uint32).astype(np.uint64)
    bits += 0x7FFF + ((bits >> 16) & 1)
    return (bits & 0xFFFF0000).astype(np.uint32).view(np.float32)


def operands(seed: int = 0) -> tuple[Array, Array]:
    rng = np.random.default_rng(seed)
    a = rng.normal(size=(SIZES["M"], SIZES["K"])).astype(np.float32)
    b = rng.normal(size=(SIZES["K"], SIZES["N"])).astype(np.float32)
    a[0, :4] = [1 + 2**-8, 1 + 3 * 2**-8, -(1 + 2**-8), 1 + 2**-8 + 2**-20]  # ties and just above
    return a, b


def product(build: Builder) -> Node:
    a, b = build.apply(Input("data", "a", (M, K))), build.apply(Input("data", "b", (K, N)))
    return build.apply(Contract((0, 1), (1, 2), (0, 2)), a, b)


def run(nodes: dict[str, Node], precision: str) -> dict[str, Array]:
    a, b = operands()
    made = TARGET.with_precision(precision).compile_function(nodes, SIZES)
    return made.run({}, {"a": a, "b": b}, {}, Noise(0, "eval"))


def test_rounding() -> None:
    found = rounded(np.array([1 + 2**-8, 1 + 3 * 2**-8, 1 + 2**-8 + 2**-20, 3.0], np.float32))
    assert found.tolist() == [1.0, 1 + 2**-6, 1 + 2**-7, 3.0]


@pytest.mark.parametrize("precision", ["float32", "ieee", "bf16"])
def test_products(precision: str) -> None:
    a, b = operands()
    if precision == "bf16":
        a, b = rounded(a), rounded(b)
    found = run({"c": product(Builder())}, precision)["c"]
    exact = a.astype(np.float64) @ b.astype(np.float64)
    bound = SIZES["K"] * 2**-23 * (np.abs(a).astype(np.float64) @ np.abs(b))
    assert (np.abs(found - exact) <= bound).all()


def test_bf16_is_not_float32() -> None:
    """The two differ by far more than the tolerance above, so the test before can fail."""
    build = Builder()
    low, high = (run({"c": product(build)}, p)["c"] for p in ("bf16", "float32"))
    assert 1e-3 < np.abs(low - high).max() < 0.2


def test_indices_are_those_of_float32() -> None:
    build = Builder()
    found = run({"i": build.apply(ArgMin(1), product(build))}, "bf16")["i"]
    a, b = operands()
    assert (found == (a.astype(np.float64) @ b).argmin(1)).all()
