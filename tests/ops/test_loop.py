"""Loops: values, captures, nesting, content equality."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from gendsl.ir.build import add, const, exp, mul, to_real
from gendsl.ir.evaluate import EvaluationError, evaluate
from gendsl.ir.graph import Builder, Node, reachable
from gendsl.ir.op import TypingError
from gendsl.ir.text import nodes_text
from gendsl.ir.verify import verify_nodes
from gendsl.ops.leaf import Draw, Input
from gendsl.ops.loop import Loop, LoopCarry, LoopIndex, loop
from gendsl.ops.select import Gather, IndexAffine
from gendsl.shape.dim import Dim

T, N = Dim.name("T"), Dim.name("N")
SIZES = {"T": 6, "N": 3}


def decay(build: Builder, name: str = "l") -> list[Node]:
    """x <- a x + t, y <- x, with a computed once outside."""
    x = build.apply(Input("argument", "x", (N,)))
    a = exp(build, build.apply(Input("argument", "a", (N,))))
    t = build.apply(LoopIndex(name, T))
    cx = build.apply(LoopCarry(name, 0, (N,)))
    cy = build.apply(LoopCarry(name, 1, (N,)))
    after = add(build, mul(build, a, cx), to_real(build, t))
    return loop(build, name, T, [x, mul(build, x, 0)], [after, add(build, cx, mul(build, cy, 2))])


def test_values_are_those_of_a_python_loop() -> None:
    build = Builder()
    rng = np.random.default_rng(0)
    x, a = rng.normal(size=3), rng.normal(size=3) * 0.1
    outs = evaluate(decay(build), {"argument:x": x, "argument:a": a}, SIZES)
    y = x * 0
    for t in range(6):
        x, y = np.exp(a) * x + t, x + 2 * y
    np.testing.assert_allclose(outs[0], x)
    np.testing.assert_allclose(outs[1], y)


def test_what_does_not_change_is_computed_outside() -> None:
    (first, second) = decay(Builder())
    assert isinstance(first.op, Loop) and isinstance(second.op, Loop)
    assert first.op.body is second.op.body or first.op.body == second.op.body
    assert first.inputs == second.inputs
    assert [n.op.name for n in first.inputs] == ["input", "mul", "exp"]
    assert "exp" not in {i.op.name for i in first.op.body.instructions}
    assert "const" in {i.op.name for i in first.op.body.instructions}


def test_bodies_are_equal_by_content() -> None:
    """Neither the loop's name nor what else is in the builder matters."""
    build = Builder()
    plain = decay(build)[0]
    other = Builder()
    for i in range(5):
        other.apply(Input("data", f"unrelated{i}"))
    other.apply(LoopIndex("second", T))
    named = decay(other, "second")[0]
    assert plain.op == named.op
    assert hash(plain.op) == hash(named.op)
    assert nodes_text({"y": plain}) == nodes_text({"y": named})


class Counting:
    """A noise source that answers with the loop numbers."""

    def draw(self, path: str, dist: str, shape: Any, axis: Any, loops: Any, *rest: Any) -> Any:
        return np.full(shape, sum(10**i * n for i, n in enumerate(reversed(loops))), dtype=float)


def test_nested_loops_with_draws() -> None:
    """The sum over i < T and j < N of a draw keyed by (i, j)."""
    build = Builder()
    i, j = build.apply(LoopIndex("outer", T)), build.apply(LoopIndex("inner", N))
    carried = build.apply(LoopCarry("inner", 0, ()))
    draw = build.apply(Draw("s/eps", "normal", ()), i, j)
    (row,) = loop(build, "inner", N, [const(build, 0)], [add(build, carried, draw)])
    total = build.apply(LoopCarry("outer", 0, ()))
    (end,) = loop(build, "outer", T, [const(build, 0)], [add(build, total, row)])
    assert verify_nodes([end]).ok
    (value,) = evaluate([end], {}, SIZES, noise=Counting())
    assert value == sum(10 * a + c for a in range(6) for c in range(3))


def test_a_schedule_counts_down() -> None:
    """t = T - 1 - i by index arithmetic; a table is read at it."""
    build = Builder()
    table = build.apply(Input("argument", "table", (T,)))
    i = build.apply(LoopIndex("l", T))
    t = build.apply(IndexAffine(T - 1, Dim.of(-1), Dim.of(1), T), i)
    c = build.apply(LoopCarry("l", 0, ()))
    after = add(build, mul(build, c, 10), build.apply(Gather(0), table, t))
    (end,) = loop(build, "l", T, [const(build, 0)], [after])
    (value,) = evaluate([end], {"argument:table": np.arange(6.0)}, SIZES)
    assert value == 543210


def test_values_of_an_iteration_outside_of_a_loop_are_refused() -> None:
    build = Builder()
    t = build.apply(LoopIndex("l", T))
    report = verify_nodes([t])
    assert list(report.broken) == ["loops_are_closed"]
    with pytest.raises(EvaluationError, match="loop_index outside of its loop"):
        evaluate([t], {}, SIZES)


def test_a_body_keeps_types() -> None:
    build = Builder()
    x = build.apply(Input("argument", "x", (N,)))
    with pytest.raises(TypingError, match="keep the types"):
        loop(build, "l", T, [x], [const(build, 1)])


def test_a_loop_of_many_steps_does_not_grow_the_graph() -> None:
    (end, _) = decay(Builder())
    before = len(reachable([end]))
    x = {"argument:x": np.ones(3), "argument:a": np.full(3, -1.0)}
    evaluate([end], x, {"T": 500, "N": 3})
    assert len(reachable([end])) == before
