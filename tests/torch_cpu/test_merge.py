"""Products with a common operand become one: values stay, nothing that depends is merged."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from gendsl.ir import build as b
from gendsl.ir.evaluate import evaluate
from gendsl.ir.graph import Builder, Node, reachable
from gendsl.ir.merge import merge
from gendsl.ir.step import StepGraph
from gendsl.ir.verify import verify_nodes
from gendsl.ops.arithmetic import Maximum, Square
from gendsl.ops.broadcast import Broadcast, Sum
from gendsl.ops.contract import Contract
from gendsl.ops.leaf import Input
from gendsl.ops.movement import Concat, Reshape, Slice
from gendsl.ops.unary import Exp
from gendsl.passes.differentiate import gradients
from gendsl.passes.joint import joint
from gendsl.passes.pipeline import transform_step
from gendsl.shape.dim import ZERO, Dim
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
    """With few rows, more would be copied than is gained."""
    build = Builder()
    assert products(merged(build, heads(build), {"B": 2, "D": 400, "Z": 100, "Y": 200})) == 2


def test_wide_products_of_many_rows() -> None:
    build = Builder()
    assert products(merged(build, heads(build), {"B": 2000, "D": 8, "Z": 40, "Y": 50})) == 1


def leaky(build: Builder, x: Node) -> Node:
    return build.apply(Maximum(), x, b.mul(build, Fraction(1, 5), x))


def players(build: Builder) -> tuple[list[Node], list[Node]]:
    """Two layers on two batches, and the gradients of their weights."""
    batches = [given(build, name, B, D) for name in ("real", "fake")]
    first, bias = given(build, "first", D, Z), given(build, "bias", Z)
    second = given(build, "second", Z, Y)
    spread = build.apply(Broadcast((B, Z), (1,)), bias)
    hidden = [leaky(build, b.add(build, build.apply(ROWS, x, first), spread)) for x in batches]
    scores = [build.apply(ROWS, h, second) for h in hidden]
    loss = None
    for place, score in enumerate(scores):
        error = b.add(build, score, place)
        part = build.apply(Sum((0, 1)), build.apply(Square(), error))
        loss = part if loss is None else b.add(build, loss, part)
    assert loss is not None
    return scores, gradients(build, loss, [first, bias, second])


def test_batches_through_the_same_layers_are_one_batch() -> None:
    """Each layer is one product, each gradient too, and nothing is put together twice."""
    build = Builder()
    scores, slopes = players(build)
    found = merged(build, [*scores, *slopes], {"B": 64, "D": 16, "Z": 8, "Y": 4})
    assert products(found) == 5
    nodes = reachable(found)
    assert sum(isinstance(n.op, Maximum) for n in nodes) == 1
    batches = [n for n in nodes if isinstance(n.op, Concat)]
    assert len(batches) == 2  # of the inputs, and of the errors


def test_lanes_keep_what_is_not_alike() -> None:
    """One part is squared, the other is not."""
    build = Builder()
    x = given(build, "x", B + B, D)
    halves = [build.apply(Slice(0, start, B), x) for start in (ZERO, B)]
    found = merged(build, [build.apply(Square(), halves[0]), build.apply(Exp(), halves[1])])
    assert [n.inputs[0].op for n in found] == [h.op for h in halves]


def test_a_sum_of_all_parts_is_one_sum() -> None:
    build = Builder()
    x = given(build, "x", B + B, D)
    halves = [build.apply(Slice(0, start, B), x) for start in (B, ZERO)]
    (found,) = merged(build, [build.apply(Sum((0,)), b.add(build, *halves))])
    assert found.inputs == (x,)


def test_a_sum_of_the_same_part_twice_is_none_of_all() -> None:
    build = Builder()
    x = given(build, "x", B + B, D)
    half = build.apply(Slice(0, ZERO, B), x)
    (found,) = merged(build, [build.apply(Sum((0,)), b.add(build, half, half))])
    assert found.inputs != (x,)


HEADS = Contract((0, 1, 2, 3), (0, 3, 1, 4), (0, 2, 1, 4))


def test_parts_that_are_copied_anyway_are_copied_side_by_side() -> None:
    """Gradients of queries, keys and values: batched products in another order, then joined."""
    build = Builder()
    h, n, e = (Dim.name(x) for x in "hne")
    parts = []
    for name in "qkv":
        weights, rows = given(build, f"{name}0", B, h, n, n), given(build, f"{name}1", B, n, h, e)
        mixed = build.apply(HEADS, weights, rows)
        parts.append(build.apply(Reshape((B, n, h * e)), mixed))
    w = [given(build, f"w{i}", D, h * e) for i in range(3)]
    back = Contract((0, 1, 2), (3, 2), (0, 1, 3))
    total = b.add(build, *(build.apply(back, p, x) for p, x in zip(parts, w, strict=True)))
    ends = [total, *(build.apply(Sum((0, 1)), p) for p in parts)]
    found = merged(build, ends, {"B": 3, "D": 4, "h": 2, "n": 5, "e": 3})
    sums = {x.inputs[0] for x in found[1:]}
    assert len(sums) == 1  # slices of one sum
    joint = sums.pop().inputs[0]
    assert isinstance(joint.op, Reshape) and isinstance(joint.inputs[0].op, Concat)
    assert found[0].inputs[0] is joint


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
