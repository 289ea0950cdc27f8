"""The joint step graph: order of players, repeated draws, schedules, states, averages, counts.

Everything is evaluated by the numpy reference and compared with the same arithmetic by hand.
"""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from gendsl.core.program import Recipe
from gendsl.ir.build import add, mul, square, sub, sum_of
from gendsl.ir.evaluate import evaluate
from gendsl.ir.graph import Graph, Node, reachable
from gendsl.ir.step import StepGraph
from gendsl.noise import Noise
from gendsl.ops.leaf import Draw, Input
from gendsl.ops.loop import LoopCarry, LoopIndex, loop
from gendsl.passes.joint import initial, joint, step_input
from gendsl.passes.pipeline import transform_step
from gendsl.shape.dim import Dim
from tests.joint.models import Model, line, objective, recipe, vae

N = Dim.name("N")
SIZES = {"N": 3}
Values = Mapping[str, Any]
TENTH = Fraction(1, 10)


def sgd(name: str, groups: list[str], lr: Fraction = TENTH, **options: Any) -> Any:
    return line(name, groups, "sgd", lr=lr, **options)


def run(step: StepGraph, values: Values, number: int = 0, **hypers: float) -> dict[str, Any]:
    """Metrics and updates after one step at `number`."""
    names = [*step.metrics, *step.updates]
    nodes = [*step.metrics.values(), *step.updates.values()]
    given = {**values, "step:step": float(number)}
    given |= {f"hyper:{k}": v for k, v in hypers.items()}
    found = evaluate(nodes, given, SIZES, noise=Noise(0, "train", number))
    return dict(zip(names, found, strict=True))


def updates(step: StepGraph, values: Values, number: int = 0, **hypers: float) -> dict[str, Any]:
    found = run(step, values, number, **hypers)
    return {key: found[key] for key in step.updates}


def start(graph: Graph, plan: Recipe) -> dict[str, Any]:
    nodes = initial(graph, plan)
    found = evaluate(list(nodes.values()), {}, SIZES, noise=Noise(0, "init"))
    return dict(zip(nodes, found, strict=True))


def quadratic(*groups: str) -> tuple[Model, dict[str, Node]]:
    m = Model()
    return m, {g: m.param(g, (N,)) for g in groups}


def distance(m: Model, a: Node, b: Node | int) -> Node:
    """Half of the squared distance: its gradient in a is a - b."""
    return mul(m.build, sum_of(m.build, square(m.build, sub(m.build, a, b))), Fraction(1, 2))


def test_keys_of_initial_and_updates_are_the_same() -> None:
    m, p = quadratic("a", "b", "idle")
    graph = m.graph(
        [objective("f", add(m.build, distance(m, p["a"], 1), distance(m, p["b"], 2)))],
        states={"s": m.build.apply(Draw("init.s", "normal", (N,)))},
    )
    plan = recipe(
        sgd("f", ["a"]), line("f", ["a", "b"], "adam"), ema=Fraction(1, 2), clip=Fraction(1)
    )
    step = joint(graph, plan)
    assert set(step.updates) == set(initial(graph, plan))
    assert "ema:a" in step.updates
    assert "ema:idle" not in step.updates
    values = start(graph, plan)
    after = updates(step, values)
    for key in ("param:idle", "state:s"):
        assert np.array_equal(after[key], values[key])
    assert np.array_equal(values["ema:a"], values["param:a"])
    assert not values["slot:v:b"].any()


def test_a_later_player_sees_the_update_before_it() -> None:
    m, p = quadratic("a", "b")
    graph = m.graph(
        [
            objective("first", distance(m, p["a"], 1)),
            objective("second", distance(m, p["b"], p["a"])),
        ]
    )
    step = joint(graph, recipe(sgd("first", ["a"]), sgd("second", ["b"], Fraction(1, 2))))
    values = {"param:a": np.array([0.0, 2.0, 5.0]), "param:b": np.array([1.0, 1.0, 1.0])}
    found = run(step, values)
    a = values["param:a"] - 0.1 * (values["param:a"] - 1)
    b = values["param:b"] - 0.5 * (values["param:b"] - a)
    assert np.allclose(found["param:a"], a)
    assert np.allclose(found["param:b"], b)
    assert found["first"] == pytest.approx(0.5 * np.sum((values["param:a"] - 1) ** 2))
    assert found["second"] == pytest.approx(0.5 * np.sum((values["param:b"] - a) ** 2))


def test_times_repeats_with_fresh_draws() -> None:
    m, p = quadratic("a")
    eps = m.build.apply(Draw("f.eps", "normal", (N,)))
    graph = m.graph([objective("f", distance(m, p["a"], eps))])
    step = joint(graph, recipe(sgd("f", ["a"], times=3)))
    paths = {n.op.path for n in reachable([step.updates["param:a"]]) if isinstance(n.op, Draw)}
    assert paths == {"f.eps", "f.eps#1", "f.eps#2"}
    a = np.zeros(3)
    found = run(step, {"param:a": a}, 4)
    for path in ("f.eps", "f.eps#1", "f.eps#2"):
        a = a - 0.1 * (a - Noise(0, "train", 4).draw(path, "normal", (3,)))
    assert np.allclose(found["param:a"], a)
    again = joint(graph, recipe(sgd("f", ["a"]), sgd("f", ["a"]), sgd("f", ["a"])))
    assert np.allclose(run(again, {"param:a": np.zeros(3)}, 4)["param:a"], a)


def test_draws_inside_loops_are_repeated_afresh() -> None:
    m, p = quadratic("a")
    build, count = m.build, Dim.of(4)
    index = build.apply(LoopIndex("walk", count))
    at = build.apply(LoopCarry("walk", 0, (N,)))
    moved = add(build, at, build.apply(Draw("f.walk", "normal", (N,)), index))
    (goal,) = loop(build, "walk", count, [build.apply(Input("state", "s", (N,)))], [moved])
    graph = m.graph(
        [objective("f", distance(m, p["a"], goal))],
        states={"s": build.apply(Draw("init.s", "normal", (N,)))},
    )
    a = np.zeros(3)
    step = joint(graph, recipe(sgd("f", ["a"], times=2)))
    found = run(step, {"param:a": a, "state:s": np.zeros(3)}, 1)
    for path in ("f.walk", "f.walk#1"):
        noise = Noise(0, "train", 1)
        end = sum(noise.draw(path, "normal", (3,), loop=(i,)) for i in range(4))
        a = a - 0.1 * (a - end)
    assert np.allclose(found["param:a"], a)


@pytest.mark.parametrize(("sense", "maximize"), [("minimize", True), ("maximize", False)])
def test_maximize_goes_up(sense: str, maximize: bool) -> None:
    m, p = quadratic("a")
    graph = m.graph([objective("f", distance(m, p["a"], 1), sense=sense)])
    step = joint(graph, recipe(sgd("f", ["a"], maximize=maximize)))
    values = {"param:a": np.array([0.0, 2.0, 5.0])}
    found = run(step, values)
    assert np.allclose(found["param:a"], values["param:a"] + 0.1 * (values["param:a"] - 1))
    assert found["f"] == pytest.approx(0.5 * (1 + 1 + 16))


def test_schedules_replace_hyperparameters_and_rates() -> None:
    m, p = quadratic("a")
    beta = m.build.apply(Input("hyper", "beta"))
    loss = mul(m.build, beta, distance(m, p["a"], 1))
    ramp = mul(m.build, step_input(m.build), TENTH)
    rate = add(m.build, mul(m.build, ramp, TENTH), Fraction(1, 5))
    graph = m.graph([objective("f", loss)], schedules={"beta": ramp, "lr": rate})
    values = {"param:a": np.array([0.0, 2.0, 5.0])}
    slope = values["param:a"] - 1
    plain = joint(graph, recipe(sgd("f", ["a"])))
    assert np.allclose(run(plain, values, 3, beta=2.0)["param:a"], values["param:a"] - 0.2 * slope)
    step = joint(graph, recipe(sgd("f", ["a"]), schedules=["beta", "lr"]))
    found = run(step, values, 3)
    assert np.allclose(found["param:a"], values["param:a"] - 0.23 * 0.3 * slope)
    assert found["f"] == pytest.approx(0.3 * 0.5 * 18)


def test_states_change_without_gradient_and_are_read_before() -> None:
    m, p = quadratic("a")
    s = m.build.apply(Input("state", "s", (N,)))
    seen = add(m.build, mul(m.build, s, Fraction(1, 2)), p["a"])
    graph = m.graph(
        [objective("f", distance(m, p["a"], s), updates={"s": seen})],
        states={"s": m.build.apply(Draw("init.s", "normal", (N,)))},
    )
    a, state = np.array([0.0, 2.0, 5.0]), np.array([1.0, -1.0, 4.0])
    found = run(joint(graph, recipe(sgd("f", ["a"], times=2))), {"param:a": a, "state:s": state})
    for _ in range(2):
        a, state = a - 0.1 * (a - state), state / 2 + a
    assert np.allclose(found["param:a"], a)
    assert np.allclose(found["state:s"], state)


def test_clip_bounds_the_joint_norm() -> None:
    m, p = quadratic("a", "b")
    loss = add(m.build, distance(m, p["a"], 0), distance(m, p["b"], 0))
    graph = m.graph([objective("f", loss)])
    step = joint(graph, recipe(sgd("f", ["a", "b"], Fraction(1)), clip=Fraction(2)))
    a, b = np.array([3.0, 0.0, 0.0]), np.array([0.0, 4.0, 0.0])
    found = run(step, {"param:a": a, "param:b": b})
    assert np.allclose(found["param:a"], a * (1 - 2 / 5.000001))
    small = run(step, {"param:a": a / 10, "param:b": b / 10})
    assert np.allclose(small["param:b"], 0)


def test_average_follows_the_new_values() -> None:
    m, p = quadratic("a")
    graph = m.graph([objective("f", distance(m, p["a"], 1))])
    plan = recipe(sgd("f", ["a"]), ema=Fraction(3, 4))
    step, values = joint(graph, plan), start(graph, plan)
    for number in range(3):
        before, values = values, updates(step, values, number)
        expected = 0.75 * before["ema:a"] + 0.25 * values["param:a"]
        assert np.allclose(values["ema:a"], expected)


def test_equal_optimizers_share_their_count_and_slots() -> None:
    m, p = quadratic("a")
    graph = m.graph([objective("f", distance(m, p["a"], 1))])
    once = joint(graph, recipe(line("f", ["a"], "adam")))
    twice = joint(graph, recipe(line("f", ["a"], "adam"), line("f", ["a"], "adam")))
    assert set(twice.updates) == {"param:a", "slot:m:a", "slot:v:a"}
    start_values = {"param:a": np.array([0.0, 2.0, 5.0])}
    start_values |= {f"slot:{s}:a": np.zeros(3) for s in "mv"}
    one: Values = start_values
    for number in range(6):
        one = updates(once, one, number)
    two: Values = start_values
    for number in range(3):
        two = updates(twice, two, number)
    for key, expected in one.items():
        assert np.allclose(two[key], expected), key


def test_different_optimizers_have_slots_of_their_own() -> None:
    m, p = quadratic("a")
    graph = m.graph([objective("f", distance(m, p["a"], 1))])
    plan = recipe(
        line("f", ["a"], "adam"), line("f", ["a"], "sgd", momentum=Fraction(1, 2), lr=TENTH)
    )
    step = joint(graph, plan)
    assert set(step.updates) == {"param:a", "slot:m:a", "slot:v:a", "slot:m@2:a"}
    values = start(graph, plan)
    values["param:a"] = np.array([0.0, 2.0, 5.0])
    found = updates(step, values)
    after_adam = values["param:a"] - 1e-3 * np.sign(values["param:a"] - 1)
    assert np.allclose(found["param:a"], after_adam - 0.1 * (after_adam - 1), atol=1e-6)
    assert np.allclose(found["slot:m@2:a"], after_adam - 1, atol=1e-6)


def test_adam_as_in_the_paper() -> None:
    """Kingma and Ba 2015, algorithm 1 (with eps as in torch), by hand for five steps."""
    m, p = quadratic("a")
    graph = m.graph([objective("f", distance(m, p["a"], 1))])
    options = {"lr": TENTH, "beta1": Fraction(4, 5), "beta2": Fraction(9, 10), "eps": TENTH}
    step = joint(graph, recipe(line("f", ["a"], "adam", **options)))
    values: Values = {"param:a": np.array([0.0, 2.0, 5.0])}
    values = {**values, "slot:m:a": np.zeros(3), "slot:v:a": np.zeros(3)}
    a, m1, v = values["param:a"], np.zeros(3), np.zeros(3)
    for number in range(5):
        values = updates(step, values, number)
        g, t = a - 1, number + 1
        m1, v = 0.8 * m1 + 0.2 * g, 0.9 * v + 0.1 * g * g
        a = a - 0.1 * (m1 / (1 - 0.8**t)) / (np.sqrt(v / (1 - 0.9**t)) + 0.1)
        assert np.allclose(values["param:a"], a, rtol=1e-12)
        assert np.allclose(values["slot:v:a"], v, rtol=1e-12)


def test_passes_keep_the_groups() -> None:
    graph = vae()
    step = transform_step(joint(graph, recipe(line("neg_elbo", ["encoder", "decoder"]))))
    (group,) = step.groups
    assert len(group.parameters) == 10
    for key, gradient, after in zip(group.parameters, group.gradients, group.after, strict=True):
        assert step.updates[key] is after[0]
        assert gradient.type == after[0].type


def test_unknown_options_are_refused() -> None:
    m, p = quadratic("a")
    graph = m.graph([objective("f", distance(m, p["a"], 1))])
    with pytest.raises(ValueError, match="sgd has no option beta1"):
        joint(graph, recipe(sgd("f", ["a"], beta1=TENTH)))
