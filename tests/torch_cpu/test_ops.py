"""Every registered op, compiled, against its numpy reference: float64 and float32."""

from __future__ import annotations

import numpy as np
import pytest

from backends.torch_cpu import TARGET
from gendsl.ir.build import mul
from gendsl.ir.evaluate import evaluate
from gendsl.ir.graph import Builder, Node
from gendsl.ir.op import REGISTRY, Absent, Kernel, NodeType, Op
from gendsl.noise import Noise
from gendsl.ops.leaf import Input
from gendsl.shape.tensor_type import Real
from tests.ops.sampling import EXECUTABLE, SIZES, close, generator, named, node_for, operands

CASES = [
    pytest.param(op, types, id=f"{op.name}-{i}")
    for cls in EXECUTABLE.values()
    for i, (op, types) in enumerate(cls.samples())
    if not isinstance(cls.targets["torch_cpu"], Absent)
]
NOISE = Noise(0, "test")
TOLERANCE = {"float64": 1e-10, "float32": 1e-5}


def run(node: Node, values: dict[str, np.ndarray], sizes: dict[str, int], dtype: str) -> np.ndarray:
    function = TARGET.compile_function({"y": node}, sizes, dtype=dtype)
    batch = {key.partition(":")[2]: value for key, value in values.items()}
    return function.run({}, batch, {}, NOISE)["y"]


@pytest.mark.parametrize(("op", "types"), CASES)
def test_equals_the_reference(op: Op, types: tuple[NodeType, ...]) -> None:
    _, node, _ = node_for(op, types)
    for sizes in SIZES:
        values = named(operands(op, types, sizes, generator(op.name, sizes)))
        for dtype, tolerance in TOLERANCE.items():
            given = {k: v.astype(dtype) if v.dtype.kind == "f" else v for k, v in values.items()}
            (expected,) = evaluate([node], given, sizes, dtype=np.dtype(dtype))
            actual = run(node, given, sizes, dtype)
            assert actual.dtype == expected.dtype
            if isinstance(node.type.elem, Real):
                close(actual, expected, tolerance)
            else:
                assert actual.shape == expected.shape
                assert np.array_equal(actual, expected)


@pytest.mark.parametrize(("op", "types"), CASES)
def test_inside_an_expression(op: Op, types: tuple[NodeType, ...]) -> None:
    """Operands that are expressions and a result that is part of one: brackets, shapes, views."""
    if not isinstance(op.infer(types).elem, Real):
        return
    build = Builder()
    sources = []
    for i, type_ in enumerate(types):
        x = build.apply(Input("data", f"x{i}", type_.shape, type_.elem))
        half = build.apply(Input("data", "one"))
        sources.append(mul(build, half, x) if isinstance(type_.elem, Real) else x)
    node = mul(build, build.apply(op, *sources), build.apply(Input("hyper", "two")))
    sizes = SIZES[0]
    values = named(operands(op, types, sizes, generator(op.name, "inside")))
    values["data:one"] = np.asarray(1.0)
    (expected,) = evaluate([node], {**values, "hyper:two": 2.0}, sizes)
    function = TARGET.compile_function({"y": node}, sizes, dtype="float64")
    batch = {key.partition(":")[2]: value for key, value in values.items()}
    close(function.run({}, batch, {"two": 2.0}, NOISE)["y"], expected, 1e-10)


def test_every_kernel_name_has_an_emitter() -> None:
    from backends.torch_cpu.kernels import KERNELS, POINTWISE_KERNELS

    names = {
        cls.targets["torch_cpu"].name
        for cls in REGISTRY.values()
        if isinstance(cls.targets["torch_cpu"], Kernel)
    }
    assert names <= set(KERNELS) | set(POINTWISE_KERNELS)
    assert set(KERNELS) <= names
