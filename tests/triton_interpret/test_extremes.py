"""Rows that chance does not bring, against numpy: ties, infinities, nan, denormals, empty masks."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from backends.torch_cpu import TARGET as CPU
from backends.triton_cuda import TARGET
from gendsl.ir.build import mul, sum_of
from gendsl.ir.evaluate import evaluate
from gendsl.ir.graph import Builder, Node
from gendsl.ir.op import Op
from gendsl.noise import Noise
from gendsl.ops.arithmetic import Div
from gendsl.ops.leaf import Input
from gendsl.ops.reduce import ArgMax, ArgMin, LogSoftmax, LogSumExp, Max, Min, Softmax, Sum
from gendsl.ops.unary import Rsqrt
from gendsl.shape.dim import Dim

Array = np.ndarray[Any, Any]
INF, NAN, TINY, HUGE = math.inf, math.nan, 1e-45, 3e38
LARGEST = float(np.finfo(np.float32).max)
ROWS, COLUMNS = Dim.name("R"), Dim.name("C")


def given(build: Builder, name: str) -> Node:
    return build.apply(Input("data", name, (ROWS, COLUMNS)))


def run(make: Callable[[Builder], Node], **data: Array) -> tuple[Array, Array, Array]:
    """What the interpreter, the CPU target and the reference make of the data."""
    build = Builder()
    node = make(build)
    shape = next(iter(data.values())).shape
    sizes = dict(zip(("R", "C"), shape, strict=True))
    with np.errstate(all="ignore"):
        (wanted,) = evaluate([node], {f"data:{k}": v for k, v in data.items()}, sizes)
    found, other = (
        target.compile_function({"y": node}, sizes).run({}, data, {}, Noise(0, "test"))["y"]
        for target in (TARGET, CPU)
    )
    return found, other, wanted


def rows(entries: list[list[float]]) -> Array:
    return np.array(entries, dtype=np.float32)


# ---- the place of the least and the largest entry --------------------------------------------

CHOICES = rows(
    [
        [3, 1, 2, 1, 1],
        [0.0, -0.0, 0.0, -0.0, 0],
        [NAN, 0, 0, 0, 0],
        [1, NAN, -INF, NAN, INF],
        [-INF, 0, NAN, 0, -INF],
        [NAN, NAN, NAN, NAN, NAN],
        [INF, INF, INF, INF, INF],
        [-INF, -INF, 0, -INF, INF],
        [INF, INF, HUGE, INF, INF],
        [TINY, 2 * TINY, 0, -TINY, -TINY],
        [HUGE, -HUGE, -INF, INF, -HUGE],
        [-LARGEST, -INF, NAN, LARGEST, INF],
        [-LARGEST, -INF, -LARGEST, LARGEST, INF],
        [LARGEST, INF, -LARGEST, INF, 0],
    ]
)


@pytest.mark.parametrize("kind", [ArgMin, ArgMax])
@pytest.mark.parametrize("axis", [0, 1])
def test_places(kind: Callable[[int], Op], axis: int) -> None:
    """The first of equal ones; nan comes before all numbers, as numpy has it."""
    x = CHOICES if axis == 1 else CHOICES.T.copy()
    for found in run(lambda build: build.apply(kind(axis), given(build, "x")), x=x)[:2]:
        chosen = x.argmin(axis) if kind is ArgMin else x.argmax(axis)
        assert np.array_equal(found, chosen)


@pytest.mark.parametrize("kind", [ArgMin, ArgMax])
def test_places_over_several_blocks(kind: Callable[[int], Op]) -> None:
    """Ties and nan far apart: the first counts, in whichever block it is."""
    x = np.ones((6, 2500), dtype=np.float32)
    for row, places in enumerate([(2400,), (1030, 2300), (5, 1023, 1024), (0, 2499)]):
        x[row, list(places)] = 0 if kind is ArgMin else 2
    x[4, [7, 1500]], x[4, [1400, 2000]] = -INF if kind is ArgMin else INF, NAN
    found, other, wanted = run(lambda build: build.apply(kind(1), given(build, "x")), x=x)
    assert wanted.tolist() == [2400, 1030, 5, 0, 1400, 0]
    assert np.array_equal(found, wanted) and np.array_equal(other, wanted)


@pytest.mark.parametrize("kind", [Max, Min])
@pytest.mark.parametrize("axis", [0, 1])
def test_extremes_pass_nan_on(kind: Callable[[tuple[int]], Op], axis: int) -> None:
    """In the first block or in a later one, whatever sign nan has; to the bit otherwise."""
    wide = np.tile(CHOICES, 500)
    wide[1, 2040], wide[3, 3] = NAN, np.copysign(np.float32(NAN), np.float32(-1))
    for x in (CHOICES, wide):
        turned = x if axis == 1 else x.T.copy()
        for found in run(lambda build: build.apply(kind((axis,)), given(build, "x")), x=turned)[:2]:
            wanted = turned.max(axis) if kind is Max else turned.min(axis)
            assert np.array_equal(found, wanted, equal_nan=True)


def test_the_place_in_computed_rows() -> None:
    """The nearest of several codes, where a code or an example is not a number."""
    codes, x = np.arange(12, dtype=np.float32).reshape(4, 3), np.ones((4, 3), dtype=np.float32)
    codes[2, 1], x[3, 0] = NAN, NAN

    def place(build: Builder) -> Node:
        left, right = given(build, "codes"), given(build, "x")
        return build.apply(ArgMin(1), mul(build, left, right))

    found, other, wanted = run(place, codes=codes, x=x)
    assert np.array_equal(found, wanted) and np.array_equal(other, wanted)


# ---- rows of softmax, logsumexp, norms, masks ------------------------------------------------

LOGITS = rows(
    [
        [0, 0, 0, 0, 0],
        [HUGE, HUGE, -HUGE, 0, 1],
        [-HUGE, -HUGE, -HUGE, -HUGE, -HUGE],
        [-INF, 0, -INF, 1, -INF],
        [-INF, -INF, -INF, -INF, 2],
        [-INF, -INF, -INF, -INF, -INF],
        [INF, 0, 0, 0, 0],
        [NAN, 0, 1, 2, 3],
        [0, 1, INF, NAN, -INF],
        [TINY, -TINY, 2 * TINY, 0, -0.0],
        [-200, 0, -104, -87.5, -150],
        [88, 88.7, -88, 0, 1],
    ]
)


def equal(found: Array, wanted: Array, tolerance: float = 2e-6) -> None:
    """The same infinities and nan; numbers close, what float32 cannot hold near 0."""
    assert np.array_equal(np.isnan(found), np.isnan(wanted)), (found, wanted)
    sure = ~np.isnan(wanted)
    infinite = np.isinf(wanted.astype(np.float32)) & sure
    assert np.array_equal(found[infinite], wanted.astype(np.float32)[infinite])
    error = np.abs(found[sure & ~infinite] - wanted[sure & ~infinite])
    allowed = tolerance * np.maximum(np.abs(wanted[sure & ~infinite]), 1e-30)
    assert np.all(error <= allowed + 2e-7 * (np.abs(wanted) <= 1)[sure & ~infinite])


@pytest.mark.parametrize("op", [Softmax(1), LogSoftmax(1), LogSumExp((1,))], ids=lambda o: o.name)
def test_rows_of_logits(op: Op) -> None:
    for x in (LOGITS, np.tile(LOGITS, 300)):
        found, _, wanted = run(lambda build: build.apply(op, given(build, "x")), x=x)
        equal(found, wanted)


def test_rows_that_are_normalised() -> None:
    """By the root of their sum of squares: rows of zeros, denormals, and large entries."""
    x = rows([[0, 0, 0], [TINY, -TINY, 0], [1e-20, 1e-22, 0], [1e18, -1e18, 1], [INF, 1, 0]])

    def normalised(build: Builder) -> Node:
        node = given(build, "x")
        total = build.apply(Sum((1,)), mul(build, node, node))
        return build.apply(Rsqrt(), total)

    found, other, wanted = run(normalised, x=x)
    # float32 has no squares of denormals: those rows are as zeros there, on both targets
    assert np.array_equal(np.isinf(found), [True, True, False, False, False])
    equal(found[2:], wanted[2:], 1e-3)
    equal(found, other.astype(np.float64), 1e-3)


def test_an_empty_mask() -> None:
    """The mean over no entry is nan in both; over one, that entry, whatever the others are."""

    def mean(build: Builder) -> Node:
        mask, x = given(build, "mask"), given(build, "x")
        counted = build.apply(Sum((1,)), mul(build, mask, x))
        return build.apply(Div(), counted, build.apply(Sum((1,)), mask))

    mask = rows([[0, 0, 0], [0, 1, 0], [1, 1, 1], [0, 0, 1]])
    x = rows([[1, 2, 3], [1e30, 5, -1e30], [0, 0, 0], [1, 2, HUGE]])
    found, other, wanted = run(mean, mask=mask, x=x)
    assert math.isnan(found[0]) and math.isnan(other[0])
    equal(found, wanted)
    equal(other, wanted)


def test_a_sum_of_nothing_but_infinities() -> None:
    x = rows([[INF, -INF, 1], [INF, INF, 1], [-INF, 0, 1], [HUGE, -HUGE, 1]])
    found, _, wanted = run(lambda build: build.apply(Sum((1,)), given(build, "x")), x=x)
    equal(found, wanted)
    total, _, _ = run(lambda build: sum_of(build, given(build, "x")), x=x)
    assert math.isnan(total)
