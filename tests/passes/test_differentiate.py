"""Differentiation of whole graphs: against finite differences, torch.autograd, and itself."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from gendsl.diagnostics.model import GendslError
from gendsl.ir.build import broadcast_to, dot, exp, mul, square, sub, sum_of
from gendsl.ir.evaluate import evaluate
from gendsl.ir.graph import Builder, reachable
from gendsl.ir.op import NodeType
from gendsl.ir.verify import verify_nodes
from gendsl.ops.arithmetic import StopGrad, StraightThrough
from gendsl.ops.contract import Contract
from gendsl.ops.leaf import Const, Input
from gendsl.ops.loop import LoopCarry, loop
from gendsl.ops.reduce import ArgMin, Softmax
from gendsl.ops.select import Gather
from gendsl.ops.unary import Silu, Tanh
from gendsl.passes.differentiate import flows, gradients
from gendsl.shape.dim import Dim
from gendsl.source.text import Span
from tests.passes.graphs import SIZES, B, D, Z, data, param, vae, vae_values


def test_vae_is_finite_differences() -> None:
    build = Builder()
    loss, params = vae(build)
    slopes = gradients(build, loss, list(params.values()))
    assert verify_nodes(slopes).ok
    values = vae_values(params)
    found = dict(zip(params, evaluate(slopes, values, SIZES), strict=True))
    rng = np.random.default_rng(1)
    for path, slope in found.items():
        way, step, key = rng.normal(size=slope.shape), 1e-6, f"param:{path}"
        ends = [
            evaluate([loss], {**values, key: values[key] + s * way}, SIZES)[0]
            for s in (-step, step)
        ]
        assert (slope * way).sum() == pytest.approx((ends[1] - ends[0]) / (2 * step), rel=1e-6)


def test_vae_is_autograd() -> None:
    build = Builder()
    loss, params = vae(build)
    values = vae_values(params)
    slopes = gradients(build, loss, list(params.values()))
    value, *found = evaluate([loss, *slopes], values, SIZES)
    t = {k: torch.tensor(v, requires_grad=k.startswith("param")) for k, v in values.items()}

    def layer(x: torch.Tensor, path: str) -> torch.Tensor:
        return x @ t[f"param:{path}.w"] + t[f"param:{path}.b"]

    x = t["data:x"]
    h = layer(x, "encoder.h").relu()
    mu, logvar = layer(h, "encoder.mu"), layer(h, "encoder.logvar")
    z = mu + (logvar / 2).exp() * t["draw:neg_elbo/eps"]
    r = layer(layer(z, "decoder.h").relu(), "decoder.out")
    bce = torch.nn.functional.binary_cross_entropy_with_logits(r, x, reduction="sum") / 4
    kl = (logvar.exp() + mu**2 - 1 - logvar).sum() / 2 / 4
    expected = bce + t["hyper:beta"] * kl
    assert value == pytest.approx(expected.item(), rel=1e-12)
    wanted = torch.autograd.grad(expected, [t[f"param:{p}"] for p in params])
    for slope, theirs in zip(found, wanted, strict=True):
        np.testing.assert_allclose(slope, theirs.numpy(), rtol=1e-10, atol=1e-12)


def test_second_order_is_autograd() -> None:
    """The gradient of a gradient penalty, as in WGAN-GP."""
    build = Builder()
    x, w = data(build, "x", B, D), param(build, "w", D)
    score = build.apply(Silu(), build.apply(Contract((0, 1), (1,), (0,)), x, w))
    score = mul(build, score, build.apply(Tanh(), score))
    (slope,) = gradients(build, sum_of(build, score), [x])
    penalty = sum_of(build, square(build, sub(build, sum_of(build, square(build, slope), [1]), 1)))
    (found,) = gradients(build, penalty, [w])
    rng = np.random.default_rng(3)
    values = {"data:x": rng.normal(size=(4, 6)), "param:w": rng.normal(size=6)}
    (ours,) = evaluate([found], values, SIZES)
    tx = torch.tensor(values["data:x"], requires_grad=True)
    tw = torch.tensor(values["param:w"], requires_grad=True)
    s = torch.nn.functional.silu(tx @ tw)
    (g,) = torch.autograd.grad((s * s.tanh()).sum(), tx, create_graph=True)
    (theirs,) = torch.autograd.grad(((g.square().sum(1) - 1) ** 2).sum(), tw)
    np.testing.assert_allclose(ours, theirs.numpy(), rtol=1e-9)


def test_stop_grad_is_zero_by_structure() -> None:
    build = Builder()
    x, y = param(build, "x", Z), param(build, "y", Z)
    loss = dot(build, x, build.apply(StopGrad(), y))
    assert flows(build, loss, [x, y]) == [True, False]
    _, zero = gradients(build, loss, [x, y])
    assert zero.type == NodeType((Z,))
    assert [n.op for n in reachable([zero]) if isinstance(n.op, Const)] == [Const(0)]


def test_straight_through_of_a_codebook() -> None:
    """The decoder's gradient reaches the encoder unchanged and the codebook not at all."""
    build = Builder()
    k = Dim.name("K")
    z, codes = param(build, "z", B, Z), param(build, "codes", k, Z)
    all_pairs = (B, k, Z)
    gap = sub(
        build,
        broadcast_to(build, z, all_pairs, (0, 2)),
        broadcast_to(build, codes, all_pairs, (1, 2)),
    )
    distance = square(build, gap)
    nearest = build.apply(ArgMin(1), sum_of(build, distance, [2]))
    code = build.apply(Gather(0), codes, nearest)
    out = build.apply(StraightThrough(), z, code)
    loss = sum_of(build, exp(build, out))
    assert flows(build, loss, [z, codes]) == [True, False]
    (slope,) = gradients(build, loss, [z])
    rng = np.random.default_rng(0)
    values = {"param:z": rng.normal(size=(4, 3)), "param:codes": rng.normal(size=(7, 3))}
    slope_value, out_value = evaluate([slope, out], values, {**SIZES, "K": 7})
    np.testing.assert_allclose(slope_value, np.exp(out_value))
    assert {tuple(r) for r in out_value} <= {tuple(r) for r in values["param:codes"]}


def test_only_what_flows_is_built() -> None:
    """The gradient by one parameter does not contain products for another."""
    build = Builder()
    x, w, v = data(build, "x", B, D), param(build, "w", B, D), param(build, "v", B, D)
    loss = dot(build, mul(build, x, w), v)
    (slope,) = gradients(build, loss, [v])
    ops = [n for n in reachable([slope]) if n.op.name == "mul"]
    assert len(ops) <= 2


def test_an_input_of_an_intermediate_value() -> None:
    """grad[h](y) for a value h that is not an input."""
    build = Builder()
    x = param(build, "x", Z)
    h = build.apply(Softmax(0), x)
    (slope,) = gradients(build, sum_of(build, square(build, h)), [h])
    value, by_hand = evaluate([slope, h], {"param:x": np.arange(3.0)}, SIZES)
    np.testing.assert_allclose(value, 2 * by_hand)


def test_a_loop_is_not_differentiable_and_says_where() -> None:
    build = Builder()
    x = param(build, "x", Z)
    carry = build.apply(LoopCarry("l", 0, (Z,)))
    (end,) = loop(build, "l", Dim.name("T"), [x], [build.apply(Tanh(), carry)])
    build.spans[end] = Span("a.gml", 3, 9)
    with pytest.raises(GendslError) as caught:
        gradients(build, sum_of(build, end), [x])
    (problem,) = caught.value.diagnostics
    assert problem.code == "E0701"
    assert "`loop`" in problem.message
    assert problem.primary is not None
    assert problem.primary.span == Span("a.gml", 3, 9)


def test_only_scalars_have_gradients() -> None:
    build = Builder()
    x = build.apply(Input("param", "x", (Z,)))
    with pytest.raises(ValueError, match="real scalar"):
        gradients(build, x, [x])
