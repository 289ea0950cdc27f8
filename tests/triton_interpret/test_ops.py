"""Every op of the registry as a generated kernel against its numpy reference, with its gradient."""

from __future__ import annotations

import numpy as np
import pytest

from backends.triton_cuda import TARGET
from gendsl.diagnostics.model import GendslError
from gendsl.ir.build import mul, sum_of
from gendsl.ir.evaluate import evaluate
from gendsl.ir.graph import Builder, Node
from gendsl.ir.op import Absent, NodeType, Op
from gendsl.noise import Noise
from gendsl.ops.leaf import Draw, Input
from gendsl.passes.differentiate import gradients
from gendsl.shape.dim import Dim
from gendsl.shape.tensor_type import Fin, Real
from tests.ops.sampling import EXECUTABLE, SIZES, close, generator, named, node_for, operands

# Small and odd, all 1, and larger than a small block without being a multiple of it.
ALL_SIZES = (SIZES[1], SIZES[3], {"M": 5, "N": 19, "K": 17, "P": 3})
TOLERANCE = 2e-6

CASES = [
    pytest.param(op, types, id=f"{op.name}-{i}")
    for cls in EXECUTABLE.values()
    for i, (op, types) in enumerate(cls.samples())
    if not isinstance(cls.targets["triton_cuda"], Absent)
]
NOISE = Noise(0, "test", 3)


def run(
    build: Builder, outputs: dict[str, Node], values: dict[str, np.ndarray], sizes: dict[str, int]
) -> dict[str, np.ndarray]:
    batch = {key.partition(":")[2]: value for key, value in values.items()}
    if not batch:  # what reads no tensor is otherwise the host's
        outputs = {**outputs, "given": build.apply(Input("data", "given"))}
        batch = {"given": np.ones(())}
    return TARGET.compile_function(outputs, sizes).run({}, batch, {}, NOISE)


def equal(node: Node, actual: np.ndarray, expected: np.ndarray, tolerance: float) -> None:
    if isinstance(node.type.elem, Real):
        assert actual.dtype == np.float32
        close(actual, expected, tolerance)
    else:
        assert actual.dtype == expected.dtype
        assert np.array_equal(actual, expected)


@pytest.mark.parametrize(("op", "types"), CASES)
def test_equals_the_reference(op: Op, types: tuple[NodeType, ...]) -> None:
    build, node, _ = node_for(op, types)
    for sizes in ALL_SIZES:
        values = named(operands(op, types, sizes, generator(op.name, sizes)))
        (expected,) = evaluate([node], values, sizes)
        equal(node, run(build, {"y": node}, values, sizes)["y"], expected, TOLERANCE)


@pytest.mark.parametrize(("op", "types"), CASES)
def test_its_gradient_equals_the_reference(op: Op, types: tuple[NodeType, ...]) -> None:
    """The gradient of the sum of the squares of the result."""
    build, node, sources = node_for(op, types)
    reals = [s for s in sources if isinstance(s.type.elem, Real)]
    if not isinstance(node.type.elem, Real) or not reals:
        return
    try:
        slopes = gradients(build, sum_of(build, mul(build, node, node)), reals)
    except GendslError as problem:
        assert problem.diagnostics[0].code == "E0701"
        return
    outputs = {f"d{i}": slope for i, slope in enumerate(slopes)}
    for sizes in ALL_SIZES[2:]:
        values = named(operands(op, types, sizes, generator(op.name, sizes, "gradient")))
        expected = evaluate(slopes, values, sizes)
        found = run(build, outputs, values, sizes)
        for (name, slope), wanted in zip(outputs.items(), expected, strict=True):
            equal(slope, found[name], wanted, 10 * TOLERANCE)


B, M = Dim.name("B"), Dim.name("M")


@pytest.mark.parametrize("axis", [0, 1, None])
@pytest.mark.parametrize("dist", ["normal", "uniform", "bits"])
def test_draws_are_those_of_the_cpu(dist: str, axis: int | None) -> None:
    """In registers, at the element where they are used, for any example axis."""
    build = Builder()
    bound = Dim.of(37) if dist == "bits" else None
    drawn = build.apply(Draw("f.eps", dist, (B, M), axis, bound))
    x = build.apply(Input("data", "x", (B, M)))
    sizes = {"B": 5, "M": 7}
    noise = Noise(11, "train", step=9, first_example=64)
    function = TARGET.compile_function({"eps": drawn, "x": mul(build, x, x)}, sizes)
    found = function.run({}, {"x": np.ones((5, 7))}, {}, noise)["eps"]
    wanted = noise.draw("f.eps", dist, (5, 7), axis, (), 37 if bound else None, np.float32)
    if dist == "normal":
        assert np.max(np.abs(found - wanted)) <= 1e-6
    else:
        assert np.array_equal(found, wanted)
    assert isinstance(drawn.type.elem, Fin) == (dist == "bits")
