"""Precision of products under the interpreter: bf16 is what rounding to bfloat16 makes of float32.

The reference rounds the operands in numpy (to nearest, ties to even, by bits) and multiplies in
double precision: products of bfloat16 are exact in float32, so only sums differ, by at most K
roundings of float32.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from backends.triton_cuda import TARGET
from gendsl.ir.build import const, mul, square, sub, sum_of
from gendsl.ir.graph import Builder, Node
from gendsl.ir.step import StepGraph
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


def test_weights_are_kept_in_float32() -> None:
    """Steps that bfloat16 could not tell from none add up: w - rate g, five times, where products
    take rounded operands, and w, g and the loss are float32."""
    build = Builder()
    x, w = build.apply(Input("data", "a", (M, K))), build.apply(Input("param", "w", (K, N)))
    y = build.apply(Contract((0, 1), (1, 2), (0, 2)), x, w)
    slope = build.apply(Contract((0, 1), (0, 2), (1, 2)), x, y)
    rate = 2.0**-20
    new = sub(build, w, mul(build, slope, const(build, Fraction(rate))))
    step = StepGraph(build, {"loss": sum_of(build, square(build, y))}, {"param:w": new}, ())
    a, start = operands()
    made = TARGET.with_precision("bf16").compile_step(step, SIZES)
    made.load({"param:w": start})
    wanted, low = start.copy(), rounded(a).astype(np.float64)
    for number in range(5):
        made.run({"a": a}, {}, Noise(0, "train", number))
        y_now = (low @ rounded(wanted)).astype(np.float32)
        wanted = wanted - np.float32(rate) * (low.T @ rounded(y_now)).astype(np.float32)
    found = made.values()["param:w"]
    moved = np.abs(wanted - start).max()
    assert moved < 2**-9 and (rounded(start) == rounded(wanted)).mean() > 0.5
    assert found.dtype == np.float32
    assert np.abs(found - wanted).max() < 0.02 * moved
    # the loss takes its product by adding up, in float32: it differs by what rounding does
    assert made.metrics()["loss"] == pytest.approx(np.square(y_now, dtype=float).sum(), rel=2e-3)
