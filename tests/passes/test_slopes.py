"""Derivatives have closed forms: ops of their own, or what the rules leave of the formulas."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from gendsl.ir import build as b
from gendsl.ir.evaluate import evaluate
from gendsl.ir.graph import Builder, Node, reachable
from gendsl.ops.arithmetic import Maximum, StraightThrough
from gendsl.ops.arity import Unary
from gendsl.ops.leaf import Input
from gendsl.ops.reduce import Softmax
from gendsl.ops.unary import Gelu, Sigmoid, Silu, Softplus
from gendsl.passes.differentiate import gradients
from gendsl.passes.pipeline import transform_outputs
from gendsl.shape.dim import Dim

N, M = Dim.name("N"), Dim.name("M")
SIZES = {"N": 3, "M": 4}


def given(build: Builder, name: str) -> Node:
    return build.apply(Input("data", name, (N, M)))


def slope(build: Builder, loss: Node, x: Node) -> tuple[Counter[str], Node]:
    """The ops of the derivative after all passes, leaves and broadcasts left out; the loss is there
    too, as in a step."""
    (plain,) = gradients(build, loss, [x])
    found = transform_outputs(build, {"loss": loss, "slope": plain})["slope"]
    rng = np.random.default_rng(0)
    values = {f"data:{k}": rng.normal(size=(3, 4)) for k in ("x", "y", "eps")}
    before, after = (evaluate([n], values, SIZES)[0] for n in (plain, found))
    np.testing.assert_allclose(after, before, rtol=1e-12, atol=1e-14)
    hidden = ("input", "const", "broadcast", "size_value")
    return Counter(n.op.name for n in reachable([found]) if n.op.name not in hidden), found


@pytest.mark.parametrize("op", [Silu(), Gelu()], ids=lambda op: op.name)
def test_smooth_units(op: Unary) -> None:
    build = Builder()
    x, y = given(build, "x"), given(build, "y")
    ops, _ = slope(build, b.sum_of(build, b.mul(build, y, build.apply(op, x))), x)
    assert ops == {f"{op.name}_slope": 1, "mul": 1}


def test_a_second_derivative_of_a_smooth_unit() -> None:
    build = Builder()
    x = given(build, "x")
    (first,) = gradients(build, b.sum_of(build, build.apply(Silu(), x)), [x])
    slope(build, b.sum_of(build, b.square(build, first)), x)


def test_cross_entropy_of_logits() -> None:
    """softplus(l) - x l has the derivative sigmoid(l) - x."""
    build = Builder()
    logits, x = given(build, "x"), given(build, "y")
    nll = b.sub(build, build.apply(Softplus(), logits), b.mul(build, x, logits))
    assert slope(build, b.sum_of(build, nll), logits)[0] == {"sigmoid": 1, "sub": 1}


def test_squared_error_of_a_sigmoid() -> None:
    """(s - y)^2 has the derivative 2 (s - y) s (1 - s)."""
    build = Builder()
    x, y = given(build, "x"), given(build, "y")
    error = b.sub(build, build.apply(Sigmoid(), x), y)
    ops, _ = slope(build, b.sum_of(build, b.square(build, error)), x)
    assert ops == {"sigmoid": 1, "sub": 2, "mul": 3}


def test_leaky_units_choose_once() -> None:
    build = Builder()
    x, y = given(build, "x"), given(build, "y")
    fifth = b.mul(build, x, Dim.of(1).divide(Dim.of(5)))
    loss = b.sum_of(build, b.mul(build, y, build.apply(Maximum(), x, fifth)))
    assert slope(build, loss, x)[0] == {"where": 1, "less_equal": 1, "mul": 1}


def test_softmax() -> None:
    """y (g - sum(g y)), which reads the softmax and not its operand again."""
    build = Builder()
    x, y = given(build, "x"), given(build, "y")
    loss = b.sum_of(build, b.mul(build, y, build.apply(Softmax(1), x)))
    ops, _ = slope(build, loss, x)
    assert ops["softmax"] == 1 and ops["exp"] == 0 and sum(ops.values()) <= 5


def test_straight_through_is_not_there_any_more() -> None:
    build = Builder()
    z, q = given(build, "x"), given(build, "y")
    value = build.apply(StraightThrough(), z, q)
    assert slope(build, b.sum_of(build, b.square(build, value)), z)[0] == {"mul": 1}


def test_divergence_to_the_standard_normal() -> None:
    """The derivatives of (exp(l) + m^2 - 1 - l) / 2 are (exp(l) - 1) / 2 and m."""
    build = Builder()
    mu, logvar = given(build, "x"), given(build, "y")
    inside = b.add(build, b.exp(build, logvar), b.square(build, mu))
    kl = b.mul(build, b.sub(build, b.sub(build, inside, 1), logvar), Dim.of(1).divide(Dim.of(2)))
    assert slope(build, b.sum_of(build, kl), logvar)[0] == {"expm1": 1, "mul": 1}
    assert slope(build, b.sum_of(build, kl), mu)[0] == {}
