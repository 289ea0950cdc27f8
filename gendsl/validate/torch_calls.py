"""What the calls in generated torch source mean: products, convolutions, and the tables of names.

In: evaluated arguments. Out: tensors and numbers. Functions of the backend's runtime mean what
their docstrings say; `CALLS` holds functions by the name in the text, `METHODS` those of tensors.
"""

from __future__ import annotations

from collections.abc import Callable

from gendsl.validate import torch_values as tv
from gendsl.validate import value as v
from gendsl.validate import whole as w
from gendsl.validate.meaning import At
from gendsl.validate.torch_values import (
    Anything,
    Tensor,
    arithmetic,
    integer,
    integers,
    of_op,
    padded,
    reshaped,
)
from gendsl.validate.value import Value
from gendsl.validate.whole import Unmodelled

# ---- products ----------------------------------------------------------------------------


def product(a: Tensor, b: Tensor) -> Tensor:
    """A matrix product over the last axis of a and the first (or second last) of b; batched."""
    batch = a.shape[:-2] if len(a.shape) > 2 else ()
    left, right = len(a.shape) - len(batch) == 2, len(b.shape) - len(batch) == 2
    inner = a.shape[-1]
    if b.shape[: len(batch)] != batch or b.shape[-2 if right else -1] != inner:
        raise Unmodelled(f"a product of {a.shape} and {b.shape}")
    shape = (*batch, *a.shape[-2:-1] * left, *b.shape[-1:] * right)

    def entry(at: At) -> Value:
        k = w.variable(w.number(inner))
        lead, rest = at[: len(batch)], at[len(batch) :]
        x = a.real((*lead, *(rest[:1] if left else ()), w.of_unit(k)))
        y = b.real((*lead, w.of_unit(k), *(rest[-1:] if right else ())))
        return v.total([k], v.mul(x, y))

    return Tensor(shape, entry)


def ranked(rank_a: int, rank_b: int) -> Callable[[Tensor, Tensor], Tensor]:
    def apply(a: Tensor, b: Tensor) -> Tensor:
        if (len(a.shape), len(b.shape)) != (rank_a, rank_b):
            raise Unmodelled(f"a product of {a.shape} and {b.shape}")
        return product(a, b)

    return apply


def _addmm(bias: Tensor, a: Tensor, b: Tensor) -> Anything:
    return arithmetic("add", ranked(2, 2)(a, b), bias)


def _scaled(kind: str) -> Callable[..., Anything]:
    """x + alpha y, or x - alpha y."""

    def apply(x: Anything, y: Anything, alpha: Anything = v.ONE) -> Anything:
        return arithmetic(kind, x, arithmetic("mul", alpha, y))

    return apply


def _addcmul(x: Anything, a: Anything, b: Anything, value: Anything = v.ONE) -> Anything:
    return arithmetic("add", x, arithmetic("mul", value, arithmetic("mul", a, b)))


def _binary(kind: str) -> Callable[..., Anything]:
    return lambda x, y: arithmetic(kind, x, y)


def _dense(a: Tensor, b: Tensor, bias: Anything = None, then: Anything = "none") -> Anything:
    y = ranked(2, 2)(a, b)
    y = y if bias is None else arithmetic("add", y, bias)
    return of_op("relu")(y) if then == "relu" else y


def _gather(table: Tensor, index: Tensor, batch: Anything) -> Tensor:
    b, rank = integer(batch), len(index.shape)
    return Tensor(
        (*index.shape, *table.shape[b + 1 :]),
        lambda at: table.at((*at[:b], index.index(at[:rank]), *at[rank:])),
    )


def _scatter_add(index: Tensor, values: Tensor, batch: Anything, size: Anything) -> Tensor:
    b, rank = integer(batch), len(index.shape)

    def entry(at: At) -> Value:
        lead, slot, rest = at[:b], at[b], at[b + 1 :]
        new = [w.variable(w.number(d)) for d in index.shape[b:]]
        inner = (*lead, *map(w.of_unit, new))
        hit = v.same(index.index(inner), slot)
        return v.total(new, v.where(hit, values.real((*inner, *rest)), v.ZERO))

    return Tensor((*index.shape[:b], integer(size), *values.shape[rank:]), entry)


def _one_hot(index: Tensor, classes: Anything) -> Tensor:
    return Tensor(
        (*index.shape, integer(classes)),
        lambda at: v.where(v.same(index.index(at[:-1]), at[-1]), v.ONE, v.ZERO),
    )


# ---- convolutions ------------------------------------------------------------------------


def _conv2d(
    x: Tensor, weight: Tensor, bias: Anything, stride: Anything, pads: Anything = None
) -> Anything:
    step = integer(stride)
    if pads is not None:
        top, left = integers(pads)
        x = padded(x, tuple(map(w.number, (left, left, top, top))))
    batch, _, rows, columns = x.shape
    out, channels, height, width = weight.shape
    shape = (batch, out, (rows - height) // step + 1, (columns - width) // step + 1)

    def entry(at: At) -> Value:
        c, i, j = (w.variable(w.number(d)) for d in (channels, height, width))
        inner = tuple(map(w.of_unit, (c, i, j)))
        place = (at[0], inner[0], at[2] * step + inner[1], at[3] * step + inner[2])
        return v.total([c, i, j], v.mul(x.real(place), weight.real((at[1], *inner))))

    y = Tensor(shape, entry)
    return (
        y if bias is None else arithmetic("add", y, reshaped(bias, *map(w.number, (1, out, 1, 1))))
    )


def _conv_transpose2d(
    g: Tensor, weight: Tensor, bias: Anything, stride: Anything, pads: Anything, size: Anything
) -> Anything:
    step, (top, _, left, _) = w.number(integer(stride)), integers(pads)
    channels, out, height, width = weight.shape

    def entry(at: At) -> Value:
        o, i, j = (w.variable(w.number(d)) for d in (channels, height, width))
        inner = tuple(map(w.of_unit, (o, i, j)))
        found = v.TRUE
        place = [at[0], inner[0]]
        for axis, first in ((2, top), (3, left)):
            gap = at[axis] + first - inner[axis - 1]
            y = w.floordiv(gap, step)
            found = v.both(found, v.same(w.modulo(gap, step), w.ZERO))
            found = v.both(found, v.at_least(y, w.ZERO))
            found = v.both(found, v.at_least(w.number(g.shape[axis] - 1), y))
            place.append(y)
        if found is v.FALSE:
            return v.ZERO
        factor = weight.real((inner[0], at[1], *inner[1:]))
        return v.total([o, i, j], v.mul(v.where(found, g.real(place), v.ZERO), factor))

    y = Tensor((g.shape[0], out, *integers(size)), entry)
    return (
        y if bias is None else arithmetic("add", y, reshaped(bias, *map(w.number, (1, out, 1, 1))))
    )


def _conv2d_weight_grad(
    x: Tensor, g: Tensor, shape: Anything, stride: Anything, pads: Anything
) -> Tensor:
    top, bottom, left, right = integers(pads)
    around, step = padded(x, tuple(map(w.number, (left, right, top, bottom)))), integer(stride)
    batch, _, rows, columns = g.shape

    def entry(at: At) -> Value:
        b, r, s = (w.variable(w.number(d)) for d in (batch, rows, columns))
        inner = tuple(map(w.of_unit, (b, r, s)))
        place = (inner[0], at[1], inner[1] * step + at[2], inner[2] * step + at[3])
        return v.total([b, r, s], v.mul(around.real(place), g.real((inner[0], at[0], *inner[1:]))))

    return Tensor(integers(shape), entry)


# ---- tables ------------------------------------------------------------------------------


def _arange(count: Anything) -> Tensor:
    return Tensor((integer(count),), lambda at: at[0])


def _full(shape: Anything, fill: Anything, dtype: Anything = None) -> Tensor:
    return Tensor(integers(shape), lambda at: fill)


def _clone(x: Tensor) -> Tensor:
    return Tensor(x.shape, x.entry)


def _perhaps_same(x: Tensor) -> Tensor:
    """The same values, in the same memory or in another: what is written to it may not be seen."""
    return Tensor(x.shape, x.entry, x.memory)


def _at_least(x: Anything, low: Anything) -> Anything:
    """The larger of x and a number: the relu, if that is 0."""
    zero = isinstance(low, Value) and low.kind == "num" and low.args[0] == 0
    return of_op("relu")(x) if zero else of_op("maximum")(x, low)


def _softplus(x: Anything, beta: Anything, threshold: Anything) -> Anything:
    if beta is not w.ONE and integer(beta) != 1:
        raise Unmodelled("a softplus of another slope")
    return tv.softplus(x, threshold)


_COMPARED = (
    ("lt", "less", False),
    ("le", "less_equal", False),
    ("gt", "less", True),
    ("ge", "less_equal", True),
    ("eq", "equal", False),
    ("ne", "not_equal", False),
)


def _compared(kind: str, turned: bool) -> Callable[..., Anything]:
    """x < y and so on; `turned`: y < x."""
    return lambda x, y: tv.comparison(kind, y, x) if turned else tv.comparison(kind, x, y)


_NAMED = {
    "torch.nn.functional.silu": "silu",
    "torch.nn.functional.gelu": "gelu",
}
# With `_` after its name, each puts its result in the place of its second operand.
_SLOPES: dict[str, Callable[..., Anything]] = {
    "relu_slope": tv.relu_slope,
    "relu_slope_at_0": tv.slope_at_0,
    "sigmoid_slope": tv.sigmoid_slope,
    "softmax_slope": tv.softmax_slope,
    "silu_slope": tv.silu_slope,
    "gelu_slope": tv.gelu_slope,
}
_POINTWISE = [
    "exp",
    "expm1",
    "log",
    "log1p",
    "sqrt",
    "rsqrt",
    "abs",
    "sign",
    "relu",
    "sigmoid",
    "tanh",
    "erf",
    "sin",
    "cos",
    "floor",
    "square",
    "reciprocal",
    "maximum",
    "minimum",
]

CALLS: dict[str, Callable[..., Anything]] = {
    **{f"torch.{name}": of_op(name) for name in _POINTWISE},
    **{name: of_op(op) for name, op in _NAMED.items()},
    "torch.nn.functional.softplus": tv.softplus,
    "torch.pow": tv.power,
    "in_order": _perhaps_same,
    "torch.where": tv.where,
    "torch.clamp": tv.clamp,
    "torch.nn.functional.pad": padded,
    "torch.cat": tv.cat,
    "beside": tv.beside,
    "torch.flip": tv.flip,
    "torch.sum": lambda x, axes=None: tv.reduced("sum", x, axes),
    "torch.amax": lambda x, axes: tv.reduced("max", x, axes),
    "torch.amin": lambda x, axes: tv.reduced("min", x, axes),
    "torch.logsumexp": tv.logsumexp,
    "torch.softmax": tv.softmax,
    "torch.log_softmax": tv.log_softmax,
    "torch.cumprod": lambda x, dim: tv.line("cumprod", x, dim, index=False),
    "torch.cumsum": tv.cumsum,
    "torch.argsort": tv.argsort,
    "torch.argmin": tv.pick("argmin"),
    "torch.argmax": tv.pick("argmax"),
    "torch.mm": ranked(2, 2),
    "torch.bmm": ranked(3, 3),
    "torch.mv": ranked(2, 1),
    "torch.dot": ranked(1, 1),
    "torch.matmul": product,
    "torch.addmm": _addmm,
    "torch.mul": _binary("mul"),
    "torch.div": _binary("div"),
    "torch.neg": of_op("neg"),
    "torch.clamp_min": _at_least,
    "torch._C._nn.silu": of_op("silu"),
    "torch._C._nn.gelu": of_op("gelu"),
    "torch._C._nn.leaky_relu": tv.leaky_relu,
    "torch._C._nn.softplus": _softplus,
    **{f"torch.{name}": _compared(kind, turned) for name, kind, turned in _COMPARED},
    "torch.logical_and": lambda x, y: tv.pointwise(v.both, x, y),
    "torch.logical_or": lambda x, y: tv.pointwise(v.either, x, y),
    "torch.logical_not": lambda x: tv.pointwise(v.negate, x),
    "torch.add": _scaled("add"),
    "torch.sub": _scaled("sub"),
    "torch.addcmul": _addcmul,
    "torch.conv2d": _conv2d,
    "conv2d_relu": lambda *args: of_op("relu")(_conv2d(*args)),
    "argmin": tv.pick("argmin"),
    "argmax": tv.pick("argmax"),
    "torch.nn.functional.one_hot": _one_hot,
    "torch.arange": _arange,
    "torch.full": _full,
    "torch.tensor": lambda x, dtype=None: tv.scalar(x),
    "dense": _dense,
    **_SLOPES,
    "norm_slope": tv.norm_slope,
    "torch.nn.functional.leaky_relu": tv.leaky_relu,
    "channels_last": _perhaps_same,
    "leaky_slope": tv.leaky("less"),
    "leaky_slope_at_0": tv.leaky("less_equal"),
    "scatter_slice": tv.scatter_slice,
    "gather": _gather,
    "scatter_add": _scatter_add,
    "conv_transpose2d": _conv_transpose2d,
    "conv2d_weight_grad": _conv2d_weight_grad,
    "float": tv.to_real,
    "num.power": tv.power,
}
# Functions that leave their result in the place of one of their operands.
OVERWRITING: dict[str, tuple[int, Callable[..., Anything]]] = {
    "torch.relu_": (0, of_op("relu")),
    **{f"{name}_": (1, meaning) for name, meaning in _SLOPES.items()},
}
# Calls of whose result entry i depends on entries i of operands of its shape only.
ENTRYWISE = frozenset(
    (
        *(f"torch.{name}" for name in _POINTWISE),
        *("torch.mul", "torch.div", "torch.neg", "torch.clamp_min", "torch.clamp", "torch.pow"),
        *("torch.add", "torch.sub", "torch.addcmul", "torch.where"),
        *(f"torch.{name}" for name, _, _ in _COMPARED),
        *("torch.logical_and", "torch.logical_or", "torch.logical_not"),
        *("torch._C._nn.silu", "torch._C._nn.gelu", "torch._C._nn.leaky_relu"),
        *("torch._C._nn.softplus", "leaky_slope"),
        *(name for name in _SLOPES if name != "softmax_slope"),
    )
)
# Methods that leave their result in the tensor's own memory.
IN_PLACE: dict[str, Callable[..., Anything]] = {
    "add_": _scaled("add"),
    "sub_": _scaled("sub"),
    "mul_": _binary("mul"),
    "div_": _binary("div"),
    "addcmul_": _addcmul,
}
METHODS: dict[str, Callable[..., Anything]] = {
    "t": tv.transposed,
    "permute": tv.permuted,
    "reshape": reshaped,
    "view": tv.viewed,
    "expand": tv.expanded,
    "unsqueeze": tv.unsqueezed,
    "squeeze": tv.squeezed,
    "clone": _clone,
    "contiguous": _perhaps_same,
}
# Methods whose result shows the tensor's memory, whatever that is.
VIEWS = frozenset(("t", "permute", "view", "expand", "unsqueeze", "squeeze"))
