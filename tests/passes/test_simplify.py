"""Simplification: every rule fires, keeps the value, ends; whole graphs get smaller."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

import numpy as np
import pytest

from gendsl.ir import build as b
from gendsl.ir.evaluate import evaluate
from gendsl.ir.graph import Builder, Node, reachable
from gendsl.ir.verify import verify_nodes
from gendsl.ops.arithmetic import Add, Div, Maximum, Mul, Neg, Power, Reciprocal, Square, Sub
from gendsl.ops.broadcast import Broadcast, Sum
from gendsl.ops.compare import Less, Not, Where
from gendsl.ops.contract import Contract
from gendsl.ops.leaf import SizeValue
from gendsl.ops.movement import Concat, Flip, Pad, Reshape, Slice, Transpose
from gendsl.ops.unary import (
    Abs,
    Exp,
    Expm1,
    Log,
    Log1p,
    Relu,
    Rsqrt,
    Sigmoid,
    Softplus,
    Sqrt,
    Tanh,
)
from gendsl.passes.differentiate import gradients
from gendsl.passes.rules.table import RULES
from gendsl.passes.simplify import rules_for, simplify
from gendsl.shape.dim import ZERO, Dim
from tests.passes.graphs import SIZES, B, D, H, Z, data, vae, vae_values

Make = Callable[[Builder, Node, Node, Node], Node]  # x, y: [B, D], s: a scalar


def of(op, *names):  # type: ignore[no-untyped-def]
    """`of(Add(), f, g)` applies op to what f and g make."""
    return lambda build, x, y, s: build.apply(op, *(n(build, x, y, s) for n in names))


def x(build: Builder, x: Node, y: Node, s: Node) -> Node:
    return x


def y(build: Builder, x: Node, y: Node, s: Node) -> Node:
    return y


def s(build: Builder, x: Node, y: Node, s: Node) -> Node:
    return s


def c(value: Fraction | int) -> Make:
    return lambda build, x, y, s: b.broadcast_like(build, value, x)


def spread(build: Builder, x: Node, y: Node, s: Node) -> Node:
    return b.broadcast_like(build, s, x)


def row(build: Builder, x: Node, y: Node, s: Node) -> Node:
    """The first row of x, in all rows."""
    first = build.apply(Reshape((D,)), build.apply(Slice(0, ZERO, Dim.of(1)), x))
    return build.apply(Broadcast((B, D), (1,)), first)


def less(build: Builder, x: Node, y: Node, s: Node) -> Node:
    return build.apply(Less(), x, y)


def true(build: Builder, x: Node, y: Node, s: Node) -> Node:
    return b.broadcast_like(build, b.truth(build, True), x)


def size(dim: Dim) -> Make:
    return lambda build, x, y, s: build.apply(SizeValue(dim))


half = Fraction(1, 2)
swap = Transpose((1, 0))
product = Contract((0, 1), (2, 1), (0, 2))

# What is written, and what it becomes: (rule, before, after).
CASES: tuple[tuple[str, Make, Make], ...] = (
    ("add_zero", of(Add(), c(0), x), x),
    ("sub_zero", of(Sub(), x, c(0)), x),
    ("sub_zero", of(Sub(), c(0), x), of(Neg(), x)),
    ("mul_unit", of(Mul(), x, c(1)), x),
    ("mul_unit", of(Mul(), c(-1), x), of(Neg(), x)),
    ("mul_zero", of(Mul(), x, c(0)), c(0)),
    ("div_scalar", of(Div(), x, c(4)), of(Mul(), x, c(Fraction(1, 4)))),
    ("div_into_one", of(Div(), c(1), x), of(Reciprocal(), x)),
    ("neg_of", of(Neg(), of(Neg(), x)), x),
    ("neg_of", of(Neg(), of(Sub(), x, y)), of(Sub(), y, x)),
    ("absorb_sign", of(Add(), x, of(Neg(), y)), of(Sub(), x, y)),
    ("absorb_sign", of(Sub(), x, of(Neg(), y)), of(Add(), x, y)),
    ("absorb_sign", of(Add(), of(Neg(), x), y), of(Sub(), y, x)),
    ("pull_sign", of(Mul(), of(Neg(), x), of(Neg(), y)), of(Mul(), x, y)),
    ("pull_sign", of(Div(), of(Neg(), x), of(Neg(), y)), of(Div(), x, y)),
    ("pull_sign_out_of_sum", of(product, x, of(Neg(), y)), of(Neg(), of(product, x, y))),
    ("fold_two", of(Sub(), c(half), c(Fraction(1, 3))), c(Fraction(1, 6))),
    ("fold_one", of(Power(Fraction(-2)), c(2)), c(Fraction(1, 4))),
    ("fold_sizes", of(Mul(), size(B * D), size(Dim.of(1).divide(B) or B)), size(D)),
    ("fold_size", of(Reciprocal(), size(B)), size(Dim.of(1).divide(B) or B)),
    ("small_power", of(Power(Fraction(2)), x), of(Square(), x)),
    ("mul_self", of(Mul(), x, x), of(Square(), x)),
    ("mul_reciprocal", of(Mul(), x, of(Reciprocal(), y)), of(Div(), x, y)),
    ("gather_scalars", of(Mul(), c(2), of(Mul(), c(3), x)), of(Mul(), c(6), x)),
    (
        "lift_scalar",
        of(Sum((0, 1)), of(Mul(), of(Mul(), spread, x), y)),
        of(Mul(), s, of(Sum((0, 1)), of(Mul(), x, y))),
    ),
    (
        "common_factor",
        of(Sub(), of(Mul(), x, of(Tanh(), y)), of(Mul(), of(Exp(), y), x)),
        of(Mul(), x, of(Sub(), of(Tanh(), y), of(Exp(), y))),
    ),
    ("scalar_first", of(Mul(), x, spread), of(Mul(), spread, x)),
    ("even_function", of(Square(), of(Neg(), x)), of(Square(), x)),
    ("even_function", of(Abs(), of(Sub(), y, x)), of(Abs(), of(Sub(), x, y))),
    ("exp_less_one", of(Sub(), of(Exp(), x), c(1)), of(Expm1(), x)),
    ("exp_less_one", of(Add(), of(Sub(), of(Exp(), x), y), c(-1)), of(Sub(), of(Expm1(), x), y)),
    (
        "expm1_above",
        of(Sub(), of(Add(), of(Expm1(), x), y), x),
        of(Add(), of(Sub(), of(Maximum(), of(Expm1(), x), x), x), y),
    ),
    (
        "expm1_above",
        of(Sub(), of(Sub(), of(Exp(), of(Add(), x, y)), c(1)), of(Add(), y, x)),
        of(Sub(), of(Maximum(), of(Expm1(), of(Add(), x, y)), of(Add(), x, y)), of(Add(), x, y)),
    ),
    (
        "common_factor",
        of(Sub(), of(Mul(), spread, of(Exp(), x)), spread),
        of(Mul(), spread, of(Expm1(), x)),
    ),
    (
        "common_factor",
        of(
            Sub(),
            of(Mul(), of(Broadcast((B, D), ()), size(B)), of(Exp(), x)),
            of(Broadcast((B, D), ()), size(B)),
        ),
        of(Mul(), of(Broadcast((B, D), ()), size(B)), of(Expm1(), x)),
    ),
    ("log_of", of(Log(), of(Exp(), x)), x),
    ("log_of", of(Log(), of(Add(), c(1), of(Exp(), x))), of(Softplus(), x)),
    ("log_of", of(Log(), of(Sigmoid(), x)), of(Neg(), of(Softplus(), of(Neg(), x)))),
    ("log_of", of(Log(), of(Sub(), c(1), of(Sigmoid(), x))), of(Neg(), of(Softplus(), x))),
    ("log1p_of", of(Log1p(), of(Exp(), x)), of(Softplus(), x)),
    ("log1p_of", of(Log1p(), of(Neg(), of(Sigmoid(), x))), of(Neg(), of(Softplus(), x))),
    ("exp_of_log", of(Exp(), of(Log(), of(Exp(), of(Tanh(), x)))), of(Exp(), of(Tanh(), x))),
    ("reciprocal_of", of(Reciprocal(), of(Exp(), x)), of(Exp(), of(Neg(), x))),
    (
        "reciprocal_of",
        of(Reciprocal(), of(Add(), c(1), of(Exp(), of(Neg(), x)))),
        of(Sigmoid(), x),
    ),
    (
        "div_by_function",
        of(Div(), x, of(Sqrt(), of(Exp(), y))),
        of(Mul(), x, of(Rsqrt(), of(Exp(), y))),
    ),
    ("square_of", of(Square(), of(Abs(), x)), of(Square(), x)),
    ("sqrt_of_square", of(Sqrt(), of(Square(), x)), of(Abs(), x)),
    ("idempotent", of(Relu(), of(Relu(), x)), of(Relu(), x)),
    ("even_function", of(Abs(), of(Neg(), x)), of(Abs(), x)),
    ("where_known", of(Where(), less, x, x), x),
    ("where_known", of(Where(), true, x, y), x),
    ("where_known", of(Where(), of(Not(), less), x, y), of(Where(), less, y, x)),
    (
        "where_split",
        of(Add(), of(Where(), less, x, c(0)), of(Where(), less, c(0), y)),
        of(Where(), less, x, y),
    ),
    (
        "where_split",
        of(Add(), of(Mul(), c(half), of(Where(), less, c(0), x)), of(Where(), less, x, c(0))),
        of(Where(), less, x, of(Mul(), c(half), x)),
    ),
    ("compare_with_part", of(Less(), of(Mul(), c(half), x), x), of(Less(), c(0), x)),
    ("compare_with_part", of(Less(), x, of(Mul(), c(half), x)), of(Less(), x, c(0))),
    ("not_not", of(Not(), of(Not(), less)), less),
    (
        "broadcast_broadcast",
        of(Broadcast((H, B, D), (1, 2)), spread),
        of(Broadcast((H, B, D), ()), s),
    ),
    ("transpose_of", of(swap, of(swap, x)), x),
    ("transpose_of", of(swap, of(product, x, y)), of(Contract((0, 1), (2, 1), (2, 0)), x, y)),
    (
        "contract_transpose",
        of(Contract((0, 1), (1, 2), (0, 2)), x, of(swap, y)),
        of(Contract((0, 1), (2, 1), (0, 2)), x, y),
    ),
    ("reshape_of", of(Reshape((B, D)), of(Reshape((B * D,)), x)), x),
    ("sum_of_sum", of(Sum((0,)), of(Sum((0,)), x)), of(Sum((0, 1)), x)),
    ("sum_of_broadcast", of(Sum((0, 1)), spread), of(Mul(), size(B * D), s)),
    (
        "sum_of_shifted",
        of(Sum((0, 1)), of(Sub(), spread, x)),
        of(Sub(), of(Mul(), size(B * D), s), of(Sum((0, 1)), x)),
    ),
    ("sum_of_scaled", of(Sum((1,)), of(Mul(), spread, of(Tanh(), x))), None),  # type: ignore[arg-type]
    ("compute_before_broadcast", of(Tanh(), of(Exp(), spread)), None),  # type: ignore[arg-type]
    ("compute_before_broadcast", of(Tanh(), of(Mul(), row, spread)), None),  # type: ignore[arg-type]
    (
        "contract_scaled",
        of(Contract((0, 1), (0, 1), ()), of(Mul(), spread, x), y),
        of(Mul(), s, of(Contract((0, 1), (0, 1), ()), x, y)),
    ),
    ("flip_flip", of(Flip(1), of(Flip(1), x)), x),
    ("slice_of", of(Slice(0, B, B), of(Concat(0), x, y)), y),
    ("slice_of", of(Slice(1, Dim.of(2), D), of(Pad(1, Dim.of(2), Z), x)), x),
    ("slice_of", of(Slice(1, ZERO, D), x), x),
)


def make(case: Make) -> tuple[Builder, Node]:
    build = Builder()
    operands = data(build, "x", B, D), data(build, "y", B, D), data(build, "s")
    return build, case(build, *operands)


def values() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(5)
    return {
        "data:x": rng.normal(size=(4, 6)),
        "data:y": rng.normal(size=(4, 6)),
        "data:s": np.asarray(1.3),
    }


def fired(build: Builder, node: Node) -> set[str]:
    """The rules that apply to a node or to what other rules make of it."""
    names: set[str] = set()
    seen, todo = set(), [node]
    while todo:
        for below in reachable([todo.pop()]):
            if below in seen:
                continue
            seen.add(below)
            for rule in rules_for(type(below.op)):
                made = rule.rewrite(build, below)
                if made is not None:
                    names.add(rule.name)
                    todo.append(made)
    return names


@pytest.mark.parametrize(("name", "before", "after"), CASES)
def test_rule(name: str, before: Make, after: Make | None) -> None:
    build, node = make(before)
    result = simplify(build, [node])[node]
    assert result is not node
    assert name in fired(build, node)
    old, new = evaluate([node, result], values(), SIZES)
    np.testing.assert_allclose(new, old, rtol=1e-12, atol=1e-13)
    assert len(reachable([result])) <= len(reachable([node])) + 1
    if after is not None:
        operands = data(build, "x", B, D), data(build, "y", B, D), data(build, "s")
        expected = after(build, *operands)
        assert result is simplify(build, [expected])[expected]


def test_every_rule_has_a_case() -> None:
    assert {name for name, _, _ in CASES} == {rule.name for rule in RULES}


def test_results_are_fixed_points() -> None:
    for _, before, _ in CASES:
        build, node = make(before)
        once = simplify(build, [node])[node]
        assert simplify(build, [once])[once] is once


def test_log_of_a_negative_number_is_not_hidden() -> None:
    build, node = make(of(Mul(), of(Log(), x), c(0)))
    result = simplify(build, [node])[node]
    assert any(n.op == Log() for n in reachable([result]))


def test_kl_is_not_negative_in_float32() -> None:
    """exp(l) - 1 - l near 0: the plain form is negative somewhere, the simplified one nowhere."""
    plain = of(Sub(), of(Sub(), of(Exp(), x), c(1)), x)
    build, node = make(plain)
    result = simplify(build, [node])[node]
    near = np.random.default_rng(0).uniform(-1e-3, 1e-3, size=(400, 300))
    sizes = {"B": 400, "D": 300}
    given = {**values(), "data:x": near, "data:y": near}
    old, new = evaluate([node, result], given, sizes, dtype=np.float32)
    assert (old < 0).any()
    assert (new >= 0).all()
    exact, same = evaluate([node, result], given, sizes)
    np.testing.assert_allclose(same, exact, atol=1e-15)


def test_vae_step_gets_smaller_and_stays_equal() -> None:
    build = Builder()
    loss, params = vae(build)
    roots = [loss, *gradients(build, loss, list(params.values()))]
    table = simplify(build, roots)
    simple = [table[r] for r in roots]
    assert verify_nodes(simple).ok
    given = vae_values(params)
    for old, new in zip(evaluate(roots, given, SIZES), evaluate(simple, given, SIZES), strict=True):
        np.testing.assert_allclose(new, old, rtol=1e-10, atol=1e-13)
    assert len(reachable(simple)) < 0.9 * len(reachable(roots))
    names = [n.op.name for n in reachable(simple)]
    assert names.count("expm1") == 1  # shared by the KL and its gradient
    assert names.count("sigmoid") == 1
    assert names.count("exp") == 1  # the standard deviation's; the KL has none left
    assert "neg" not in names and "div" not in names
