"""Real functions with their domains and derivatives, in high precision.

`UNARY[name]` is (value, derivative); both raise `Undefined` outside of their domain. Where the
derivative jumps it is what the op declares: 0 for relu, abs and sign at 0.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Any

from mpmath import mp, mpf

from .arrays import TINY, Dual, Undefined, dual, plain


def number(x: Fraction | int) -> Any:
    q = Fraction(x)
    return mpf(q.numerator) / mpf(q.denominator)


def inverse(x: Any) -> Any:
    if abs(plain(x)) < TINY:
        raise Undefined("division by zero")
    if isinstance(x, Dual):
        y = 1 / x.v
        return Dual(y, -x.d * y * y)
    return 1 / x


def power(x: Any, k: Fraction) -> Any:
    """x^k: k whole, or x > 0, or x = 0 and k > 0."""
    if isinstance(x, Dual):
        y = power(x.v, k)
        return Dual(y, number(k) * power(x.v, k - 1) * x.d if k != 1 else x.d)
    if k.denominator == 1:
        return x ** int(k) if k >= 0 else inverse(x) ** int(-k)
    if x < 0 and x > -TINY:
        x = mpf(0)
    if x < 0 or (k < 0 and x < TINY):
        raise Undefined("root of a negative, or inverse root of zero")
    return mp.power(x, number(k)) if x else mpf(0)


def log(x: Any) -> Any:
    if x < TINY:
        raise Undefined("logarithm of a number that is not positive")
    return mp.log(x)


def exp(x: Any) -> Any:
    if x > 4000:
        raise OverflowError("an exponential beyond reach")
    return mp.exp(x)


def sigmoid(x: Any) -> Any:
    return 1 / (1 + exp(-x)) if x > -4000 else mpf(0)


def _relu(x: Any) -> Any:
    return x if x > 0 else mpf(0)


def _sign(x: Any) -> Any:
    return mpf(0) if abs(x) < TINY else mpf(1) if x > 0 else mpf(-1)


def _phi(x: Any) -> Any:
    return mp.exp(-x * x / 2) / mp.sqrt(2 * mp.pi)


HALF = Fraction(1, 2)
Function = Callable[[Any], Any]
UNARY: dict[str, tuple[Function, Function]] = {
    "neg": (lambda x: -x, lambda x: mpf(-1)),
    "square": (lambda x: x * x, lambda x: 2 * x),
    "reciprocal": (inverse, lambda x: -(inverse(x) ** 2)),
    "exp": (exp, exp),
    "expm1": (lambda x: exp(x) - 1, exp),
    "log": (log, inverse),
    "log1p": (lambda x: log(1 + x), lambda x: inverse(1 + x)),
    "sqrt": (lambda x: power(x, HALF), lambda x: power(x, -HALF) / 2),
    "rsqrt": (lambda x: power(x, -HALF), lambda x: -power(x, -3 * HALF) / 2),
    "abs": (abs, _sign),
    "sign": (_sign, lambda x: mpf(0)),
    "floor": (mp.floor, lambda x: mpf(0)),
    "relu": (_relu, lambda x: mpf(1) if x > TINY else mpf(0)),
    "sigmoid": (sigmoid, lambda x: sigmoid(x) * (1 - sigmoid(x))),
    "tanh": (mp.tanh, lambda x: 1 - mp.tanh(x) ** 2),
    "softplus": (lambda x: mp.log1p(exp(x)), sigmoid),
    "silu": (lambda x: x * sigmoid(x), lambda x: sigmoid(x) * (1 + x * (1 - sigmoid(x)))),
    "erf": (mp.erf, lambda x: 2 / mp.sqrt(mp.pi) * mp.exp(-x * x)),
    "gelu": (lambda x: x * mp.ncdf(x), lambda x: mp.ncdf(x) + x * _phi(x)),
    "sin": (mp.sin, mp.cos),
    "cos": (mp.cos, lambda x: -mp.sin(x)),
    "stop_grad": (lambda x: x, lambda x: mpf(0)),
}


def unary(name: str) -> Function:
    value, slope = UNARY[name]

    def f(x: Any) -> Any:
        if isinstance(x, Dual):
            return Dual(value(x.v), slope(x.v) * x.d)
        return value(x)

    return f


def _larger(a: Any, b: Any) -> Any:
    return a if plain(a) >= plain(b) else b


def _smaller(a: Any, b: Any) -> Any:
    return a if plain(a) <= plain(b) else b


def _straight_through(a: Any, b: Any) -> Any:
    if isinstance(a, Dual) or isinstance(b, Dual):
        return Dual(plain(b), dual(a).d)
    return b


BINARY: dict[str, Callable[[Any, Any], Any]] = {
    "add": lambda a, b: a + b,
    "sub": lambda a, b: a - b,
    "mul": lambda a, b: a * b,
    "div": lambda a, b: a * inverse(b),
    "maximum": _larger,
    "minimum": _smaller,
    "straight_through": _straight_through,
}


def same(a: Any, b: Any) -> bool:
    """Equal up to rounding."""
    return bool(abs(plain(a) - plain(b)) <= TINY * (1 + abs(plain(a)) + abs(plain(b))))


COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "less": lambda a, b: bool(plain(a) < plain(b)) and not same(a, b),
    "less_equal": lambda a, b: bool(plain(a) <= plain(b)) or same(a, b),
    "equal": same,
    "not_equal": lambda a, b: not same(a, b),
}
