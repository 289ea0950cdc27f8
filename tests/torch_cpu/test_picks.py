"""Products with one-hot rows become picks: values stay, and what is not such a product is left."""

from __future__ import annotations

import numpy as np
import pytest

from gendsl.ir import build as b
from gendsl.ir.evaluate import evaluate
from gendsl.ir.graph import Builder, Node, reachable
from gendsl.ir.merge import merge
from gendsl.ir.step import StepGraph
from gendsl.ir.verify import verify_nodes
from gendsl.ops.arithmetic import Sub
from gendsl.ops.broadcast import Broadcast, Sum
from gendsl.ops.contract import Contract
from gendsl.ops.leaf import Input
from gendsl.ops.select import Gather, OneHot, ScatterAdd
from gendsl.passes.differentiate import gradients
from gendsl.passes.pipeline import transform_step
from gendsl.shape.dim import Dim
from gendsl.shape.tensor_type import Fin

B, K, N, D, E = (Dim.name(n) for n in "BKNDE")
SIZES = {"B": 3, "K": 2, "N": 5, "D": 4, "E": 6}


def given(build: Builder, name: str, *shape: Dim) -> Node:
    return build.apply(Input("param", name, shape))


def indices(build: Builder, *shape: Dim) -> Node:
    return build.apply(Input("data", "i", shape, Fin(N)))


def values_of(nodes: list[Node], sizes: dict[str, int]) -> dict[str, np.ndarray]:
    """Random values; some indices occur twice, some not at all."""
    rng = np.random.default_rng(0)
    found = {}
    for node in reachable(nodes):
        if isinstance(node.op, Input):
            shape = [d.size(sizes) for d in node.type.shape]
            fin = isinstance(node.type.elem, Fin)
            found[f"{node.op.kind}:{node.op.key}"] = (
                rng.integers(0, sizes["N"], size=shape) if fin else rng.normal(size=shape)
            )
    return found


def picked(build: Builder, outputs: list[Node], sizes: dict[str, int] = SIZES) -> list[Node]:
    """The outputs after merging, which are equal."""
    step = StepGraph(build, {}, {str(i): node for i, node in enumerate(outputs)})
    found = list(merge(step, sizes).updates.values())
    assert verify_nodes(found).ok
    given = values_of(outputs, sizes)
    pairs = zip(evaluate(outputs, given, sizes), evaluate(found, given, sizes), strict=True)
    for old, new in pairs:
        np.testing.assert_allclose(new, old, rtol=1e-12, atol=1e-12)
    return found


def ops(nodes: list[Node]) -> list[str]:
    return [n.op.name for n in reachable(nodes)]


ROWS = [
    (Contract((0, 1, 2), (0, 2, 3), (0, 1, 3)), (B, N, D), Gather),
    (Contract((0, 1, 2), (0, 2), (0, 1)), (B, N), Gather),
    (Contract((0, 1, 2), (0, 1, 2), (0, 1)), (B, K, N), Gather),
    (Contract((0, 1, 2), (2, 3), (0, 1, 3)), (N, D), Gather),
    (Contract((0, 1, 2), (0, 1, 3), (0, 2, 3)), (B, K, D), ScatterAdd),
    (Contract((0, 1, 2), (0, 1), (2,)), (B, K), ScatterAdd),
    (Contract((0, 1, 2), (0, 1, 3), (2, 3)), (B, K, D), ScatterAdd),
]


@pytest.mark.parametrize(("op", "shape", "kind"), ROWS)
@pytest.mark.parametrize("turned", [False, True])
def test_products_of_rows(
    op: Contract, shape: tuple[Dim, ...], kind: type[Gather] | type[ScatterAdd], turned: bool
) -> None:
    build = Builder()
    hot = build.apply(OneHot(N), indices(build, B, K))
    x = given(build, "x", *shape)
    node = build.apply(Contract(op.right, op.left, op.out), x, hot) if turned else None
    (found,) = picked(build, [node or build.apply(op, hot, x)])
    assert isinstance(found.op, kind)


OTHERS = [
    (Contract((0, 1, 2), (0, 2, 3), (0, 3, 1)), (B, N, D)),  # in another order
    (Contract((0, 1, 2), (0, 1, 2), (0, 1, 2)), (B, K, N)),  # no sum
    (Contract((0, 1, 2), (1, 3), (0, 2, 3)), (K, D)),  # sums over rows, not all at the front
]


@pytest.mark.parametrize(("op", "shape"), OTHERS)
def test_other_products_are_left(op: Contract, shape: tuple[Dim, ...]) -> None:
    build = Builder()
    hot = build.apply(OneHot(N), indices(build, B, K))
    (found,) = picked(build, [build.apply(op, hot, given(build, "x", *shape))])
    assert found.op == op


@pytest.mark.parametrize("axes", [(0,), (1,), (2,), (0, 1), (1, 2), (0, 1, 2)])
def test_sums_of_one_hot_rows(axes: tuple[int, ...]) -> None:
    build = Builder()
    hot = build.apply(OneHot(N), indices(build, B, K))
    found = picked(build, [build.apply(Sum(axes), hot)])
    assert ("one_hot" in ops(found)) == (axes == (0,))


def masked(build: Builder) -> list[Node]:
    """Rows of an embedding with places, the visible ones put back among masks, and gradients."""
    patches, w, c = given(build, "patches", B, N, D), given(build, "w", D, E), given(build, "c", E)
    place, mask, v = given(build, "place", N, E), given(build, "mask", E), given(build, "v", E, E)
    hot = build.apply(OneHot(N), indices(build, B, K))
    tokens = build.apply(Contract((0, 1, 2), (2, 3), (0, 1, 3)), patches, w)
    for term, positions in ((c, (2,)), (place, (1, 2))):
        tokens = b.add(build, tokens, build.apply(Broadcast((B, N, E), positions), term))
    visible = build.apply(Contract((0, 1, 2), (0, 2, 3), (0, 1, 3)), hot, tokens)
    coded = build.apply(Contract((0, 1, 2), (2, 3), (0, 1, 3)), visible, v)
    placed = build.apply(Contract((0, 1, 2), (0, 1, 3), (0, 2, 3)), hot, coded)
    hidden = build.apply(Sub(), build.apply(Broadcast((B, N), ()), b.const(build, 1)),
                         build.apply(Sum((1,)), hot))  # fmt: skip
    wide = build.apply(Broadcast((B, N, E), (0, 1)), hidden)
    filled = b.add(build, placed, b.mul(build, wide, build.apply(Broadcast((B, N, E), (2,)), mask)))
    target = given(build, "target", B, N, E)
    loss = b.sum_of(build, b.square(build, build.apply(Sub(), filled, target)))
    return [loss, *gradients(build, loss, [w, c, place, mask, v, patches])]


def test_a_masked_autoencoder_computes_only_visible_rows() -> None:
    build = Builder()
    outputs = masked(build)
    step = transform_step(StepGraph(build, {}, {str(i): n for i, n in enumerate(outputs)}))
    roots = list(step.updates.values())
    found = picked(step.builder, roots)
    assert "one_hot" not in ops(found)
    rows = [n.type.shape for n in reachable(found[:-1]) if isinstance(n.op, Contract)]
    assert (B, N, E) not in rows and (B, K, E) in rows


def test_all_rows_are_computed_once_where_something_else_reads_them() -> None:
    build = Builder()
    table = build.apply(
        Contract((0, 1), (1, 2), (0, 2)), given(build, "x", N, D), given(build, "w", D, E)
    )
    rows = build.apply(Gather(0), table, indices(build, K))
    found = picked(build, [rows, b.square(build, table)])
    assert isinstance(found[0].op, Gather)
    assert isinstance(picked(build, [rows])[0].op, Contract)


def test_more_picks_than_rows_are_made_of_the_rows() -> None:
    build = Builder()
    table = build.apply(
        Contract((0, 1), (1, 2), (0, 2)), given(build, "x", N, D), given(build, "w", D, E)
    )
    (found,) = picked(build, [build.apply(Gather(0), table, indices(build, K))], {**SIZES, "K": 9})
    assert isinstance(found.op, Gather)
