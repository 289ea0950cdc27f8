"""Functions of one real, pointwise, with closed-form derivatives."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import TYPE_CHECKING, Any, ClassVar

from gendsl.ir.graph import Builder, Node
from gendsl.ir.op import Facts, Op, register
from gendsl.lazy import np
from gendsl.ops.arithmetic import Add, Div, Mul, Neg, Square, Sub, gate
from gendsl.ops.arity import Unary, inline
from gendsl.ops.broadcast import fill, full
from gendsl.ops.symbolic import Pi

if TYPE_CHECKING:
    from gendsl.ops.arity import Array

ZERO, ONE, HALF = Fraction(0), Fraction(1), Fraction(1, 2)


def times(build: Builder, g: Node, op: Op, *operands: Node) -> Node:
    """g * op(operands)."""
    return build.apply(Mul(), g, build.apply(op, *operands))


@register
class Exp(Unary):
    """e to the x."""

    name: ClassVar[str] = "exp"
    facts = Facts(low=ZERO, open_low=True, monotone=(1,))
    targets = inline("torch.exp({0})", "_exp({0})")

    def compute(self, x: Array) -> Any:
        return np.exp(x)

    def pull(self, build: Builder, g: Node, x: Node, y: Node) -> Node:
        return build.apply(Mul(), g, y)


@register
class Expm1(Unary):
    """exp(x) - 1, accurate near 0."""

    name: ClassVar[str] = "expm1"
    facts = Facts(low=-ONE, open_low=True, monotone=(1,))
    targets = inline("torch.expm1({0})", "_expm1({0})")

    def compute(self, x: Array) -> Any:
        return np.expm1(x)

    def pull(self, build: Builder, g: Node, x: Node, y: Node) -> Node:
        return times(build, g, Exp(), x)


@register
class Log(Unary):
    """The natural logarithm, for x > 0."""

    name: ClassVar[str] = "log"
    facts = Facts(monotone=(1,), domain="positive")
    targets = inline("torch.log({0})", "_log({0})")

    def compute(self, x: Array) -> Any:
        return np.log(x)

    def pull(self, build: Builder, g: Node, x: Node, y: Node) -> Node:
        return build.apply(Div(), g, x)


@register
class Log1p(Unary):
    """log(1 + x), accurate near 0, for x > -1."""

    name: ClassVar[str] = "log1p"
    facts = Facts(monotone=(1,), domain="above_minus_one")
    targets = inline("torch.log1p({0})", "_log1p({0})")

    def compute(self, x: Array) -> Any:
        return np.log1p(x)

    def pull(self, build: Builder, g: Node, x: Node, y: Node) -> Node:
        return build.apply(Div(), g, build.apply(Add(), full(build, 1, x), x))


@register
class Sqrt(Unary):
    """The square root, for x >= 0 (its derivative for x > 0)."""

    name: ClassVar[str] = "sqrt"
    facts = Facts(low=ZERO, monotone=(1,), domain="nonnegative", kinks=(ZERO,))
    targets = inline("torch.sqrt({0})", "tl.sqrt({0})")

    def compute(self, x: Array) -> Any:
        return np.sqrt(x)

    def pull(self, build: Builder, g: Node, x: Node, y: Node) -> Node:
        return build.apply(Div(), build.apply(Mul(), full(build, HALF, g), g), y)


@register
class Rsqrt(Unary):
    """1 / sqrt(x), for x > 0."""

    name: ClassVar[str] = "rsqrt"
    facts = Facts(low=ZERO, open_low=True, monotone=(-1,), domain="positive")
    targets = inline("torch.rsqrt({0})", "tl.rsqrt({0})")

    def compute(self, x: Array) -> Any:
        return 1 / np.sqrt(x)

    def pull(self, build: Builder, g: Node, x: Node, y: Node) -> Node:
        slope = build.apply(Mul(), full(build, -HALF, y), build.apply(Div(), y, x))
        return build.apply(Mul(), g, slope)


@register
class Abs(Unary):
    """The absolute value; its derivative at 0 is taken as 0."""

    name: ClassVar[str] = "abs"
    facts = Facts(low=ZERO, kinks=(ZERO,))
    targets = inline("torch.abs({0})", "tl.abs({0})")

    def compute(self, x: Array) -> Any:
        return np.abs(x)

    def pull(self, build: Builder, g: Node, x: Node, y: Node) -> Node:
        return times(build, g, Sign(), x)


@register
class Sign(Unary):
    """-1, 0 or 1; its derivative is 0."""

    name: ClassVar[str] = "sign"
    facts = Facts(low=-ONE, high=ONE, monotone=(1,), kinks=(ZERO,))
    targets = inline("torch.sign({0})", "(({0} > 0).to(tl.float32) - ({0} < 0).to(tl.float32))")

    def compute(self, x: Array) -> Any:
        return np.sign(x)

    def pull(self, build: Builder, g: Node, x: Node, y: Node) -> None:
        return None


@register
class Floor(Unary):
    """The largest integer not above x; its derivative is 0."""

    name: ClassVar[str] = "floor"
    facts = Facts(monotone=(1,), kinks=tuple(Fraction(i) for i in range(-8, 9)))
    targets = inline("torch.floor({0})", "tl.floor({0})")

    def compute(self, x: Array) -> Any:
        return np.floor(x)

    def pull(self, build: Builder, g: Node, x: Node, y: Node) -> None:
        return None


@register
class Relu(Unary):
    """max(x, 0); its derivative at 0 is taken as 0."""

    name: ClassVar[str] = "relu"
    facts = Facts(low=ZERO, monotone=(1,), kinks=(ZERO,))
    targets = inline("torch.relu({0})", "_maximum({0}, 0.0)")

    def compute(self, x: Array) -> Any:
        return np.maximum(x, x.dtype.type(0))

    def pull(self, build: Builder, g: Node, x: Node, y: Node) -> Node:
        # y > 0 exactly where x > 0: the pre-activation need not be kept for the backward pass.
        return gate(build, full(build, 0, y), y, g)


@register
class Sigmoid(Unary):
    """1 / (1 + exp(-x))."""

    name: ClassVar[str] = "sigmoid"
    facts = Facts(low=ZERO, high=ONE, open_low=True, open_high=True, monotone=(1,))
    targets = inline("torch.sigmoid({0})", "_sigmoid({0})")

    def compute(self, x: Array) -> Any:
        return _sigmoid(x)

    def pull(self, build: Builder, g: Node, x: Node, y: Node) -> Node:
        rest = build.apply(Sub(), full(build, 1, y), y)
        return build.apply(Mul(), g, build.apply(Mul(), y, rest))


@register
class Tanh(Unary):
    """The hyperbolic tangent."""

    name: ClassVar[str] = "tanh"
    facts = Facts(low=-ONE, high=ONE, open_low=True, open_high=True, monotone=(1,))
    targets = inline("torch.tanh({0})", "_tanh({0})")

    def compute(self, x: Array) -> Any:
        return np.tanh(x)

    def pull(self, build: Builder, g: Node, x: Node, y: Node) -> Node:
        return times(build, g, Sub(), full(build, 1, y), build.apply(Square(), y))


@register
class Softplus(Unary):
    """log(1 + exp(x)), without overflow."""

    name: ClassVar[str] = "softplus"
    facts = Facts(low=ZERO, open_low=True, monotone=(1,))
    targets = inline(
        # torch returns x above its threshold, by default 20, which is too early for float64
        "torch.nn.functional.softplus({0}, threshold=40.0)",
        "_softplus({0})",
    )

    def compute(self, x: Array) -> Any:
        return np.logaddexp(x, x.dtype.type(0))

    def pull(self, build: Builder, g: Node, x: Node, y: Node) -> Node:
        return times(build, g, Sigmoid(), x)


@register
class Silu(Unary):
    """x * sigmoid(x) (Elfwing et al. 2018); its minimum is -0.2784..."""

    name: ClassVar[str] = "silu"
    facts = Facts(low=Fraction(-279, 1000))
    targets = inline("torch.nn.functional.silu({0})", "_silu({0})")

    def compute(self, x: Array) -> Any:
        return x * _sigmoid(x)

    def pull(self, build: Builder, g: Node, x: Node, y: Node) -> Node:
        # s + x s (1 - s) = s + y (1 - s)
        s = build.apply(Sigmoid(), x)
        rest = build.apply(Sub(), full(build, 1, s), s)
        return times(build, g, Add(), s, build.apply(Mul(), y, rest))


@register
class Erf(Unary):
    """The error function, 2 / sqrt(pi) times the integral of exp(-t^2) from 0 to x."""

    name: ClassVar[str] = "erf"
    facts = Facts(low=-ONE, high=ONE, open_low=True, open_high=True, monotone=(1,))
    targets = inline("torch.erf({0})", "_erf({0})")

    def compute(self, x: Array) -> Any:
        return _erf(x)

    def pull(self, build: Builder, g: Node, x: Node, y: Node) -> Node:
        slope = build.apply(Rsqrt(), build.apply(Pi()))
        bell = build.apply(Exp(), build.apply(Neg(), build.apply(Square(), x)))
        scaled = build.apply(Mul(), full(build, 2, x), fill(build, slope, x))
        return times(build, g, Mul(), scaled, bell)


@register
class Gelu(Unary):
    """x times the standard normal distribution function at x (Hendrycks & Gimpel 2016), exact; its
    minimum is -0.1699..."""

    name: ClassVar[str] = "gelu"
    facts = Facts(low=Fraction(-17, 100))
    targets = inline("torch.nn.functional.gelu({0})", "_gelu({0})")

    def compute(self, x: Array) -> Any:
        return x * (1 + _erf(x / x.dtype.type(math.sqrt(2)))) / 2

    def pull(self, build: Builder, g: Node, x: Node, y: Node) -> Node:
        # P + x p, with P the distribution function and p = exp(-x^2 / 2) / sqrt(2 pi) the density
        half = full(build, HALF, x)
        root = build.apply(Sqrt(), full(build, HALF, x))
        erf = build.apply(Erf(), build.apply(Mul(), x, root))
        below = build.apply(Mul(), half, build.apply(Add(), full(build, 1, x), erf))
        minus = build.apply(Mul(), full(build, -HALF, x), build.apply(Square(), x))
        two_pi = build.apply(Mul(), full(build, 2, x), fill(build, build.apply(Pi()), x))
        density = build.apply(Mul(), build.apply(Exp(), minus), build.apply(Rsqrt(), two_pi))
        return times(build, g, Add(), below, build.apply(Mul(), x, density))


@register
class Sin(Unary):
    """The sine."""

    name: ClassVar[str] = "sin"
    facts = Facts(low=-ONE, high=ONE)
    targets = inline("torch.sin({0})", "_sin({0})")

    def compute(self, x: Array) -> Any:
        return np.sin(x)

    def pull(self, build: Builder, g: Node, x: Node, y: Node) -> Node:
        return times(build, g, Cos(), x)


@register
class Cos(Unary):
    """The cosine."""

    name: ClassVar[str] = "cos"
    facts = Facts(low=-ONE, high=ONE)
    targets = inline("torch.cos({0})", "_cos({0})")

    def compute(self, x: Array) -> Any:
        return np.cos(x)

    def pull(self, build: Builder, g: Node, x: Node, y: Node) -> Node:
        return build.apply(Neg(), times(build, g, Sin(), x))


def _sigmoid(x: Array) -> Any:
    small = np.exp(-np.abs(x))
    return np.where(x >= 0, 1, small) / (1 + small)


def _erf(x: Array) -> Any:
    values = [math.erf(v) for v in x.ravel().tolist()]
    return np.asarray(values, dtype=x.dtype).reshape(x.shape)
