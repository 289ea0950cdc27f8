"""Sums, products and quotients as few calls: the text has them, values are the graph's, and nothing
that has a name is overwritten.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from backends.torch_cpu import TARGET
from backends.torch_cpu.contraction import dense_pays
from gendsl.ir import build as b
from gendsl.ir.evaluate import evaluate
from gendsl.ir.graph import Builder, Node
from gendsl.noise import Noise
from gendsl.ops.arithmetic import Div, Sub
from gendsl.ops.broadcast import Broadcast, Sum
from gendsl.ops.leaf import Input
from gendsl.shape.dim import Dim

M, N = Dim.name("M"), Dim.name("N")
SIZES = {"M": 3, "N": 5}
NOISE = Noise(0, "sample")
Make = Callable[[Builder, Node, Node], Node]


def sub(build: Builder, x: Node, y: Node) -> Node:
    return build.apply(Sub(), x, y)


def rows(build: Builder, x: Node) -> Node:
    """The sums along the last axis, spread over it again."""
    return build.apply(Broadcast(x.type.shape, (0,)), build.apply(Sum((1,)), x))


# What is written, and text that must be in the source.
CASES: dict[str, tuple[Make, str]] = {
    "a multiple": (lambda u, x, y: b.add(u, x, b.mul(u, 0.5, y)), "torch.add(x, y, alpha=0.5)"),
    "less a multiple": (lambda u, x, y: sub(u, x, b.mul(u, 0.5, y)), "torch.sub(x, y, alpha=0.5)"),
    "a product": (lambda u, x, y: b.add(u, x, b.mul(u, x, y)), "torch.addcmul(x, x, y)"),
    "less a product": (
        lambda u, x, y: sub(u, y, b.mul(u, x, y)),
        "torch.addcmul(y, x, y, value=-1)",
    ),
    "less a negative multiple of a product": (
        lambda u, x, y: sub(u, y, b.mul(u, -0.5, b.mul(u, x, y))),
        "torch.addcmul(y, x, y, value=0.5)",
    ),
    "in place of what was just made": (
        lambda u, x, y: sub(u, b.mul(u, 2, b.exp(u, x)), y),
        "torch.exp(x).mul_(2.0).sub_(y)",
    ),
    "a quotient": (
        lambda u, x, y: u.apply(Div(), b.exp(u, x), b.exp(u, y)),
        "torch.exp(x).div_(torch.exp(y))",
    ),
    "a multiple added in place": (
        lambda u, x, y: b.add(u, b.mul(u, 0.5, y), b.exp(u, x)),
        "torch.exp(x).add_(y, alpha=0.5)",
    ),
    "a divisor stays": (lambda u, x, y: u.apply(Div(), x, b.exp(u, y)), "x / torch.exp(y)"),
    "what is spread is not overwritten": (
        lambda u, x, y: b.mul(u, rows(u, x), y),
        "* y",
    ),
    "read twice": (lambda u, x, y: _twice(u, b.exp(u, x), y), "exp_1"),
}


def _twice(build: Builder, e: Node, y: Node) -> Node:
    return b.mul(build, b.add(build, e, y), sub(build, e, y))


@pytest.mark.parametrize("case", CASES)
def test_text_and_values(case: str) -> None:
    make, text = CASES[case]
    build = Builder()
    x, y = (build.apply(Input("data", name, (M, N))) for name in "xy")
    outputs = {"z": make(build, x, y), "x": x, "y": y}
    function = TARGET.compile_function(outputs, SIZES, dtype="float64")
    assert text in function.source
    rng = np.random.default_rng(0)
    given = {name: rng.normal(size=(3, 5)) for name in "xy"}
    kept = {name: value.copy() for name, value in given.items()}
    found = function.run({}, given, {}, NOISE)
    arrays = {f"data:{name}": value for name, value in kept.items()}
    (expected,) = evaluate([outputs["z"]], arrays, SIZES)
    assert np.allclose(found["z"], expected, rtol=1e-14)
    for name, value in kept.items():
        assert np.array_equal(found[name], value)
        assert np.array_equal(given[name], value)


def test_products_by_size_and_threads() -> None:
    """Large products are oneDNN's, small ones BLAS's; a relu that comes with it counts."""
    plain = (False, False)
    for several in (False, True):
        assert dense_pays((128, 784, 400), plain, several=several)
        assert not dense_pays((64, 64, 16), plain, several=several)
        assert not dense_pays((4, 4096, 4096), plain, several=several)
    assert not dense_pays((64, 64, 128), plain, several=False)
    assert dense_pays((400, 128, 40), plain, several=True)
    assert dense_pays((784, 128, 40), (True, False), several=True)
    assert not dense_pays((128, 64, 64), (True, False), several=True)
    rows = next(n for n in range(8, 999) if dense_pays((n, 20, 64), plain, several=False))
    assert dense_pays((rows - 1, 20, 64), plain, several=False, relu=True)
