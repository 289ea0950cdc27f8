"""Arithmetic: the ops that the gradients of all others are written in."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any, ClassVar

from gendsl.ir.graph import Builder, Node
from gendsl.ir.op import Facts, NodeType, register
from gendsl.lazy import np
from gendsl.ops.arity import SHAPES, Binary, Sample, Unary, inline, kernel
from gendsl.ops.broadcast import full
from gendsl.ops.compare import Less, LessEqual, Where

if TYPE_CHECKING:
    from gendsl.ops.arity import Array

ZERO = Fraction(0)


@register
class Neg(Unary):
    """-x."""

    name: ClassVar[str] = "neg"
    facts = Facts(linear=True, monotone=(-1,))
    targets = inline("(-{0})", "(-{0})")

    def compute(self, x: Array) -> Any:
        return -x

    def pull(self, build: Builder, g: Node, x: Node, y: Node) -> Node:
        return build.apply(self, g)


@register
class Add(Binary):
    """a + b."""

    name: ClassVar[str] = "add"
    facts = Facts(linear=True, monotone=(1, 1))
    targets = inline("({0} + {1})", "({0} + {1})")

    def compute(self, a: Array, b: Array) -> Any:
        return a + b

    def pull(self, build: Builder, g: Node, a: Node, b: Node, y: Node) -> tuple[Node, Node]:
        return g, g


@register
class Sub(Binary):
    """a - b."""

    name: ClassVar[str] = "sub"
    facts = Facts(linear=True, monotone=(1, -1))
    targets = inline("({0} - {1})", "({0} - {1})")

    def compute(self, a: Array, b: Array) -> Any:
        return a - b

    def pull(self, build: Builder, g: Node, a: Node, b: Node, y: Node) -> tuple[Node, Node]:
        return g, build.apply(Neg(), g)


@register
class Mul(Binary):
    """a * b."""

    name: ClassVar[str] = "mul"
    targets = inline("({0} * {1})", "({0} * {1})")

    def compute(self, a: Array, b: Array) -> Any:
        return a * b

    def pull(self, build: Builder, g: Node, a: Node, b: Node, y: Node) -> tuple[Node, Node]:
        return build.apply(self, g, b), build.apply(self, g, a)


@register
class Div(Binary):
    """a / b, for b other than 0."""

    name: ClassVar[str] = "div"
    facts = Facts(domain="divisor")
    targets = inline("({0} / {1})", "({0} / {1})")

    def compute(self, a: Array, b: Array) -> Any:
        return a / b

    def pull(self, build: Builder, g: Node, a: Node, b: Node, y: Node) -> tuple[Node, Node]:
        da = build.apply(self, g, b)
        return da, build.apply(Neg(), build.apply(Mul(), da, y))


@register
class Reciprocal(Unary):
    """1 / x, for x other than 0."""

    name: ClassVar[str] = "reciprocal"
    facts = Facts(domain="nonzero")
    targets = inline("torch.reciprocal({0})", "(1.0 / {0})")

    def compute(self, x: Array) -> Any:
        return 1 / x

    def pull(self, build: Builder, g: Node, x: Node, y: Node) -> Node:
        return build.apply(Neg(), build.apply(Mul(), g, build.apply(Square(), y)))


@register
class Square(Unary):
    """x * x."""

    name: ClassVar[str] = "square"
    facts = Facts(low=ZERO)
    targets = inline("torch.square({0})", "({0} * {0})")

    def compute(self, x: Array) -> Any:
        return x * x

    def pull(self, build: Builder, g: Node, x: Node, y: Node) -> Node:
        return build.apply(Mul(), g, build.apply(Mul(), full(build, 2, x), x))


@register
@dataclass(frozen=True)
class Power(Unary):
    """x to a constant rational exponent; where that is not an integer, for x > 0 (x >= 0 if the
    exponent is positive)."""

    name: ClassVar[str] = "power"
    facts = Facts(domain="positive")
    targets = kernel("power")
    exponent: Fraction

    def compute(self, x: Array) -> Any:
        return np.power(x, x.dtype.type(float(self.exponent)))

    def pull(self, build: Builder, g: Node, x: Node, y: Node) -> Node | None:
        if not self.exponent:
            return None
        slope = build.apply(Power(self.exponent - 1), x)
        return build.apply(Mul(), g, build.apply(Mul(), full(build, self.exponent, x), slope))

    @classmethod
    def samples(cls) -> Iterable[Sample]:
        exponents = (Fraction(3), Fraction(-2), Fraction(1, 3), Fraction(-3, 2))
        return [(cls(e), (NodeType(s),)) for s in SHAPES for e in exponents]


@register
class Maximum(Binary):
    """The larger of a and b; where they are equal, the gradient goes to a."""

    name: ClassVar[str] = "maximum"
    facts = Facts(monotone=(1, 1), kinks=(ZERO,))
    targets = inline("torch.maximum({0}, {1})", "_maximum({0}, {1})")

    def compute(self, a: Array, b: Array) -> Any:
        return np.maximum(a, b)

    def pull(self, build: Builder, g: Node, a: Node, b: Node, y: Node) -> tuple[Node, Node]:
        return route(build, build.apply(LessEqual(), b, a), g)


@register
class Minimum(Binary):
    """The smaller of a and b; where they are equal, the gradient goes to a."""

    name: ClassVar[str] = "minimum"
    facts = Facts(monotone=(1, 1), kinks=(ZERO,))
    targets = inline("torch.minimum({0}, {1})", "_minimum({0}, {1})")

    def compute(self, a: Array, b: Array) -> Any:
        return np.minimum(a, b)

    def pull(self, build: Builder, g: Node, a: Node, b: Node, y: Node) -> tuple[Node, Node]:
        return route(build, build.apply(LessEqual(), a, b), g)


@register
class StopGrad(Unary):
    """x, through which no gradient flows."""

    name: ClassVar[str] = "stop_grad"
    surrogate = True
    facts = Facts(linear=True, monotone=(1,))
    targets = inline("{0}", "{0}")

    def compute(self, x: Array) -> Any:
        return x

    def pull(self, build: Builder, g: Node, x: Node, y: Node) -> None:
        return None


@register
class StraightThrough(Binary):
    """The value of the second operand with the gradient of the first (Bengio et al. 2013)."""

    name: ClassVar[str] = "straight_through"
    surrogate = True
    targets = inline("{1}", "{1}")

    def compute(self, a: Array, b: Array) -> Any:
        return b

    def pull(self, build: Builder, g: Node, a: Node, b: Node, y: Node) -> tuple[Node, None]:
        return g, None


def route(build: Builder, condition: Node, g: Node) -> tuple[Node, Node]:
    """`g` where the condition holds, and `g` where it does not; elsewhere 0."""
    zero = full(build, 0, g)
    return build.apply(Where(), condition, g, zero), build.apply(Where(), condition, zero, g)


def gate(build: Builder, low: Node, x: Node, g: Node) -> Node:
    """`g` where x > low, else 0."""
    return build.apply(Where(), build.apply(Less(), low, x), g, full(build, 0, g))
