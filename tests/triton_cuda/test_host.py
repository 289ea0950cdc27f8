"""Numbers that the host computes, and what it writes before a run."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest

from backends.triton_cuda.feed import Feed
from backends.triton_cuda.host import numbers
from backends.triton_cuda.launch import DrawKeys, KernelPlan, Memory
from gendsl.ir.build import add, const, div, exp, maximum, minimum, mul, neg, sqrt, square, sub
from gendsl.ir.evaluate import evaluate
from gendsl.ir.graph import Builder, Node
from gendsl.noise import Noise, draw_key
from gendsl.ops.arithmetic import Power
from gendsl.ops.compare import Less, Where
from gendsl.ops.leaf import Input, SizeValue
from gendsl.ops.unary import Expm1, Log, Log1p, Rsqrt, Tanh
from gendsl.shape.dim import Dim
from gendsl.shape.tensor_type import Fin, Real

SIZES = {"N": 7}


def nodes(build: Builder) -> list[Node]:
    """Every way of computing a number, infinities and nan among the results."""
    a, b = (build.apply(Input("hyper", name)) for name in "ab")
    t = build.apply(Input("step", "step"))
    size = build.apply(SizeValue(Dim.name("N")))
    return [
        add(build, a, b, t, size),
        sub(build, a, mul(build, b, const(build, Fraction(1, 3)))),
        div(build, a, b),
        sqrt(build, a),
        square(build, neg(build, b)),
        exp(build, mul(build, a, 400)),
        maximum(build, a, b),
        minimum(build, a, sqrt(build, b)),
        build.apply(Power(Fraction(3, 2)), a),
        build.apply(Power(Fraction(-2)), b),
        build.apply(Log(), b),
        build.apply(Tanh(), a),
        build.apply(Rsqrt(), b),
        build.apply(Expm1(), mul(build, a, 400)),
        build.apply(Log1p(), b),
        div(build, a, build.apply(Log1p(), const(build, Fraction(-1, 10)))),
        build.apply(Where(), build.apply(Less(), a, b), a, t),
    ]


@pytest.mark.parametrize("a", [0.0, 0.5, 3.0, -2.0, math.inf, math.nan])
@pytest.mark.parametrize("b", [0.0, 1.5, -1.0])
def test_numbers_are_those_of_the_reference(a: float, b: float) -> None:
    wanted = nodes(Builder())
    given = {"hyper:a": a, "hyper:b": b, "step:step": 12.0}
    found = numbers(wanted, SIZES)(given)
    expected = evaluate(wanted, given, SIZES)
    for node, value, reference in zip(wanted, found, expected, strict=True):
        assert np.allclose(value, reference, rtol=1e-15, equal_nan=True), node


def test_all_inputs_are_written() -> None:
    build = Builder()
    rate = mul(build, build.apply(Input("hyper", "lr")), build.apply(Input("step", "step")))
    word = Fin(Dim.of(2))
    memories = (
        Memory("x", (2, 3), Real(), "data", key="data:x"),
        Memory("label", (2,), Fin(Dim.of(10)), "data", key="data:label"),
        Memory("s", (), Real(), "argument", key="argument:s"),
        Memory("host", (1,), Real(), "host"),
        Memory("step", (3,), word, "step"),
        Memory("eps_key", (4, 2), word, "step"),
    )
    plan = KernelPlan(
        name="f",
        sizes=SIZES,
        launches=(),
        memory={m.name: m for m in memories},
        arena_bytes=0,
        outputs={},
        host=(rate,),
        draws=(DrawKeys("eps_key", "f.eps", (4,)),),
    )
    arrays = {m.name: np.zeros(m.shape, "f4" if m.elem == Real() else "i4") for m in memories}
    batch = {"x": np.ones((2, 3)), "label": np.array([3, 9]), "s": np.asarray(0.5)}
    noise = Noise(5, "sample", 2**33 + 7, 2**31 + 1)
    Feed(plan).writer(batch, {"lr": 0.25}, noise)(arrays)
    assert np.all(arrays["x"] == 1)
    assert arrays["label"].tolist() == [3, 9]
    assert arrays["s"] == 0.5
    assert arrays["host"].tolist() == [np.float32(0.25 * (2**33 + 7))]
    assert arrays["step"].view(np.uint32).tolist() == [7, 2, 2**31 + 1]
    words = [list(draw_key(5, "sample", "f.eps", (i,))) for i in range(4)]
    assert arrays["eps_key"].view(np.uint32).tolist() == words
    with pytest.raises(ValueError, match=r"data:x has shape \(3, 2\)"):
        Feed(plan).writer({**batch, "x": np.ones((3, 2))}, {"lr": 1.0}, noise)(arrays)
