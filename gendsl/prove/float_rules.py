"""Forward error bounds of ops in floating point, by the standard model.

In: an op, the values of its operands and bounds of their errors, the unit roundoff u. Out: a bound
of the error of the op's computed result: what the operands' errors become, plus its own rounding.
The model (Higham 2002, chapters 2 to 4): an elementary operation errs by a factor 1 + d, |d| <= u;
a sum of n terms, in any order, by gamma(n - 1) times the sum of the magnitudes; a library function
(exp, log, expm1 ...) by `ULPS` units in the last place. Nothing about overflow: where a value or
an intermediate one may leave the range of the format, the bound is infinite.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from gendsl.ir.graph import Node
from gendsl.ir.op import Concrete
from gendsl.lazy import np
from gendsl.ops import arithmetic as ar
from gendsl.ops import broadcast as br
from gendsl.ops import compare as cm
from gendsl.ops import contract as ct
from gendsl.ops import conv as cv
from gendsl.ops import leaf as lf
from gendsl.ops import movement as mv
from gendsl.ops import reduce as rd
from gendsl.ops import select as se
from gendsl.ops import unary as un
from gendsl.ops.arity import Compare, Logic
from gendsl.ops.symbolic import Pi

Array = Any  # a numpy array; its arithmetic has no types of its own

ULPS = 2  # of exp, log, expm1, log1p, sin, cos, erf
COMPOSED = 6  # of sigmoid, tanh, softplus, silu, which libraries make of several of these


class NoBound(Exception):
    """An op whose rounding errors are not bounded here."""


@dataclass(frozen=True)
class Value:
    """What is known of a node: its value in double, a bound `slack` of how far the real value is
    from that, a bound `error` of how far the computed one is from the real one, and, for indices
    and truth values, which entries might come out otherwise."""

    value: Array
    slack: Array
    error: Array
    loose: Array | None = None

    @property
    def most(self) -> Array:
        """A bound of the magnitude, real and computed."""
        return np.abs(self.value) + self.slack + self.error

    @property
    def least(self) -> Array:
        """A bound of the magnitude from below."""
        return np.maximum(np.abs(self.value) - self.slack - self.error, 0.0)


@dataclass(frozen=True)
class Format:
    """A floating-point format: unit roundoff, smallest step, largest number."""

    unit: float
    tiny: float
    huge: float

    def gamma(self, n: float) -> float:
        """n u / (1 - n u)."""
        x = n * self.unit
        return x / (1 - x) if x < 1 else float("inf")


SINGLE = Format(2.0**-24, 2.0**-149, 3.4e38)
DOUBLE = Format(2.0**-53, 2.0**-1074, 1.7e308)

Args = Sequence[Value]


def op_error(node: Node, y: Array, args: Args, fmt: Format, env: Concrete) -> Array:
    """A bound of the error of the computed result; `y` is the value in double."""
    op = node.op
    match op:
        case lf.Const() | lf.SizeValue():  # also of a fraction such as 1 / B
            return np.abs(y) * fmt.unit
        case lf.Input() | lf.Draw() | lf.Truth() | lf.Index() | lf.Iota():
            return np.zeros(y.shape)
        case Pi():
            return np.abs(y) * fmt.unit
        case ar.Neg() | ar.StopGrad():
            return args[0].error
        case ar.StraightThrough():
            return args[1].error
        case un.Relu() | un.Abs():
            return args[0].error
        case ar.Maximum() | ar.Minimum():
            return np.maximum(args[0].error, args[1].error)
        case br.Broadcast() | mv.Transpose() | mv.Reshape() | mv.Slice() | mv.Flip() | mv.Pad():
            return _moved(node, args, env)
        case mv.Concat():
            return _moved(node, args, env)
        case cm.ToReal() | se.OneHot():
            bad = _spread(_loose(args[0]), y.shape)
            return _where(bad, np.maximum(1.0, np.abs(y)), np.zeros(y.shape))
        case _:
            pass
    spread = _arithmetic(node, y, args, fmt, env)
    return spread if spread is not None else _selected(node, y, args, fmt, env)


def _where(mask: Array, a: Array, b: Array) -> Array:
    return np.asarray(np.where(mask, a, b), dtype=np.float64)


def rounded(error: Array, y: Array, slack: Array, fmt: Format, ulps: float = 0.5) -> Array:
    """The error of an exact result with inexact operands, after rounding it."""
    return error + 2 * ulps * fmt.unit * (np.abs(y) + slack + error) + fmt.tiny


def _arithmetic(node: Node, y: Array, args: Args, fmt: Format, env: Concrete) -> Array | None:
    op = node.op
    zero = np.zeros(y.shape)
    a = args[0]
    match op:
        case ar.Add() | ar.Sub():
            return rounded(a.error + args[1].error, y, a.slack + args[1].slack, fmt)
        case ar.Mul():
            return rounded(_product(a, args[1]), y, _slack(a, args[1]), fmt)
        case ar.Square():
            return rounded(_product(a, a), y, _slack(a, a), fmt)
        case ar.Div():
            return rounded(_quotient(y, a, args[1]), y, zero, fmt)
        case ar.Reciprocal():
            one = Value(np.ones(y.shape), zero, zero)
            return rounded(_quotient(y, one, a), y, zero, fmt)
        case br.Sum(axes):
            return _sum(a, axes, fmt)
        case ct.Contract() | cv.Conv2d() | cv.ConvTranspose2d():
            return _bilinear(node, args, fmt, env)
        case _:
            slope = _SLOPES.get(type(op))
            if slope is None:
                return None
            ulps = COMPOSED if isinstance(op, _COMPOSED) else ULPS
            return rounded(slope(a, y), y, slope(_only_slack(a), y), fmt, ulps)


def _only_slack(a: Value) -> Value:
    return Value(a.value, np.zeros(a.value.shape), a.slack)


def _product(a: Value, b: Value) -> Array:
    return (
        (np.abs(a.value) + a.slack) * b.error
        + (np.abs(b.value) + b.slack) * a.error
        + a.error * b.error
    )


def _slack(a: Value, b: Value) -> Array:
    return np.abs(a.value) * b.slack + np.abs(b.value) * a.slack + a.slack * b.slack


def _quotient(y: Array, a: Value, b: Value) -> Array:
    """|A / B - a / b| <= (|A - a| + |a / b| |B - b|) / |B|."""
    real = (np.abs(a.value) + a.slack) / np.maximum(np.abs(b.value) - b.slack, 0.0)
    return _where(b.least > 0, (a.error + real * b.error) / b.least, np.asarray(np.inf))


def _sum(a: Value, axes: tuple[int, ...], fmt: Format) -> Array:
    count = float(np.prod([a.value.shape[k] for k in axes], dtype=float))
    total: Array = a.most.sum(axis=axes)
    return a.error.sum(axis=axes) + fmt.gamma(count - 1) * total * (1 + 1e-12)


def _bilinear(node: Node, args: Args, fmt: Format, env: Concrete) -> Array:
    """A sum of n products: gamma(n) times the sum of magnitudes, and the operands' errors."""

    def run(x: Array, w: Array) -> Array:
        return np.asarray(node.op.reference([x, w], node.type, env), dtype=np.float64)

    a, b = args
    ones = run(np.ones(a.value.shape), np.ones(b.value.shape))
    magnitudes = run(a.most, b.most)
    spread = run(np.abs(a.value) + a.slack, b.error) + run(a.error, b.most)
    return spread + fmt.gamma(float(ones.max(initial=1.0))) * magnitudes + fmt.tiny * ones


def _lipschitz(bound: float) -> Callable[[Value, Array], Array]:
    return lambda a, y: bound * a.error


def _exp(a: Value, y: Array) -> Array:
    return np.exp(a.value + a.slack) * np.expm1(a.error)


def _log_of(low: Callable[[Value], Array]) -> Callable[[Value, Array], Array]:
    def bound(a: Value, y: Array) -> Array:
        base = low(a)
        share = np.where(base > 0, a.error / np.where(base > 0, base, 1.0), np.inf)
        return np.where(share < 1, -np.log1p(-np.minimum(share, 1 - 1e-15)), np.inf)

    return bound


def _root(a: Value, y: Array) -> Array:
    """|sqrt A - sqrt a| <= |A - a| / sqrt a, and <= sqrt |A - a|."""
    base = np.maximum(a.value - a.slack, 0.0)
    steep = np.where(base > 0, a.error / np.sqrt(np.where(base > 0, base, 1.0)), np.inf)
    return np.minimum(steep, np.sqrt(a.error))


def _inverse_root(a: Value, y: Array) -> Array:
    """The derivative of 1 / sqrt is largest at the smallest argument."""
    base = a.value - a.slack - a.error
    safe = np.where(base > 0, base, 1.0)
    return np.where(base > 0, 0.5 * a.error * safe**-1.5, np.inf)


_SLOPES: dict[type, Callable[[Value, Array], Array]] = {
    un.Exp: _exp,
    un.Expm1: _exp,
    un.Log: _log_of(lambda a: a.value - a.slack),
    un.Log1p: _log_of(lambda a: 1 + a.value - a.slack),
    un.Sqrt: _root,
    un.Rsqrt: _inverse_root,
    un.Sigmoid: _lipschitz(0.25),
    un.Tanh: _lipschitz(1.0),
    un.Softplus: _lipschitz(1.0),
    un.Silu: _lipschitz(1.1),
    un.Erf: _lipschitz(1.1284),
    un.Sin: _lipschitz(1.0),
    un.Cos: _lipschitz(1.0),
}
_COMPOSED = (un.Sigmoid, un.Tanh, un.Softplus, un.Silu, un.Rsqrt)


# ---- selection, comparison, reduction ------------------------------------------------------


def _moved(node: Node, args: Args, env: Concrete) -> Array:
    """Entries change places: so do their errors."""
    rows = [a.error for a in args]
    return np.asarray(node.op.reference(rows, node.type, env), dtype=np.float64)


def _loose(a: Value) -> Array:
    return np.zeros(a.value.shape, dtype=bool) if a.loose is None else a.loose


def _spread(mask: Array, shape: tuple[int, ...]) -> Array:
    """A mask over leading axes, along the others too."""
    extra = len(shape) - mask.ndim
    return np.broadcast_to(mask.reshape(mask.shape + (1,) * extra), shape)


def _selected(node: Node, y: Array, args: Args, fmt: Format, env: Concrete) -> Array:
    op = node.op
    match op:
        case cm.Where():
            c, a, b = args
            worst = np.maximum(a.error, b.error) + np.abs(a.value - b.value) + a.slack + b.slack
            return _where(_loose(c), worst, _where(c.value, a.error, b.error))
        case se.Gather():
            table, index = args
            chosen = [table.error, index.value]
            error = np.asarray(op.reference(chosen, node.type, env), dtype=np.float64)
            if not _loose(index).any():
                return error
            reach = float(table.value.max() - table.value.min()) + 2 * float(table.error.max())
            lead = _spread(_loose(index), y.shape)
            return _where(lead, reach + error, error)
        case rd.Max() | rd.Min():
            return np.asarray(args[0].error.max(axis=op.axes))
        case rd.LogSumExp():
            return _logsumexp(args[0], op.axes, y, fmt)
        case rd.CumSum():
            n = y.shape[op.axis]
            return np.cumsum(args[0].error, axis=op.axis) + fmt.gamma(n - 1) * np.cumsum(
                args[0].most, axis=op.axis
            )
        case rd.CumProd():
            return _cumprod(args[0], op.axis, y, fmt)
        case rd.Softmax() | rd.LogSoftmax():
            return _softmax(node, args[0], y, fmt)
        case se.ScatterAdd() if not _loose(args[0]).any():
            run = op.reference
            error = np.asarray(run([args[0].value, args[1].error], node.type, env), dtype=float)
            most = np.asarray(run([args[0].value, args[1].most], node.type, env), dtype=float)
            return error + fmt.gamma(args[0].value.size) * most
        case _:
            raise NoBound(op.name)


def _logsumexp(a: Value, axes: tuple[int, ...], y: Array, fmt: Format) -> Array:
    """max + log(sum(exp(x - max))): 1-Lipschitz in the largest entry; the sum errs relatively."""
    count = float(np.prod([a.value.shape[k] for k in axes], dtype=float))
    reach = a.most.max(axis=axes)
    inner = fmt.gamma(count + 4 * ULPS) + 2 * fmt.unit * 2 * reach
    total: Array = a.error.max(axis=axes) + 1.01 * inner + 8 * fmt.unit * (np.abs(y) + reach)
    return total + fmt.unit * 4 * np.log(count + 1)


def _softmax(node: Node, a: Value, y: Array, fmt: Format) -> Array:
    axis: int = node.op.axis  # type: ignore[attr-defined]
    reach = a.most.max(axis=axis, keepdims=True)
    shift = 2 * a.error.max(axis=axis, keepdims=True) + 4 * fmt.unit * reach
    relative = np.expm1(2 * shift) + fmt.gamma(a.value.shape[axis] + 6 * ULPS)
    if isinstance(node.op, rd.Softmax):
        return np.abs(y) * 1.01 * relative + fmt.tiny
    return shift + 1.01 * relative + 8 * fmt.unit * (np.abs(y) + reach)


def _cumprod(a: Value, axis: int, y: Array, fmt: Format) -> Array:
    base = np.maximum(np.abs(a.value) - a.slack, 0.0)
    share = np.where(base > 0, a.error / np.where(base > 0, base, 1.0), np.inf)
    steps = np.arange(1, y.shape[axis] + 1).reshape([-1 if k == axis else 1 for k in range(y.ndim)])
    factor = np.cumsum(np.log1p(share), axis=axis) + steps * np.log1p(2 * fmt.unit)
    return np.abs(y) * np.expm1(factor) + fmt.tiny


def looseness(node: Node, args: Args) -> Array | None:
    """For indices and truth values: which entries rounding might change."""
    op = node.op
    if isinstance(op, Compare) and args[0].value.dtype.kind == "f":
        gap = np.abs(args[0].value - args[1].value)
        slack = sum((a.error + a.slack for a in args), np.zeros(gap.shape))
        return np.asarray((gap <= slack) & (slack > 0))
    if isinstance(op, Compare | Logic):
        flags = [_loose(a) for a in args]
        return np.logical_or.reduce(flags)
    if isinstance(op, rd.ArgMin | rd.ArgMax):
        best = np.sort(args[0].value, axis=op.axis)
        if best.shape[op.axis] == 1:
            return None
        first, second = (0, 1) if isinstance(op, rd.ArgMin) else (-1, -2)
        gap = np.abs(best.take(first, op.axis) - best.take(second, op.axis))
        slack = 2 * (args[0].error + args[0].slack).max(axis=op.axis)
        return np.asarray((gap <= slack) & (slack > 0))
    if args and any(a.loose is not None and a.loose.any() for a in args):
        if len(args) == 1 and args[0].value.shape == _shape(node, args):
            return args[0].loose
        raise NoBound(f"{op.name} of an index that rounding may change")
    if any(a.value.dtype.kind == "f" and (a.error > 0).any() for a in args):
        raise NoBound(op.name)
    return None


def _shape(node: Node, args: Args) -> tuple[int, ...]:
    return args[0].value.shape if node.type.rank == args[0].value.ndim else ()
