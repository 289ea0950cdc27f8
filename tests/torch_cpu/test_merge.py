"""Products with a common operand become one: values stay, nothing that depends is merged."""

from __future__ import annotations

import numpy as np
import pytest

from gendsl.ir import build as b
from gendsl.ir.evaluate import evaluate
from gendsl.ir.graph import Builder, Node, reachable
from gendsl.ir.merge import merge
from gendsl.ir.step import StepGraph
from gendsl.ir.verify import verify_nodes
from gendsl.ops.broadcast import Broadcast
from gendsl.ops.contract import Contract
from gendsl.ops.leaf import Input
from gendsl.passes.joint import joint
from gendsl.passes.pipeline import transform_step
from gendsl.shape.dim import Dim
from tests.passes.test_programs import NOISE, PROGRAMS, program, sizes_of, values_for

B, D, Z, Y = (Dim.name(n) for n in "BDZY")
SIZES = {"B": 3, "D": 4, "Z": 2, "Y": 5}
ROWS = Contract((0, 1), (1, 2), (0, 2))


def given(build: Builder, name: str, *shape: Dim) -> Node:
    return build.apply(Input("param", name, shape))


def products(nodes: list[Node]) -> int:
    return sum(isinstance(n.op, Contract) for n in reachable(nodes))


def merged(build: Builder, outputs: list[Node], sizes: dict[str, int] = SIZES) -> list[Node]:
    step = StepGraph(build, {}, {str(i): node for i, node in enumerate(outputs)})
    found = list(merge(step, sizes).updates.values())
    assert verify_nodes(found).ok
    rng = np.random.default_rng(0)
    values = {
        f"param:{n.op.key}": rng.normal(size=[d.size(sizes) for d in n.type.shape])
        for n in reachable(outputs)
        if isinstance(n.op, Input)
    }
    pairs = zip(evaluate(outputs, values, sizes), evaluate(found, values, sizes), strict=True)
    for old, new in pairs:
        np.testing.assert_allclose(new, old, rtol=1e-12, atol=1e-12)
    return found


def heads(build: Builder) -> list[Node]:
    x = given(build, "x", B, D)
    made = []
    for name, size in (("mu", Z), ("logvar", Y)):
        y = build.apply(ROWS, x, given(build, f"{name}.w", D, size))
        made.append(
            b.add(build, y, build.apply(Broadcast((B, size), (1,)), given(build, name, size)))
        )
    return made


def test_heads_and_their_biases() -> None:
    build = Builder()
    found = merged(build, heads(build))
    assert products(found) == 1
    assert len({n.inputs[0] for n in found}) == 1  # slices of one sum


def test_without_biases() -> None:
    build = Builder()
    x, w, v = given(build, "x", B, D), given(build, "w", D, Z), given(build, "v", D, Z)
    assert products(merged(build, [build.apply(ROWS, x, w), build.apply(ROWS, x, v)])) == 1


def test_a_common_right_operand() -> None:
    build = Builder()
    w = given(build, "w", D, Z)
    real, fake = (build.apply(ROWS, given(build, n, B, D), w) for n in ("real", "fake"))
    assert products(merged(build, [real, fake])) == 1


def test_a_sum_of_products() -> None:
    build = Builder()
    pairs = ((given(build, f"g{i}", B, D), given(build, f"w{i}", D, Z)) for i in range(3))
    total = b.add(build, *(build.apply(ROWS, g, w) for g, w in pairs))
    assert products(merged(build, [total])) == 1


def test_wide_products_are_left_alone() -> None:
    build = Builder()
    assert products(merged(build, heads(build), {**SIZES, "Z": 33, "Y": 33})) == 2


def test_what_depends_is_not_merged() -> None:
    """The second weight is computed from the first product."""
    build = Builder()
    x, w = given(build, "x", B, B), given(build, "w", B, B)
    first = build.apply(ROWS, x, w)
    assert products(merged(build, [build.apply(ROWS, x, first)], {"B": 3})) == 2


@pytest.mark.parametrize("name", PROGRAMS)
def test_programs_keep_their_step(name: str) -> None:
    analysis = program(name)
    assert analysis.graph is not None and analysis.interface is not None
    recipe = analysis.interface.recipe
    assert recipe is not None
    step = transform_step(joint(analysis.graph, recipe))
    sizes = sizes_of(analysis)
    after = merge(step, sizes)
    roots = [*step.metrics.values(), *step.updates.values()]
    values = values_for(analysis, roots)
    found = [*after.metrics.values(), *after.updates.values()]
    assert verify_nodes(found).ok
    pairs = zip(
        evaluate(roots, values, sizes, noise=NOISE),
        evaluate(found, values, sizes, noise=NOISE),
        strict=True,
    )
    for old, new in pairs:
        np.testing.assert_allclose(new, old, rtol=1e-10, atol=1e-12)
