"""Ranges that the checker infers contain every value; they flow through calls."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gendsl.core.ranges import hull, inside, pointwise
from gendsl.core.show import range_text
from gendsl.ir.op import REGISTRY, Concrete, NodeType, Op
from gendsl.shape.dim import Dim
from gendsl.shape.tensor_type import Range
from tests.core.reading import codes_of, program_of

UNARY = (
    *("exp", "log", "expm1", "log1p", "sqrt", "rsqrt", "square", "abs", "sign", "floor", "neg"),
    *("relu", "sigmoid", "tanh", "softplus", "silu", "gelu", "erf", "sin", "cos", "reciprocal"),
)
BINARY = ("add", "sub", "mul", "div", "maximum", "minimum")
ENDS = st.integers(-8, 8).map(lambda n: Fraction(n, 2))


@st.composite
def ranges(draw: st.DrawFn) -> Range:
    low, high = sorted((draw(ENDS), draw(ENDS)))
    return Range(
        None if draw(st.integers(0, 4)) == 0 else low,
        None if draw(st.integers(0, 4)) == 0 else high,
    )


def sampled(bounds: Range, rng: np.random.Generator) -> np.ndarray:
    low = -20.0 if bounds.low is None else float(bounds.low)
    high = max(low, 20.0 if bounds.high is None else float(bounds.high))
    return np.concatenate([rng.uniform(low, high, 40), [low, high]])


def made(name: str) -> Op:
    op = REGISTRY[name]()
    assert isinstance(op, Op)
    return op


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(UNARY + BINARY), ranges(), ranges(), st.integers(0, 2**16))
def test_inferred_ranges_contain_the_values(name: str, a: Range, b: Range, seed: int) -> None:
    rng = np.random.default_rng(seed)
    op = made(name)
    count = 1 if name in UNARY else 2
    bounds = pointwise(op, [a, b][:count])
    if bounds is None:
        return
    left, right = sampled(a, rng), sampled(b, rng)
    args = [left] if count == 1 else [left, rng.permutation(right)]
    real = NodeType((Dim.of(len(left)),))
    with np.errstate(all="ignore"):
        values = op.reference(args, real, Concrete({}, np.dtype(np.float64), None))
    values = values[np.isfinite(values)]
    slack = 1e-12
    if bounds.low is not None:
        assert np.all(values >= float(bounds.low) - slack), (name, a, b)
    if bounds.high is not None:
        assert np.all(values <= float(bounds.high) + slack), (name, a, b)


@given(ranges(), ranges())
def test_hull_contains_both(a: Range, b: Range) -> None:
    whole = hull([a, b])
    assert whole is not None and inside(a, whole) and inside(b, whole)


@pytest.mark.parametrize(
    ("body", "found"),
    [
        ("2 * x - 1", "-1..1"),
        ("sigmoid(y)", "0..1"),
        ("tanh(y)", "-1..1"),
        ("clamp(y, -2, 3)", "-2..3"),
        ("square(2 * x - 1)", "0..1"),
        ("mean[D](x)", "0..1"),
        ("1 - x", "0..1"),
        ("softmax[D](y)", "0..1"),
        ("double(x)", "0..2"),
        ("double(double(sigmoid(y)))", "0..4"),
        ("unit(y)", "0..1"),
        ("expand x: [D] -> [D, K]", "0..1"),
        ("where(y > 0, x, 2)", "0..2"),
    ],
)
def test_ranges_of_expressions(body: str, found: str) -> None:
    program = program_of(f"""
fn double(x: [..s]) -> [..s]:
    return 2 * x

fn unit(x: [..s]) -> [..s] in 0..1:
    return clamp(x, 0, 1)

fn f(x: [D] in 0..1, y: [D], k: [K]) -> real:
    r = {body}
    return sum[..](r)
""")
    bounds = program.functions["f"].names["r"].type.range
    assert bounds is not None and range_text(bounds) == found


@pytest.mark.parametrize(
    ("schedule", "codes"),
    [
        ("linear_warmup(0, 1, steps = 100)", []),
        ("cosine(1, 0, steps = 100)", []),
        ("cyclical(0, 1, period = 10)", []),
        ("linear_warmup(0, 2, steps = 100)", ["E0304"]),
        ("constant(-1)", ["E0304"]),
    ],
)
def test_schedules_stay_in_the_declared_range(schedule: str, codes: list[str]) -> None:
    text = f"""
import schedules: constant, cosine, cyclical, linear_warmup

batch B
hyper beta = 1.0 in 0..1
data x: [B, D] from digits
param centre: [D]

objective fit:
    minimize beta * mse[B, D](x, centre)

train:
    step fit over centre with sgd(lr = 0.1)
    schedule beta = {schedule}
    batch B = 32
    steps 100
"""
    assert codes_of(text) == codes
