"""What single ops do not show: loops, players, aliases, plans that cannot update in place."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import torch

from backends.torch_cpu import TARGET
from backends.torch_cpu.emit import PARAMETERS
from backends.torch_cpu.runtime import namespace
from backends.torch_cpu.target import Step
from gendsl.diagnostics.model import GendslError
from gendsl.ir.build import add, broadcast_to, const, exp, mul, square, sub, sum_of, to_real
from gendsl.ir.evaluate import evaluate
from gendsl.ir.graph import Builder, Node
from gendsl.ir.layout import RESERVED
from gendsl.ir.plan import UpdateCall
from gendsl.ir.schedule import make_plan
from gendsl.ir.step import StepGraph
from gendsl.noise import Noise
from gendsl.ops.contract import Contract
from gendsl.ops.conv import Conv2d, ConvTranspose2d
from gendsl.ops.leaf import Draw, Input
from gendsl.ops.loop import LoopCarry, LoopIndex, loop
from gendsl.ops.movement import Reshape, Transpose
from gendsl.ops.pointwise import Relu, Sigmoid, StopGrad
from gendsl.ops.select import Gather
from gendsl.ops.symbolic import Expectation
from gendsl.passes.joint import initial, joint
from gendsl.passes.pipeline import transform_step
from gendsl.shape.dim import Dim
from tests.joint.models import Model, line, objective, recipe

N, M, T = Dim.name("N"), Dim.name("M"), Dim.name("T")
SIZES = {"N": 3, "M": 2, "T": 5}
NOISE = Noise(0, "sample", 7)
TENTH = Fraction(1, 10)


def check(outputs: Mapping[str, Node], given: Mapping[str, Any], **hypers: float) -> str:
    """The compiled outputs equal the reference's; returns the source."""
    function = TARGET.compile_function(outputs, SIZES, dtype="float64")
    batch = {k.partition(":")[2]: v for k, v in given.items()}
    found = function.run(given, batch, hypers, NOISE)
    numbers = {f"hyper:{k}": v for k, v in hypers.items()}
    expected = evaluate(list(outputs.values()), {**given, **numbers}, SIZES, noise=NOISE)
    for name, reference in zip(outputs, expected, strict=True):
        assert np.allclose(found[name], reference, rtol=1e-12, atol=1e-12), name
        assert found[name].shape == reference.shape
        assert found[name].dtype == reference.dtype
    return function.source


# ---- loops -------------------------------------------------------------------------------


def walk(build: Builder) -> list[Node]:
    """A chain with noise, a table read at the index, a captured matrix, and a counter."""
    index = build.apply(LoopIndex("walk", T))
    x = build.apply(LoopCarry("walk", 0, (N, M)))
    total = build.apply(LoopCarry("walk", 1, ()))
    table = build.apply(Input("data", "table", (T,)))
    w = build.apply(Input("param", "net.w", (M, M)))
    beta = build.apply(Input("hyper", "beta"))
    z = build.apply(Draw("walk.z", "normal", (N, M), 0), index)
    scale = build.apply(Gather(), table, index)
    y = build.apply(Contract((0, 1), (1, 2), (0, 2)), build.apply(Sigmoid(), x), exp(build, w))
    new = add(build, mul(build, scale, y), mul(build, mul(build, beta, Fraction(1, 3)), z))
    count = add(build, total, to_real(build, index))
    start = build.apply(Draw("walk.x", "normal", (N, M), 0))
    return loop(build, "walk", T, [start, const(build, 0)], [new, count])


def loop_values() -> dict[str, Any]:
    rng = np.random.default_rng(0)
    return {"data:table": rng.random(5), "param:net.w": rng.normal(size=(2, 2))}


def test_a_loop_with_draws_and_captures() -> None:
    build = Builder()
    x, total = walk(build)
    source = check({"x": x, "total": total}, loop_values(), beta=0.5)
    assert "for _i in range(5):" in source
    assert source.count("for _i in") == 1
    assert 'draw("walk.z", "normal", (3, 2), example_axis=0, loop=(i,))' in source
    before, _, inside = source.partition("def _iterate")
    assert "torch.exp" in before  # what does not depend on the loop is computed once
    assert "torch.exp" not in inside


def test_one_result_of_a_loop() -> None:
    build = Builder()
    _, total = walk(build)
    check({"total": mul(build, total, 2)}, loop_values(), beta=0.5)


def test_a_loop_in_a_loop() -> None:
    build = Builder()
    i, j = build.apply(LoopIndex("outer", N)), build.apply(LoopIndex("inner", M))
    x, y = build.apply(LoopCarry("outer", 0, (M,))), build.apply(LoopCarry("inner", 0, (M,)))
    z = build.apply(Draw("z", "uniform", (M,)), i, j)
    step = add(build, mul(build, y, Fraction(1, 2)), mul(build, to_real(build, i), z))
    (inner,) = loop(build, "inner", M, [x], [step])
    (outer,) = loop(build, "outer", N, [build.apply(Draw("x", "normal", (M,)))], [inner])
    check({"x": outer}, {})


def test_a_loop_that_swaps() -> None:
    build = Builder()
    a, b = (build.apply(LoopCarry("swap", k, (N,))) for k in range(2))
    first, second = (build.apply(Input("data", name, (N,))) for name in "ab")
    x, y = loop(build, "swap", T, [first, second], [b, add(build, a, 1)])
    check({"x": x, "y": y}, {"data:a": np.arange(3.0), "data:b": np.ones(3)})


def test_a_loop_that_does_nothing_copies() -> None:
    """The state that it yields must survive the update of the parameter in place."""
    m = Model()
    build, a = m.build, m.param("a", (N,))
    carried = [build.apply(LoopCarry("idle", k, (N,))) for k in range(2)]
    first, second = loop(build, "idle", T, [a, a], [carried[0], a])
    state = [build.apply(Draw(f"init.{s}", "normal", (N,))) for s in "st"]
    loss = sum_of(build, square(build, a))
    graph = m.graph(
        [objective("f", loss, updates={"s": first, "t": second})],
        states=dict(zip("st", state, strict=True)),
    )
    step = joint(graph, recipe(line("f", ["a"], "sgd", lr=TENTH)))
    compiled = TARGET.compile_step(step, SIZES, dtype="float64")
    assert updating(compiled) == [("param:a",)]
    zeros = {"state:s": np.zeros(3), "state:t": np.zeros(3)}
    follow(step, compiled, {"param:a": np.arange(3.0), **zeros})


# ---- values and memory -------------------------------------------------------------------


def test_outputs_share_no_memory() -> None:
    build = Builder()
    x = build.apply(Input("data", "x", (N, M)))
    y = build.apply(Sigmoid(), x)
    outputs = {
        "x": x,
        "flat": build.apply(Reshape((N * M,)), x),
        "y": y,
        "turned": build.apply(Transpose((1, 0)), y),
        "same": build.apply(StopGrad(), y),
    }
    function = TARGET.compile_function(outputs, SIZES)
    given = np.ones((3, 2), dtype=np.float32)
    found = function.run({}, {"x": given}, {}, NOISE)
    for name, array in found.items():
        array[...] = 7 + len(name)
    assert np.all(given == 1)
    again = function.run({}, {"x": given}, {}, NOISE)
    assert np.all(again["flat"] == 1)


def test_hyperparameters_alone_are_numbers() -> None:
    build = Builder()
    beta = build.apply(Input("hyper", "beta"))
    shape = build.apply(Input("data", "x", (N,)))
    number = exp(build, mul(build, beta, 2))
    outputs = {"a": number, "b": mul(build, number, shape), "c": const(build, TENTH)}
    source = check(outputs, {"data:x": np.arange(3.0)}, beta=0.3)
    assert "num.exp(beta * 2.0)" in source


def test_names_of_a_program_are_free() -> None:
    """Fields may be called like anything that generated source uses itself."""
    build = Builder()
    fields = ["data", "p", "torch", "float", "draw", "lambda", "_full_0", "REAL", "1st", "x.y"]
    nodes = [build.apply(Input("data", name, (N,))) for name in fields]
    total = add(build, *nodes, const(build, 1))
    build.names[total] = "number"
    given = {f"data:{name}": np.full(3, float(i)) for i, name in enumerate(fields)}
    outputs = {"y": total, "z": build.apply(Sigmoid(), total), "p": exp(build, total)}
    check(outputs, given)
    assert set(namespace(torch.float32)) <= RESERVED
    assert {name.strip() for name in PARAMETERS.split(",")} <= RESERVED


def test_absent_ops_are_reported() -> None:
    build = Builder()
    x = build.apply(Input("data", "x"))
    with pytest.raises(GendslError, match="E0902: torch_cpu has no code for `expectation`"):
        TARGET.compile_function({"y": build.apply(Expectation(("eps",)), x)}, SIZES)


def test_runs_are_bitwise_repeatable() -> None:
    build = Builder()
    x, _ = walk(build)
    function = TARGET.compile_function({"x": x}, SIZES)
    given = loop_values()
    batch = {"table": given["data:table"]}
    runs = [function.run(given, batch, {"beta": 0.5}, NOISE)["x"] for _ in range(3)]
    assert np.array_equal(runs[0], runs[1])
    assert np.array_equal(runs[0], runs[2])


@pytest.mark.parametrize("channels", [3, 5])  # few are multiplied and folded, many convolved
@pytest.mark.parametrize(
    ("pads", "window"),
    [((1, 1, 1, 1), (4, 4)), ((0, 1, 0, 1), (3, 3)), ((0, 0, -1, 0), (2, 1))],
)
def test_layers_take_their_bias(
    pads: tuple[int, int, int, int], window: tuple[int, int], channels: int
) -> None:
    build = Builder()
    size, image = 2 * N, Dim.of(channels)
    x = build.apply(Input("data", "x", (M, image, size, size)))
    w = build.apply(Input("param", "w", (T, image, *map(Dim.of, window))))
    b, c = build.apply(Input("param", "b", (T,))), build.apply(Input("param", "c", (image,)))
    y = build.apply(Conv2d(2, pads), x, w)
    y = build.apply(Relu(), add(build, y, broadcast_to(build, b, y.type.shape, (1,))))
    back = build.apply(ConvTranspose2d(2, pads, size, size), y, w)
    back = build.apply(Relu(), add(build, broadcast_to(build, c, back.type.shape, (1,)), back))
    rng = np.random.default_rng(1)
    given = {
        "data:x": rng.normal(size=(2, channels, 6, 6)),
        "param:w": rng.normal(size=(5, channels, *window)),
        "param:b": rng.normal(size=5),
        "param:c": rng.normal(size=channels),
    }
    source = check({"y": y, "back": back}, given)
    assert source.count("conv2d_relu(") == source.count("torch.relu_(conv") == 1
    assert "None, None" not in source


# ---- steps -------------------------------------------------------------------------------


def players(options: Mapping[str, Fraction]) -> tuple[StepGraph, dict[str, Any]]:
    """Two parameters and a state that chase each other, with momentum."""
    m = Model()
    build = m.build
    a, b = m.param("a", (N,)), m.param("b", (N,))
    s = build.apply(Input("state", "s", (N,)))
    eps = build.apply(Draw("f.eps", "normal", (N,)))
    f = sum_of(build, square(build, sub(build, a, add(build, b, eps))))
    g = sum_of(build, square(build, sub(build, mul(build, b, a), s)))
    graph = m.graph(
        [objective("f", f, updates={"s": a}), objective("g", g, {"loss": g})],
        states={"s": build.apply(Draw("init.s", "normal", (N,)))},
    )
    plan = recipe(
        line("f", ["a"], "sgd", times=2, lr=TENTH, **options),
        line("g", ["a", "b"], "adam", lr=TENTH),
        ema=Fraction(1, 2),
    )
    nodes = initial(graph, plan)
    values = evaluate(list(nodes.values()), {}, SIZES, noise=Noise(0, "init"))
    return joint(graph, plan), dict(zip(nodes, values, strict=True))


def follow(step: StepGraph, compiled: Step, values: Mapping[str, Any]) -> None:
    """A few steps of the compiled step are those of the reference."""
    compiled.load(values)
    for number in range(4):
        noise = Noise(0, "train", number)
        nodes = [*step.metrics.values(), *step.updates.values()]
        given = {**values, "step:step": float(number)}
        found = evaluate(nodes, given, SIZES, noise=noise)
        metrics, updates = found[: len(step.metrics)], found[len(step.metrics) :]
        values = dict(zip(step.updates, updates, strict=True))
        compiled.run({}, {}, noise)
        for name, reference in zip(step.metrics, metrics, strict=True):
            assert compiled.metrics()[name] == pytest.approx(float(reference), rel=1e-9)
        after = compiled.values()
        for key, reference in values.items():
            assert np.allclose(after[key], reference, rtol=1e-7), (number, key)


@pytest.mark.parametrize("options", [{}, {"momentum": Fraction(1, 2)}])
@pytest.mark.parametrize("passes", [False, True])
def test_players_equal_the_reference(options: dict[str, Fraction], passes: bool) -> None:
    step, values = players(options)
    made = transform_step(step) if passes else step
    follow(step, TARGET.compile_step(made, SIZES, dtype="float64"), values)


def updating(step: Step) -> list[tuple[str, ...]]:
    return [c.group.parameters for c in step.plan.calls if isinstance(c, UpdateCall)]


def test_no_update_in_place_where_the_old_value_is_kept() -> None:
    """The state takes the old parameter: a copy has to outlive the update."""
    m = Model()
    a = m.param("a", (N,))
    loss = sum_of(m.build, square(m.build, a))
    graph = m.graph(
        [objective("f", loss, updates={"old": a})],
        states={"old": m.build.apply(Draw("init.old", "normal", (N,)))},
    )
    step = joint(graph, recipe(line("f", ["a"], "sgd", lr=TENTH)))
    compiled = TARGET.compile_step(step, SIZES, dtype="float64")
    assert updating(compiled) == []
    follow(step, compiled, {"param:a": np.arange(3.0), "state:old": np.zeros(3)})


def test_no_update_in_place_where_old_and_new_are_read_together() -> None:
    m = Model()
    a = m.param("a", (N,))
    graph = m.graph([objective("f", sum_of(m.build, square(m.build, a)))])
    step = joint(graph, recipe(line("f", ["a"], "sgd", lr=TENTH)))
    new = step.updates["param:a"]
    moved = sum_of(m.build, square(m.build, sub(m.build, new, a)))
    both = StepGraph(step.builder, {**step.metrics, "moved": moved}, step.updates, step.groups)
    compiled = TARGET.compile_step(both, SIZES, dtype="float64")
    assert updating(compiled) == []
    follow(both, compiled, {"param:a": np.arange(3.0)})
    assert updating(TARGET.compile_step(step, SIZES)) == [("param:a",)]


def test_a_parameter_without_gradient() -> None:
    m = Model()
    a, _ = m.param("a", (N,)), m.param("b", (N,))
    graph = m.graph([objective("f", sum_of(m.build, square(m.build, a)))])
    step = joint(graph, recipe(line("f", ["a", "b"], "adamw", lr=TENTH)))
    values = {"param:a": np.arange(3.0), "param:b": np.ones(3)}
    values |= {f"slot:{s}:{p}": np.zeros(3) for s in "mv" for p in "ab"}
    for made in (step, transform_step(step)):
        follow(step, TARGET.compile_step(made, SIZES, dtype="float64"), values)


# ---- plans -------------------------------------------------------------------------------


def test_plans_order_calls_and_free_buffers() -> None:
    step, _ = players({})
    for made in (step, transform_step(step)):
        plan = TARGET.compile_step(made, SIZES).plan
        made_by: dict[str, int] = {buffer.name: -1 for buffer in plan.inputs}
        freed: dict[str, int] = {}
        for place, call in enumerate(plan.calls):
            for name in call.reads:
                assert made_by[name] < place, (name, place)
                assert freed.get(name, place) >= place, (name, place)
            freed.update(dict.fromkeys(call.frees, place))
            match call:
                case UpdateCall(results=results):
                    made_by.update({b.name: place for row in results for b in row})
                case _:
                    made_by[call.result.name] = place
        named = {plan.buffers[node].name for node in plan.outputs.values()}
        assert not named & set(freed)


def test_plan_text() -> None:
    build = Builder()
    x, total = walk(build)
    plan = make_plan("sampler", {"x": x, "total": total}, SIZES, names=build.names)
    text = str(plan)
    assert text.startswith("plan sampler at N = 3, M = 2, T = 5\n")
    assert "given net_w: real[2, 2]" in text
    assert "yields x = loop_1" in text
    assert plan.flops > 5 * 2 * 3 * 2 * 2
    matrix = build.apply(Input("data", "m", (N, M)))
    big = make_plan("f", {"y": build.apply(Sigmoid(), mul(build, matrix, 2))}, SIZES)
    assert [call.flops for call in big.calls] == [12]
    assert big.peak_bytes == 24
