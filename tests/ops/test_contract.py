"""What every registered op owes: checked over the registry, so that a new op needs no new test."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import pytest

from gendsl.diagnostics.model import GendslError
from gendsl.ir.build import dot
from gendsl.ir.evaluate import evaluate
from gendsl.ir.graph import Graph
from gendsl.ir.op import REGISTRY, NodeType, Op
from gendsl.ir.text import graph_text, read
from gendsl.ir.verify import verify_nodes
from gendsl.ops.leaf import Input
from gendsl.passes.differentiate import flows, gradients
from gendsl.shape.tensor_type import Real
from tests.ops.sampling import EXECUTABLE, SIZES, close, generator, named, node_for, operands

CASES = [(op, types) for cls in EXECUTABLE.values() for op, types in cls.samples()]
IDS = [f"{op.name}-{i}" for i, (op, _) in enumerate(CASES)]

Types = tuple[NodeType, ...]
Case = tuple[Op, Types]


def yields_real(case: Case) -> bool:
    op, types = case
    return isinstance(op.infer(types).elem, Real)


def takes_real(case: Case) -> bool:
    return any(isinstance(t.elem, Real) for t in case[1])


def cases(keep: Callable[[Case], bool]) -> pytest.MarkDecorator:
    chosen = [pytest.param(*c, id=i) for c, i in zip(CASES, IDS, strict=True) if keep(c)]
    return pytest.mark.parametrize(("op", "types"), chosen)


each_case = cases(lambda case: True)


@pytest.mark.parametrize("name", sorted(EXECUTABLE))
def test_has_samples(name: str) -> None:
    samples = list(REGISTRY[name].samples())
    assert samples
    assert {type(op) for op, _ in samples} == {REGISTRY[name]}


@each_case
def test_inferred_type_is_that_of_the_reference(op: Op, types: Types) -> None:
    _, node, _ = node_for(op, types)
    for sizes in SIZES:
        values = named(operands(op, types, sizes, generator(op.name, sizes)))
        for dtype in (np.float64, np.float32):
            (result,) = evaluate([node], values, sizes, dtype=dtype)  # checks shape and dtype
            if isinstance(node.type.elem, Real):
                assert np.isfinite(result).all()


@cases(lambda case: yields_real(case) and takes_real(case) and not case[0].surrogate)
def test_gradient_is_finite_differences(op: Op, types: Types) -> None:
    build, node, sources = node_for(op, types)
    reals = [i for i, t in enumerate(types) if isinstance(t.elem, Real)]
    weight = build.apply(Input("data", "weight", node.type.shape))
    loss = dot(build, node, weight)
    try:
        slopes = gradients(build, loss, [sources[i] for i in reals])
    except GendslError as problem:
        assert [d.code for d in problem.diagnostics] == ["E0701"]
        return
    assert verify_nodes(slopes).ok
    for sizes in SIZES:
        rng = generator(op.name, sizes, "gradient")
        values = operands(op, types, sizes, rng)
        given = named(values)
        given["data:weight"] = rng.normal(size=evaluate([node], given, sizes)[0].shape)
        found = evaluate(slopes, given, sizes)
        for i, slope in zip(reals, found, strict=True):
            assert slope.shape == values[i].shape
            for _ in range(3):
                way, step = rng.normal(size=values[i].shape), 1e-5
                ends = [
                    evaluate([loss], {**given, f"data:x{i}": values[i] + s * way}, sizes)[0]
                    for s in (-step, step)
                ]
                expected = (ends[1] - ends[0]) / (2 * step)
                scale = np.abs(slope).sum() + 1
                assert abs((slope * way).sum() - expected) < 1e-6 * scale


@cases(lambda case: case[0].surrogate)
def test_surrogate_gradients_differ_from_the_derivative(op: Op, types: Types) -> None:
    build, node, sources = node_for(op, types)
    loss = dot(build, node, node)
    reached = flows(build, loss, sources)
    values = named(operands(op, types, SIZES[0], generator(op.name)))
    (start,) = evaluate([loss], values, SIZES[0])
    for i, flowing in enumerate(reached):
        moved = {**values, f"data:x{i}": values[f"data:x{i}"] + 1.0}
        changed = evaluate([loss], moved, SIZES[0])[0] != start
        assert changed != flowing


@cases(yields_real)
def test_facts_hold(op: Op, types: Types) -> None:
    _, node, _ = node_for(op, types)
    for sizes in SIZES:
        rng = generator(op.name, sizes, "facts")
        values = operands(op, types, sizes, rng)
        (result,) = evaluate([node], named(values), sizes)
        low, high = op.facts.low, op.facts.high
        assert low is None or (result > low if op.facts.open_low else result >= low).all()
        assert high is None or (result < high if op.facts.open_high else result <= high).all()
        for i, sign in enumerate(op.facts.monotone):
            raised = list(values)
            raised[i] = _raised(types[i], values[i], sizes)
            (above,) = evaluate([node], named(raised), sizes)
            assert (sign * (above - result) >= -1e-12).all()


def _raised(type_: NodeType, value: np.ndarray, sizes: Mapping[str, int]) -> np.ndarray:
    """An operand that is nowhere below `value`."""
    if isinstance(type_.elem, Real):
        return value + generator(type_, sizes).random(value.shape) * 0.5
    return np.full_like(value, value.max())


@cases(lambda case: yields_real(case) and case[0].facts.linear)
def test_linear_ops_are_linear(op: Op, types: Types) -> None:
    _, node, _ = node_for(op, types)
    for sizes in SIZES:
        rng = generator(op.name, sizes, "linear")
        first = operands(op, types, sizes, rng)
        second = [
            b if isinstance(t.elem, Real) else a
            for t, a, b in zip(types, first, operands(op, types, sizes, rng), strict=True)
        ]
        mixed = [
            2 * a - 3 * b if isinstance(t.elem, Real) else a
            for t, a, b in zip(types, first, second, strict=True)
        ]
        a, b, both = (evaluate([node], named(v), sizes)[0] for v in (first, second, mixed))
        close(both, 2 * a - 3 * b, 1e-12)


@each_case
def test_text_reads_back(op: Op, types: Types) -> None:
    build, node, _ = node_for(op, types)
    text = graph_text(Graph(build, {}, {}, constants={"y": node}))
    again = read(text)
    assert graph_text(again) == text
    assert again.constants["y"].op == op
    assert verify_nodes([again.constants["y"]]).ok
