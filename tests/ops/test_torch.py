"""The reference of every op against torch, called by hand: within 1e-10 of the largest magnitude in
float64, and 1e-5 in float32."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from gendsl.ir.evaluate import evaluate
from gendsl.ir.op import NodeType, Op
from gendsl.ops.leaf import Leaf
from gendsl.ops.loop import Loop
from tests.ops.sampling import EXECUTABLE, SIZES, close, generator, named, node_for, operands
from tests.ops.torch_meaning import PLAIN, WITH_ATTRIBUTES, apply

BY_HAND = PLAIN.keys() | WITH_ATTRIBUTES.keys()
CASES = [(op, t) for name in sorted(BY_HAND) for op, t in EXECUTABLE[name].samples()]


def test_every_op_with_operands_has_a_meaning_in_torch() -> None:
    named_values = {n for n, c in EXECUTABLE.items() if issubclass(c, (Leaf, Loop)) or n == "pi"}
    assert EXECUTABLE.keys() - named_values == BY_HAND


@pytest.mark.parametrize(
    ("op", "types"), CASES, ids=[f"{o.name}-{i}" for i, (o, _) in enumerate(CASES)]
)
def test_reference_is_torch(op: Op, types: tuple[NodeType, ...]) -> None:
    _, node, _ = node_for(op, types)
    for dtype, tolerance in ((np.float64, 1e-10), (np.float32, 1e-5)):
        for sizes in SIZES:
            values = [
                v.astype(dtype) if v.dtype.kind == "f" else v
                for v in operands(op, types, sizes, generator(op.name, sizes, "torch"))
            ]
            (reference,) = evaluate([node], named(values), sizes, dtype=dtype)
            tensors = [torch.from_numpy(np.array(v, order="C")) for v in values]
            expected = apply(op, sizes, tensors)
            if reference.dtype.kind == "f":
                close(reference, expected.detach().numpy().astype(dtype), tolerance)
            else:
                np.testing.assert_array_equal(reference, expected.numpy())
