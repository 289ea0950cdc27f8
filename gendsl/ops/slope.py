"""Derivatives of smooth units as ops of their own: one pass where their formulas take several.

Programs and gradients do not hold them; the pass `slopes` puts them in the place of the formulas
that differentiation leaves.
"""

from __future__ import annotations

import math
from fractions import Fraction
from typing import TYPE_CHECKING, Any, ClassVar

from gendsl.ir.graph import Builder, Node
from gendsl.ir.op import Facts, register
from gendsl.lazy import np
from gendsl.ops.arithmetic import Add, Mul, Square, Sub
from gendsl.ops.arity import Unary, inline
from gendsl.ops.broadcast import fill, full
from gendsl.ops.symbolic import Pi
from gendsl.ops.unary import Exp, Rsqrt, Sigmoid, times

if TYPE_CHECKING:
    from gendsl.ops.arity import Array


@register
class SiluSlope(Unary):
    """The derivative of silu, s + x s (1 - s) with s = sigmoid(x); it lies in [-0.0999, 1.0999]."""

    name: ClassVar[str] = "silu_slope"
    facts = Facts(low=Fraction(-1, 10), high=Fraction(11, 10))
    targets = inline("silu_slope({0})", "(_sigmoid({0}) * (1.0 + {0} * (1.0 - _sigmoid({0}))))")

    def compute(self, x: Array) -> Any:
        small = np.exp(-np.abs(x))
        s = np.where(x >= 0, 1, small) / (1 + small)
        return s * (1 + x * (1 - s))

    def pull(self, build: Builder, g: Node, x: Node, y: Node) -> Node:
        # s (1 - s) (2 + x (1 - 2 s))
        s = build.apply(Sigmoid(), x)
        one = full(build, 1, x)
        bell = build.apply(Mul(), s, build.apply(Sub(), one, s))
        tilt = build.apply(Sub(), one, build.apply(Mul(), full(build, 2, x), s))
        rest = build.apply(Add(), full(build, 2, x), build.apply(Mul(), x, tilt))
        return times(build, g, Mul(), bell, rest)


@register
class GeluSlope(Unary):
    """The derivative of gelu, P(x) + x p(x) with the standard normal distribution function P and
    density p; it lies in [-0.129, 1.129]."""

    name: ClassVar[str] = "gelu_slope"
    facts = Facts(low=Fraction(-13, 100), high=Fraction(113, 100))
    targets = inline(
        "gelu_slope({0})",
        "(0.5 * (1.0 + _erf({0} * 0.7071067811865476))"
        " + 0.3989422804014327 * {0} * _exp(-0.5 * {0} * {0}))",
    )

    def compute(self, x: Array) -> Any:
        below = [0.5 * math.erfc(-v / math.sqrt(2)) for v in x.ravel().tolist()]
        density = np.exp(-x * x / 2) / math.sqrt(2 * math.pi)
        return np.asarray(below, dtype=x.dtype).reshape(x.shape) + x * density.astype(x.dtype)

    def pull(self, build: Builder, g: Node, x: Node, y: Node) -> Node:
        # p (2 - x^2)
        square = build.apply(Square(), x)
        half = build.apply(Mul(), full(build, Fraction(-1, 2), x), square)
        two_pi = build.apply(Mul(), full(build, 2, x), fill(build, build.apply(Pi()), x))
        density = build.apply(Mul(), build.apply(Exp(), half), build.apply(Rsqrt(), two_pi))
        return times(build, g, Mul(), density, build.apply(Sub(), full(build, 2, x), square))
