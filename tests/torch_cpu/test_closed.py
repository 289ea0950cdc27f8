"""Closed forms of units and their adjoints: the text has the call, values are the graph's.

Entries are random, and some of them are at the edges: zeros of both signs, the least numbers.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from backends.torch_cpu import TARGET
from gendsl.ir import build as b
from gendsl.ir.evaluate import evaluate
from gendsl.ir.graph import Builder, Node
from gendsl.noise import Noise
from gendsl.ops.arithmetic import Maximum, Mul, Sub
from gendsl.ops.broadcast import Broadcast, Sum, full
from gendsl.ops.compare import Less, LessEqual, Where
from gendsl.ops.contract import Contract
from gendsl.ops.leaf import Input
from gendsl.ops.slope import GeluSlope, SiluSlope
from gendsl.shape.dim import Dim

M, N, K = (Dim.name(n) for n in "MNK")
SIZES = {"M": 3, "N": 5, "K": 4}
Make = Callable[[Builder, Node, Node], Node]


def softmax_slope(axis: int) -> Make:
    def make(build: Builder, y: Node, g: Node) -> Node:
        total = build.apply(Sum((axis,)), build.apply(Mul(), g, y))
        spread = build.apply(Broadcast(g.type.shape, (1 - axis,)), total)
        return build.apply(Mul(), y, build.apply(Sub(), g, spread))

    return make


def sigmoid_slope(build: Builder, y: Node, g: Node) -> Node:
    rest = build.apply(Sub(), full(build, 1, y), y)
    return build.apply(Mul(), g, build.apply(Mul(), y, rest))


def smooth(unit: GeluSlope | SiluSlope) -> Make:
    return lambda build, x, g: build.apply(Mul(), g, build.apply(unit, x))


def gate(compare: Less | LessEqual, k: float) -> Make:
    def make(build: Builder, x: Node, g: Node) -> Node:
        condition = build.apply(compare, full(build, 0, x), x)
        low = b.mul(build, k, g) if k else full(build, 0, g)
        return build.apply(Where(), condition, g, low)

    return make


def leaky(build: Builder, x: Node, g: Node) -> Node:
    return build.apply(Maximum(), x, b.mul(build, 0.25, x))


FORMS: dict[str, tuple[Make, bool]] = {
    "softmax_slope": (softmax_slope(1), True),
    "sigmoid_slope": (sigmoid_slope, True),
    "silu_slope": (smooth(SiluSlope()), True),
    "gelu_slope": (smooth(GeluSlope()), True),
    "relu_slope": (gate(Less(), 0), True),
    "relu_slope_at_0": (gate(LessEqual(), 0), True),
    "leaky_slope": (gate(Less(), 0.25), False),
    "leaky_slope_at_0": (gate(LessEqual(), 0.25), False),
    "torch.nn.functional.leaky_relu": (leaky, False),
}


def data(build: Builder, name: str, *shape: Dim) -> Node:
    return build.apply(Input("data", name, shape))


def edges(dtype: str) -> np.ndarray:
    """Random entries and edges, 3 by 5."""
    least = np.finfo(dtype).smallest_subnormal
    found = np.random.default_rng(0).normal(size=(3, 5)).astype(dtype)
    found[0] = [0, -0.0, least, -least, 1]
    return found


def check(node: Node, values: dict[str, np.ndarray], dtype: str) -> str:
    """The compiled node equals the graph's own value; its source."""
    given = {f"data:{k}": v for k, v in values.items()}
    (expected,) = evaluate([node], given, SIZES, dtype=np.dtype(dtype))
    function = TARGET.compile_function({"y": node}, SIZES, dtype=dtype)
    actual = function.run({}, values, {}, Noise(0, "test"))["y"]
    tolerance = 1e-12 if dtype == "float64" else 1e-5
    np.testing.assert_allclose(actual, expected, rtol=tolerance, atol=tolerance)
    return function.source


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", FORMS)
def test_one_call(name: str, dtype: str) -> None:
    build = Builder()
    node = FORMS[name][0](build, data(build, "x", M, N), data(build, "g", M, N))
    g = np.random.default_rng(1).normal(size=(3, 5)).astype(dtype)
    values = {"x": edges(dtype), "g": g}
    if name == "torch.nn.functional.leaky_relu":
        del values["g"]
    assert f" {name}(" in check(node, values, dtype)


@pytest.mark.parametrize("name", [name for name, (_, fits) in FORMS.items() if fits])
def test_in_the_place_of_a_product(name: str) -> None:
    """What nothing else reads is overwritten; a product that something else reads is not."""
    build = Builder()
    x, a, w = data(build, "x", M, N), data(build, "a", M, K), data(build, "w", K, N)
    g = build.apply(Contract((0, 1), (1, 2), (0, 2)), a, w)
    node = FORMS[name][0](build, x, g)
    rng = np.random.default_rng(2)
    values = {"x": edges("float64"), "a": rng.normal(size=(3, 4)), "w": rng.normal(size=(4, 5))}
    alone = check(node, values, "float64")
    assert (f" {name}_(" in alone) == (name != "softmax_slope")  # its sum reads g as well
    both = check(b.add(build, node, b.mul(build, node, g)), values, "float64")
    assert f"{name}_(" not in both


def test_a_sum_along_another_axis_is_no_softmax() -> None:
    build = Builder()
    y, g, h = (data(build, n, M, M) for n in "ygh")
    product = build.apply(Mul(), g, h)
    spread = build.apply(Broadcast((M, M), (0,)), build.apply(Sum((1,)), product))
    values = {n: np.random.default_rng(3).normal(size=(3, 3)) for n in "ygh"}
    node = build.apply(Mul(), y, build.apply(Sub(), g, spread))
    assert "softmax_slope" not in check(node, values, "float64")
    spread = build.apply(Broadcast((M, M), (1,)), build.apply(Sum((1,)), build.apply(Mul(), g, y)))
    node = build.apply(Mul(), y, build.apply(Sub(), g, spread))
    del values["h"]
    assert "softmax_slope" not in check(node, values, "float64")
