"""The adjoint of normalised rows is found in what differentiation and simplification leave, and
only where rows are centred; values stay."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

import numpy as np
import pytest

from gendsl.ir import build as b
from gendsl.ir.evaluate import evaluate
from gendsl.ir.graph import Builder, Node, reachable
from gendsl.ir.merge import merge
from gendsl.ir.step import StepGraph
from gendsl.ir.verify import verify_nodes
from gendsl.ops.arithmetic import Mul, Sub
from gendsl.ops.broadcast import Broadcast
from gendsl.ops.contract import Contract
from gendsl.ops.leaf import Input
from gendsl.ops.norm import NormSlope
from gendsl.ops.unary import Rsqrt, Tanh
from gendsl.passes.differentiate import gradients
from gendsl.passes.pipeline import transform_step
from gendsl.shape.dim import Dim

B, N, D = (Dim.name(n) for n in "BND")
SIZES = {"B": 2, "N": 3, "D": 4}


def given(build: Builder, name: str, *shape: Dim) -> Node:
    return build.apply(Input("param", name, shape))


def along(build: Builder, x: Node, like: Node, *positions: int) -> Node:
    return build.apply(Broadcast(like.type.shape, positions), x)


def layer_norm(build: Builder, x: Node, *, centre: bool = True) -> Node:
    """As `stdlib/nn.gml` has it."""
    rank = x.type.rank
    rows = tuple(range(rank - 1))
    mean = along(build, b.mean_of(build, x, (rank - 1,)), x, *rows)
    s = build.apply(Sub(), x, mean) if centre else x
    a = b.add(build, b.mean_of(build, b.square(build, s), (rank - 1,)), Fraction(1, 100_000))
    h = build.apply(Mul(), s, along(build, build.apply(Rsqrt(), a), x, *rows))
    gain, bias = given(build, "gain", D), given(build, "bias", D)
    scaled = build.apply(Mul(), h, along(build, gain, x, rank - 1))
    return b.add(build, scaled, along(build, bias, x, rank - 1))


def layer(build: Builder, y: Node, name: str) -> Node:
    last = y.type.rank - 1
    rows = tuple(range(last))
    product = Contract((*rows, last), (last, last + 1), (*rows, last + 1))
    return build.apply(product, y, given(build, name, D, D))


Net = Callable[[Builder, Node], Node]
NETS: dict[str, Net] = {
    "alone": lambda build, x: layer_norm(build, x),
    "beside a skip": lambda build, x: b.add(build, x, layer(build, layer_norm(build, x), "v")),
    "after a layer": lambda build, x: layer_norm(build, build.apply(Tanh(), x)),
}


def slopes(net: Net, *shape: Dim, sizes: dict[str, int] = SIZES) -> int:
    """How many adjoints of the net are ops after merging; its gradients are as before."""
    build = Builder()
    x, target = given(build, "x", *shape), given(build, "target", *shape)
    y = layer(build, net(build, x), "w")  # as in every net: a layer comes after it
    error = build.apply(Sub(), y, target)
    loss = b.sum_of(build, b.square(build, error))
    wrt = [given(build, "gain", D), given(build, "bias", D), x]
    found = dict(zip("gbx", gradients(build, loss, wrt), strict=True))
    step = transform_step(StepGraph(build, {"loss": loss}, found))
    after = merge(step, sizes)
    old, new = ([s.metrics["loss"], *s.updates.values()] for s in (step, after))
    assert verify_nodes(new).ok
    rng = np.random.default_rng(0)
    values = {
        f"param:{n.op.key}": rng.normal(size=[d.size(sizes) for d in n.type.shape])
        for n in reachable(old)
        if isinstance(n.op, Input)
    }
    for was, now in zip(evaluate(old, values, sizes), evaluate(new, values, sizes), strict=True):
        np.testing.assert_allclose(now, was, rtol=1e-11, atol=1e-12)
    return sum(isinstance(n.op, NormSlope) for n in reachable(new))


@pytest.mark.parametrize("shape", [(B, D), (B, N, D)])
@pytest.mark.parametrize("name", NETS)
def test_the_adjoint_is_one_op(name: str, shape: tuple[Dim, ...]) -> None:
    assert slopes(NETS[name], *shape) == 1


def test_two_in_a_row() -> None:
    assert slopes(lambda build, x: layer_norm(build, layer_norm(build, x)), B, D) == 2


def test_rows_of_one() -> None:
    assert slopes(NETS["alone"], B, D, sizes={**SIZES, "D": 1}) == 1


def test_rows_that_are_not_centred_keep_their_formula() -> None:
    assert slopes(lambda build, x: layer_norm(build, x, centre=False), B, D) == 0
