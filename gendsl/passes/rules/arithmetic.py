"""Rules of rings: zeros and ones, signs, constants, common factors."""

from __future__ import annotations

from fractions import Fraction

from gendsl.ir.build import broadcast_like, mul
from gendsl.ir.graph import Builder, Node, reachable
from gendsl.ops.arithmetic import (
    Add,
    Div,
    Maximum,
    Minimum,
    Mul,
    Neg,
    Power,
    Reciprocal,
    Square,
    Sub,
)
from gendsl.ops.broadcast import Sum
from gendsl.ops.contract import Contract
from gendsl.ops.unary import Abs
from gendsl.passes.rules.table import constant, number, quantity, rule, spread_scalar
from gendsl.shape.dim import Dim


@rule(Add)
def add_zero(build: Builder, node: Node) -> Node | None:
    """x + 0 = x."""
    a, b = node.inputs
    if number(a) == 0:
        return b
    return a if number(b) == 0 else None


@rule(Sub)
def sub_zero(build: Builder, node: Node) -> Node | None:
    """x - 0 = x and 0 - x = -x."""
    a, b = node.inputs
    if number(b) == 0:
        return a
    return build.apply(Neg(), b) if number(a) == 0 else None


@rule(Mul)
def mul_unit(build: Builder, node: Node) -> Node | None:
    """1 x = x and -1 x = -x."""
    for x, factor in (node.inputs, node.inputs[::-1]):
        match number(factor):
            case Fraction(numerator=1, denominator=1):
                return x
            case Fraction(numerator=-1, denominator=1):
                return build.apply(Neg(), x)
            case _:
                pass
    return None


@rule(Mul)
def mul_zero(build: Builder, node: Node) -> Node | None:
    """0 x = 0, where x is defined everywhere (so that no error is hidden)."""
    for x, factor in (node.inputs, node.inputs[::-1]):
        if number(factor) == 0 and _total(x):
            return factor
    return None


def _total(x: Node) -> bool:
    """Whether no op below x has a restricted domain and x is small enough to look at."""
    nodes = reachable([x])
    return len(nodes) <= 200 and all(n.op.facts.domain == "all" for n in nodes)


@rule(Div)
def div_scalar(build: Builder, node: Node) -> Node | None:
    """x / c = (1 / c) x for a number c other than 0; and for any scalar divisor of a tensor."""
    x, divisor = node.inputs
    value = number(divisor)
    if value is not None:
        return mul(build, constant(build, 1 / value, x), x) if value else None
    scalar = spread_scalar(divisor)
    if scalar is None or not x.type.shape:
        return None
    return mul(build, build.apply(Reciprocal(), scalar), x)


@rule(Div)
def div_into_one(build: Builder, node: Node) -> Node | None:
    """1 / x is the reciprocal of x."""
    if number(node.inputs[0]) != 1:
        return None
    return build.apply(Reciprocal(), node.inputs[1])


@rule(Neg)
def neg_of(build: Builder, node: Node) -> Node | None:
    """-(-x) = x and -(a - b) = b - a."""
    (x,) = node.inputs
    match x.op:
        case Neg():
            return x.inputs[0]
        case Sub():
            return build.apply(Sub(), x.inputs[1], x.inputs[0])
        case _:
            return None


@rule(Add, Sub)
def absorb_sign(build: Builder, node: Node) -> Node | None:
    """a + (-b) = a - b, a - (-b) = a + b, (-a) + b = b - a and (-a) - b = -(a + b)."""
    a, b = node.inputs
    adding = isinstance(node.op, Add)
    if (minus := negated(build, b)) is not None:
        return build.apply(Sub() if adding else Add(), a, minus)
    if (minus := negated(build, a)) is None:
        return None
    if adding:
        return build.apply(Sub(), b, minus)
    return build.apply(Neg(), build.apply(Add(), minus, b))


@rule(Mul, Div)
def pull_sign(build: Builder, node: Node) -> Node | None:
    """(-a) b = -(a b), a (-b) = -(a b), and the same for a / b: signs move outwards."""
    a, b = node.inputs
    if (minus := negated(build, a)) is not None:
        return build.apply(Neg(), build.apply(node.op, minus, b))
    if (minus := negated(build, b)) is not None:
        return build.apply(Neg(), build.apply(node.op, a, minus))
    return None


def negated(build: Builder, x: Node) -> Node | None:
    """-x, when x is written with a minus sign."""
    if isinstance(x.op, Neg):
        return x.inputs[0]
    scalar = spread_scalar(x)
    if scalar is None:
        return None
    if isinstance(scalar.op, Neg):
        return broadcast_like(build, scalar.inputs[0], x)
    size = quantity(scalar)
    if size is not None and size.terms and size.terms[0][1] < 0:
        return constant(build, -size, x)
    return None


@rule(Sum, Contract)
def pull_sign_out_of_sum(build: Builder, node: Node) -> Node | None:
    """The sum of -x is minus the sum of x, and so for contractions."""
    for i, x in enumerate(node.inputs):
        if isinstance(x.op, Neg):
            operands = list(node.inputs)
            operands[i] = x.inputs[0]
            return build.apply(Neg(), build.apply(node.op, *operands))
    return None


@rule(Add, Sub, Mul, Div, Maximum, Minimum)
def fold_two(build: Builder, node: Node) -> Node | None:
    """An op of two numbers is a number."""
    a, b = (number(x) for x in node.inputs)
    if a is None or b is None:
        return None
    match node.op:
        case Add():
            value = a + b
        case Sub():
            value = a - b
        case Mul():
            value = a * b
        case Maximum():
            value = max(a, b)
        case Minimum():
            value = min(a, b)
        case _ if b != 0:
            value = a / b
        case _:
            return None
    return constant(build, value, node)


@rule(Add, Sub, Mul, Div)
def fold_sizes(build: Builder, node: Node) -> Node | None:
    """An op of two sizes is a size, where it has a normal form: (1 / N) N = 1."""
    a, b = (quantity(x) for x in node.inputs)
    if a is None or b is None:
        return None
    match node.op:
        case Add():
            value: Dim | None = a + b
        case Sub():
            value = a - b
        case Mul():
            value = a * b
        case _:
            value = a.divide(b)
    return None if value is None else constant(build, value, node)


@rule(Neg, Reciprocal)
def fold_size(build: Builder, node: Node) -> Node | None:
    """-N and 1 / N are sizes."""
    size = quantity(node.inputs[0])
    if size is None:
        return None
    value = -size if isinstance(node.op, Neg) else Dim.of(1).divide(size)
    return None if value is None else constant(build, value, node)


@rule(Neg, Square, Reciprocal, Power)
def fold_one(build: Builder, node: Node) -> Node | None:
    """An op of one number is a number, where the result is rational."""
    x = number(node.inputs[0])
    if x is None:
        return None
    match node.op:
        case Neg():
            return constant(build, -x, node)
        case Square():
            return constant(build, x * x, node)
        case Reciprocal() if x:
            return constant(build, 1 / x, node)
        case Power(exponent) if exponent.denominator == 1 and abs(exponent) <= 8 and x:
            return constant(build, x**exponent.numerator, node)
        case _:
            return None


@rule(Power)
def small_power(build: Builder, node: Node) -> Node | None:
    """x^1 = x, x^2 = x x and x^-1 = 1 / x."""
    (x,) = node.inputs
    match node.op:
        case Power(Fraction(numerator=1, denominator=1)):
            return x
        case Power(Fraction(numerator=2, denominator=1)):
            return build.apply(Square(), x)
        case Power(Fraction(numerator=-1, denominator=1)):
            return build.apply(Reciprocal(), x)
        case _:
            return None


@rule(Mul)
def mul_self(build: Builder, node: Node) -> Node | None:
    """x x is the square of x."""
    a, b = node.inputs
    return build.apply(Square(), a) if a is b else None


@rule(Mul)
def mul_reciprocal(build: Builder, node: Node) -> Node | None:
    """a (1 / b) = a / b for tensors."""
    for a, b in (node.inputs, node.inputs[::-1]):
        if isinstance(b.op, Reciprocal) and node.type.shape:
            return build.apply(Div(), a, b.inputs[0])
    return None


@rule(Mul)
def gather_scalars(build: Builder, node: Node) -> Node | None:
    """s (t x) = (s t) x for scalars s and t, which are multiplied once instead of entrywise."""
    for outer, product in (node.inputs, node.inputs[::-1]):
        s = spread_scalar(outer)
        if s is None or not isinstance(product.op, Mul):
            continue
        if not node.type.shape and quantity(s) is None:
            continue  # between scalars only numbers and sizes move
        for inner, x in (product.inputs, product.inputs[::-1]):
            t = spread_scalar(inner)
            if t is None or (not node.type.shape and quantity(t) is None):
                continue
            if spread_scalar(x) is None or not node.type.shape:
                return mul(build, build.apply(Mul(), s, t), x)
    return None


@rule(Mul)
def lift_scalar(build: Builder, node: Node) -> Node | None:
    """(s x) y = s (x y) for a scalar s and tensors x and y: scalars meet at the outside."""
    if not node.type.shape or any(spread_scalar(x) is not None for x in node.inputs):
        return None
    for product, y in (node.inputs, node.inputs[::-1]):
        if not isinstance(product.op, Mul):
            continue
        for factor, x in (product.inputs, product.inputs[::-1]):
            s = spread_scalar(factor)
            if s is not None:
                return mul(build, s, build.apply(Mul(), x, y))
    return None


@rule(Add, Sub)
def common_factor(build: Builder, node: Node) -> Node | None:
    """a c + b c = (a + b) c, c + b c = (1 + b) c for a scalar c, and the same for differences."""
    left, right = node.inputs
    for c, a in _factors(build, left):
        for d, b in _factors(build, right):
            if c is d and not (c is left and c is right):
                return build.apply(Mul(), c, build.apply(node.op, a, b))
    return None


def _factors(build: Builder, x: Node) -> list[tuple[Node, Node]]:
    """Ways to read x as a product."""
    if isinstance(x.op, Mul):
        a, b = x.inputs
        return [(a, b), (b, a)]
    if spread_scalar(x) is not None and x.type.shape and number(x) is None:
        return [(x, constant(build, 1, x))]
    return []


@rule(Square, Abs)
def even_function(build: Builder, node: Node) -> Node | None:
    """f(-x) = f(x) for squares and absolute values, which includes f(a - b) = f(b - a)."""
    (x,) = node.inputs
    if isinstance(x.op, Neg):
        return build.apply(node.op, x.inputs[0])
    if isinstance(x.op, Sub) and x.inputs[1].id < x.inputs[0].id:
        return build.apply(node.op, build.apply(Sub(), x.inputs[1], x.inputs[0]))
    return None


@rule(Mul)
def scalar_first(build: Builder, node: Node) -> Node | None:
    """x s = s x: scalars, and among them numbers, stand on the left."""
    a, b = node.inputs
    if _weight(b) < _weight(a):
        return build.apply(Mul(), b, a)
    return None


def _weight(x: Node) -> int:
    if quantity(x) is not None:
        return 0
    return 1 if spread_scalar(x) is not None else 2
