"""Named passes: selection, verification in between, steps and outputs."""

from __future__ import annotations

import numpy as np
import pytest

from gendsl.ir.build import const, mul, sub, sum_of
from gendsl.ir.evaluate import evaluate
from gendsl.ir.graph import Builder, Node, reachable
from gendsl.ir.step import OptimizerGroup, StepGraph
from gendsl.ir.verify import InvalidGraph, verify_nodes
from gendsl.ops.arithmetic import StopGrad, StraightThrough
from gendsl.ops.leaf import Input
from gendsl.ops.loop import LoopCarry, loop
from gendsl.ops.unary import Exp, Log, Tanh
from gendsl.passes.differentiate import gradients
from gendsl.passes.pipeline import (
    PASSES,
    Pass,
    select,
    transform,
    transform_outputs,
    transform_step,
)
from gendsl.passes.share import share
from gendsl.shape.dim import Dim
from gendsl.source.text import Span
from tests.passes.graphs import SIZES, Z, param, vae, vae_values


def test_select() -> None:
    assert select("none") == ()
    assert select("all") == PASSES
    assert [p.name for p in select("share, simplify")] == ["simplify", "share"]
    with pytest.raises(ValueError, match="no pass is named fuse"):
        select("simplify,fuse")


def sgd() -> tuple[StepGraph, dict[str, Node]]:
    build = Builder()
    loss, params = vae(build)
    slopes = gradients(build, loss, list(params.values()))
    lr = const(build, 1)
    updates = {
        f"param:{path}": sub(build, p, mul(build, lr, slope))
        for (path, p), slope in zip(params.items(), slopes, strict=True)
    }
    group = OptimizerGroup("sgd", {}, lr, tuple(params), tuple(slopes), count=const(build, 2))
    return StepGraph(build, {"loss": loss}, updates, (group,)), params


@pytest.mark.parametrize("passes", ["none", "values", "simplify", "share", "all"])
def test_a_step_stays_equal(passes: str) -> None:
    step, params = sgd()
    after = transform_step(step, select(passes), verify=True)
    given = vae_values(params)
    before_nodes = [*step.metrics.values(), *step.updates.values(), *step.groups[0].gradients]
    after_nodes = [*after.metrics.values(), *after.updates.values(), *after.groups[0].gradients]
    for old, new in zip(
        evaluate(before_nodes, given, SIZES), evaluate(after_nodes, given, SIZES), strict=True
    ):
        np.testing.assert_allclose(new, old, rtol=1e-9, atol=1e-12)
    assert list(after.updates) == list(step.updates)
    assert after.groups[0].count is not None
    assert all(n.id < len(after.builder) for n in after_nodes)


def test_share_drops_what_is_not_reached_and_numbers_by_structure() -> None:
    build = Builder()
    x = param(build, "x", Z)
    build.apply(Log(), x)
    y = build.apply(Exp(), x)
    build.spans[y] = Span("a.gml", 0, 1)
    build.names[y] = "y"
    fresh, table = share(build, [y])
    assert len(fresh) == 2
    assert fresh.spans[table[y]] == Span("a.gml", 0, 1)
    assert fresh.names[table[y]] == "y"
    assert verify_nodes([table[y]]).ok


def test_values_forgets_where_gradients_stopped() -> None:
    build = Builder()
    z, q = param(build, "z", Z), param(build, "q", Z)
    out = build.apply(StraightThrough(), z, build.apply(StopGrad(), build.apply(Exp(), q)))
    after = transform_outputs(build, {"out": sum_of(build, out)}, select("values"))["out"]
    assert [n.op.name for n in reachable([after])] == ["input", "exp", "sum"]


def test_bodies_of_loops_are_simplified() -> None:
    build = Builder()
    x = param(build, "x", Z)
    carry = build.apply(LoopCarry("l", 0, (Z,)))
    after = build.apply(Log(), build.apply(Exp(), build.apply(Tanh(), carry)))
    (end,) = loop(build, "l", Dim.name("T"), [x], [after])
    new = transform_outputs(build, {"y": end}, verify=True)["y"]
    assert [i.op.name for i in new.op.body.instructions] == ["tanh"]  # type: ignore[attr-defined]
    given = {"param:x": np.arange(3.0)}
    sizes = {**SIZES, "T": 4}
    (old_value,), (new_value,) = evaluate([end], given, sizes), evaluate([new], given, sizes)
    np.testing.assert_allclose(new_value, old_value)


def test_a_pass_that_breaks_a_rule_is_named() -> None:
    def wrong(build: Builder, roots):  # type: ignore[no-untyped-def]
        stray = build.apply(Input("data", "x", (Z,)))
        other = build.apply(Input("data", "x", (Z, Z)))
        total = sum_of(build, mul(build, sum_of(build, other), stray))
        return build, dict.fromkeys(roots, total)

    build = Builder()
    x = param(build, "x", Z)
    with pytest.raises(InvalidGraph, match="after wrong: inputs_are_one"):
        transform(build, [x], [Pass("wrong", "breaks a rule", wrong)], verify=True)
