"""Rules of exp, log and their kin; they also keep floats accurate where the plain form is not."""

from __future__ import annotations

from fractions import Fraction

from gendsl.ir.build import add, maximum, mul, sub
from gendsl.ir.graph import Builder, Node
from gendsl.ops.arithmetic import Add, Div, Mul, Neg, Reciprocal, Square, Sub
from gendsl.ops.compare import Less, LessEqual, Not, Where
from gendsl.ops.leaf import Truth
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
)
from gendsl.passes.rules.table import constant, number, rule, spread_scalar
from gendsl.shape.tensor_type import Real

TERMS = 12  # longer sums are left alone


@rule(Add, Sub)
def exp_less_one(build: Builder, node: Node) -> Node | None:
    """c exp(l) - c = c expm1(l), in any sum: near l = 0 the left side is a difference of almost
    equal numbers."""
    terms = _terms(node)
    if terms is None:
        return None
    numbers = [t for t in terms if number(t[1]) is not None]
    rest = sum((c * (number(x) or 0) for c, x in numbers), Fraction(0))
    for i, (c, x) in enumerate(terms):
        if isinstance(x.op, Exp) and rest == -c:
            others = [t for j, t in enumerate(terms) if j != i and t not in numbers]
            return _sum(build, [(c, build.apply(Expm1(), *x.inputs)), *others])
    return None


@rule(Add, Sub)
def expm1_above(build: Builder, node: Node) -> Node | None:
    """c expm1(l) - c l = c (max(expm1(l), l) - l), in any sum: equal, since expm1(l) >= l, and
    never negative in floats, where a rounded expm1(l) may lie below l."""
    terms = _terms(node)
    if terms is None:
        return None
    for c, x in terms:
        if not isinstance(x.op, Expm1):
            continue
        (power,) = x.inputs
        inner = _terms(power) or []
        below = [(-c * d, y) for d, y in inner]
        if below and all(t in terms for t in below):
            others = [t for t in terms if t != (c, x) and t not in below]
            gap = sub(build, maximum(build, x, power), power)
            return _sum(build, [(c, gap), *others])
    return None


def _terms(node: Node) -> list[tuple[Fraction, Node]] | None:
    """The terms of a sum with rational coefficients, from left to right; None for too many."""
    terms: list[tuple[Fraction, Node]] = []
    stack = [(Fraction(1), node)]
    while stack:
        c, x = stack.pop()
        match x.op:
            case Add():
                stack += [(c, x.inputs[1]), (c, x.inputs[0])]
            case Sub():
                stack += [(-c, x.inputs[1]), (c, x.inputs[0])]
            case Neg():
                stack.append((-c, x.inputs[0]))
            case Mul() if (factor := number(x.inputs[0])) is not None:
                stack.append((c * factor, x.inputs[1]))
            case Mul() if (factor := number(x.inputs[1])) is not None:
                stack.append((c * factor, x.inputs[0]))
            case _:
                terms.append((c, x))
        if len(terms) + len(stack) > TERMS:
            return None
    return terms


def _sum(build: Builder, terms: list[tuple[Fraction, Node]]) -> Node:
    """The sum of terms, one factor for neighbours that share it up to sign."""
    scale = abs(terms[0][0])
    if scale != 1 and all(abs(c) == scale for c, _ in terms):
        return mul(build, scale, _sum(build, [(c / scale, x) for c, x in terms]))
    total: Node | None = None
    for c, x in terms:
        term = x if abs(c) == 1 else mul(build, abs(c), x)
        if total is None:
            total = term if c > 0 else build.apply(Neg(), term)
        else:
            total = add(build, total, term) if c > 0 else sub(build, total, term)
    assert total is not None
    return total


@rule(Log)
def log_of(build: Builder, node: Node) -> Node | None:
    """log exp x = x, log sigmoid x = -softplus(-x), log(1 + exp x) = softplus x."""
    (x,) = node.inputs
    match x.op:
        case Exp():
            return x.inputs[0]
        case Sigmoid():
            inner = build.apply(Softplus(), build.apply(Neg(), x.inputs[0]))
            return build.apply(Neg(), inner)
        case Add():
            for one, e in (x.inputs, x.inputs[::-1]):
                if number(one) == 1 and isinstance(e.op, Exp):
                    return build.apply(Softplus(), e.inputs[0])
            return None
        case Sub() if number(x.inputs[0]) == 1 and isinstance(x.inputs[1].op, Sigmoid):
            return build.apply(Neg(), build.apply(Softplus(), x.inputs[1].inputs[0]))
        case _:
            return None


@rule(Log1p)
def log1p_of(build: Builder, node: Node) -> Node | None:
    """log(1 + exp x) = softplus x, log(1 - sigmoid x) = -softplus x, log(1 + expm1 x) = x."""
    (x,) = node.inputs
    match x.op:
        case Exp():
            return build.apply(Softplus(), x.inputs[0])
        case Expm1():
            return x.inputs[0]
        case Neg() if isinstance(x.inputs[0].op, Sigmoid):
            return build.apply(Neg(), build.apply(Softplus(), x.inputs[0].inputs[0]))
        case _:
            return None


@rule(Exp)
def exp_of_log(build: Builder, node: Node) -> Node | None:
    """exp log x = x, where the left side is defined."""
    (x,) = node.inputs
    return x.inputs[0] if isinstance(x.op, Log) else None


@rule(Reciprocal)
def reciprocal_of(build: Builder, node: Node) -> Node | None:
    """1 / exp x = exp(-x), 1 / sqrt x = rsqrt x, 1 / (1 / x) = x, 1 / (1 + exp(-x)) = sigmoid x."""
    (x,) = node.inputs
    match x.op:
        case Exp():
            return build.apply(Exp(), build.apply(Neg(), x.inputs[0]))
        case Sqrt():
            return build.apply(Rsqrt(), x.inputs[0])
        case Reciprocal():
            return x.inputs[0]
        case Add():
            for one, e in (x.inputs, x.inputs[::-1]):
                if number(one) == 1 and isinstance(e.op, Exp):
                    return build.apply(Sigmoid(), build.apply(Neg(), e.inputs[0]))
            return None
        case _:
            return None


@rule(Div)
def div_by_function(build: Builder, node: Node) -> Node | None:
    """a / exp x = a exp(-x) and a / sqrt x = a rsqrt x."""
    a, x = node.inputs
    if spread_scalar(x) is not None:
        return None
    match x.op:
        case Exp():
            return build.apply(Mul(), a, build.apply(Exp(), build.apply(Neg(), x.inputs[0])))
        case Sqrt():
            return build.apply(Mul(), a, build.apply(Rsqrt(), x.inputs[0]))
        case _:
            return None


@rule(Square)
def square_of(build: Builder, node: Node) -> Node | None:
    """sqrt(x)^2 = x (where defined) and |x|^2 = x^2."""
    (x,) = node.inputs
    match x.op:
        case Sqrt():
            return x.inputs[0]
        case Abs():
            return build.apply(Square(), x.inputs[0])
        case _:
            return None


@rule(Sqrt)
def sqrt_of_square(build: Builder, node: Node) -> Node | None:
    """sqrt(x^2) = |x|, which has no overflow."""
    (x,) = node.inputs
    return build.apply(Abs(), x.inputs[0]) if isinstance(x.op, Square) else None


@rule(Relu, Abs)
def idempotent(build: Builder, node: Node) -> Node | None:
    """f(f(x)) = f(x)."""
    (x,) = node.inputs
    return x if x.op == node.op else None


@rule(Where)
def where_known(build: Builder, node: Node) -> Node | None:
    """A choice between equals, or by a constant, is no choice; not c swaps the two."""
    condition, a, b = node.inputs
    if a is b:
        return a
    scalar = spread_scalar(condition)
    if scalar is not None and isinstance(scalar.op, Truth):
        return a if scalar.op.value else b
    if isinstance(condition.op, Not):
        return build.apply(Where(), condition.inputs[0], b, a)
    return None


@rule(Add)
def where_split(build: Builder, node: Node) -> Node | None:
    """where(c, a, 0) + where(c, 0, b) = where(c, a, b), and so with a number times either."""
    left, right = (_selection(build, x) for x in node.inputs)
    if left is None or right is None or left[0] is not right[0]:
        return None
    for (condition, a, zero), (_, other, b) in ((left, right), (right, left)):
        if number(zero) == 0 and number(other) == 0:
            return build.apply(Where(), condition, a, b)
    return None


def _selection(build: Builder, x: Node) -> tuple[Node, Node, Node] | None:
    """Condition and branches of a choice of reals, a number that it is multiplied with inside."""
    match x.op:
        case Where() if isinstance(x.type.elem, Real):
            return x.inputs[0], x.inputs[1], x.inputs[2]
        case Mul() if number(x.inputs[0]) is not None and isinstance(x.inputs[1].op, Where):
            scale, choice = x.inputs
            condition, *branches = choice.inputs
            a, b = (b if number(b) == 0 else mul(build, scale, b) for b in branches)
            return condition, a, b
        case _:
            return None


@rule(LessEqual, Less)
def compare_with_part(build: Builder, node: Node) -> Node | None:
    """k x <= x where 0 <= x, and x <= k x where x <= 0, for a number k below 1; and so for <."""
    a, b = node.inputs
    if _below_one(a, b):
        return build.apply(node.op, constant(build, 0, b), b)
    return build.apply(node.op, a, constant(build, 0, a)) if _below_one(b, a) else None


def _below_one(part: Node, x: Node) -> bool:
    """Whether `part` is k x for a number k < 1."""
    if not isinstance(part.op, Mul) or part.inputs[1] is not x:
        return False
    k = number(part.inputs[0])
    return k is not None and k < 1


@rule(Not)
def not_not(build: Builder, node: Node) -> Node | None:
    """not not c = c."""
    (x,) = node.inputs
    return x.inputs[0] if isinstance(x.op, Not) else None
