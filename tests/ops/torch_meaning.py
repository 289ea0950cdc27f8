"""What every op means in torch, written by hand from its description, and graphs run that way."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

from gendsl.ir.graph import Node, reachable
from gendsl.ir.op import Concrete, Op
from gendsl.noise import Noise
from gendsl.ops.arithmetic import StopGrad, StraightThrough
from gendsl.ops.leaf import Draw, Input

T = torch.Tensor
Meaning = Callable[..., T]


def size(dim: Any, sizes: Mapping[str, int]) -> int:
    return int(dim.evaluate(sizes))


def broadcast(op: Any, sizes: Mapping[str, int], x: T) -> T:
    shape = [size(d, sizes) for d in op.shape]
    for axis in range(len(shape)):
        if axis not in op.positions:
            x = x.unsqueeze(axis)
    return x.expand(shape)


def pieces(op: Any, sizes: Mapping[str, int], x: T) -> T:
    index = size(op.start, sizes) + op.step * torch.arange(size(op.length, sizes))
    return x.index_select(op.axis, index)


def scattered(op: Any, sizes: Mapping[str, int], x: T) -> T:
    shape = list(x.shape)
    index = size(op.start, sizes) + op.step * torch.arange(shape[op.axis])
    shape[op.axis] = size(op.size, sizes)
    return torch.zeros(shape, dtype=x.dtype).index_copy(op.axis, index, x)


def padded(op: Any, sizes: Mapping[str, int], x: T) -> T:
    widths = [0, 0] * (x.ndim - 1 - op.axis) + [size(op.before, sizes), size(op.after, sizes)]
    return F.pad(x, widths)


def norm_slope(g: T, s: T, r: T, gain: T) -> T:
    """By autograd, through rows that have this deviation."""
    h = s * r[..., None]
    q = g * gain
    means = [y.mean(-1, keepdim=True) for y in (q, q * h)]
    return r[..., None] * (q - means[0] - h * means[1])


def gathered(op: Any, sizes: Mapping[str, int], table: T, index: T) -> T:
    if op.batch == 0:
        return table[index]
    rows = [
        gathered(type(op)(op.batch - 1), sizes, t, i) for t, i in zip(table, index, strict=True)
    ]
    return torch.stack(rows)


def scatter_added(op: Any, sizes: Mapping[str, int], index: T, values: T) -> T:
    if op.batch == 0:
        flat = values.reshape(index.numel(), *values.shape[index.ndim :])
        zeros = torch.zeros(size(op.size, sizes), *flat.shape[1:], dtype=values.dtype)
        return zeros.index_add(0, index.reshape(-1), flat)
    inner = type(op)(op.batch - 1, op.size)
    rows = [scatter_added(inner, sizes, i, v) for i, v in zip(index, values, strict=True)]
    return torch.stack(rows)


def contracted(op: Any, sizes: Mapping[str, int], a: T, b: T) -> T:
    left, right, out = ("".join("abcdefgh"[i] for i in t) for t in (op.left, op.right, op.out))
    return torch.einsum(f"{left},{right}->{out}", a, b)


def image(op: Any, x: T) -> T:
    top, bottom, left, right = op.pads
    return F.pad(x, (left, right, top, bottom))


def conv_transposed(op: Any, sizes: Mapping[str, int], g: T, w: T) -> T:
    top, bottom, left, right = op.pads
    return F.pad(F.conv_transpose2d(g, w, stride=op.stride), (-left, -right, -top, -bottom))


def conv_weight(op: Any, sizes: Mapping[str, int], x: T, g: T) -> T:
    """The convolution of x with g, examples as channels and strides as dilation."""
    slope = F.conv2d(image(op, x).transpose(0, 1), g.transpose(0, 1), dilation=op.stride)
    return slope.transpose(0, 1)


def affine(op: Any, sizes: Mapping[str, int], i: T) -> T:
    scaled = torch.div(size(op.scale, sizes) * i, size(op.divide, sizes), rounding_mode="floor")
    return size(op.offset, sizes) + scaled


def over_axes(op: Any, x: T, reduce: Callable[[T, int], T]) -> T:
    for axis in reversed(op.axes):
        x = reduce(x, axis)
    return x


PLAIN: dict[str, Callable[..., T]] = {
    "neg": torch.neg,
    "exp": torch.exp,
    "log": torch.log,
    "expm1": torch.expm1,
    "log1p": torch.log1p,
    "sqrt": torch.sqrt,
    "rsqrt": torch.rsqrt,
    "square": torch.square,
    "abs": torch.abs,
    "relu": torch.relu,
    "sigmoid": torch.sigmoid,
    "tanh": torch.tanh,
    "softplus": lambda x: torch.logaddexp(x, torch.zeros_like(x)),
    "silu": F.silu,
    "gelu": F.gelu,
    "norm_slope": norm_slope,
    "silu_slope": lambda x: torch.sigmoid(x) * (1 + x * torch.sigmoid(-x)),
    "gelu_slope": lambda x: (
        torch.special.ndtr(x) + x * torch.exp(-x * x / 2) / (2 * torch.pi) ** 0.5
    ),
    "erf": torch.erf,
    "sin": torch.sin,
    "cos": torch.cos,
    "sign": torch.sign,
    "floor": torch.floor,
    "reciprocal": torch.reciprocal,
    "stop_grad": lambda x: x,
    "add": torch.add,
    "sub": torch.sub,
    "mul": torch.mul,
    "div": torch.div,
    "maximum": torch.maximum,
    "minimum": torch.minimum,
    "straight_through": lambda z, q: q,
    "less": torch.lt,
    "less_equal": torch.le,
    "equal": torch.eq,
    "not_equal": torch.ne,
    "and": torch.logical_and,
    "or": torch.logical_or,
    "not": torch.logical_not,
    "where": torch.where,
    "widen": lambda x: x,
}

WITH_ATTRIBUTES: dict[str, Callable[..., T]] = {
    "power": lambda op, sizes, x: torch.pow(x, float(op.exponent)),
    "sum": lambda op, sizes, x: over_axes(op, x, lambda x, a: x.sum(a)),
    "max": lambda op, sizes, x: over_axes(op, x, lambda x, a: x.amax(a)),
    "min": lambda op, sizes, x: over_axes(op, x, lambda x, a: x.amin(a)),
    "logsumexp": lambda op, sizes, x: over_axes(op, x, torch.logsumexp),
    "all": lambda op, sizes, x: over_axes(op, x, torch.all),
    "any": lambda op, sizes, x: over_axes(op, x, torch.any),
    "softmax": lambda op, sizes, x: torch.softmax(x, op.axis),
    "log_softmax": lambda op, sizes, x: torch.log_softmax(x, op.axis),
    "cumsum": lambda op, sizes, x: torch.cumsum(x, op.axis),
    "cumprod": lambda op, sizes, x: torch.cumprod(x, op.axis),
    "argmin": lambda op, sizes, x: torch.argmin(x, op.axis),
    "argmax": lambda op, sizes, x: torch.argmax(x, op.axis),
    "argsort": lambda op, sizes, x: torch.argsort(x, dim=op.axis, stable=True),
    "broadcast": broadcast,
    "transpose": lambda op, sizes, x: x.permute(op.perm),
    "reshape": lambda op, sizes, x: x.reshape([size(d, sizes) for d in op.shape]),
    "slice": pieces,
    "scatter_slice": scattered,
    "pad": padded,
    "flip": lambda op, sizes, x: torch.flip(x, (op.axis,)),
    "concat": lambda op, sizes, *parts: torch.cat(parts, op.axis),
    "gather": gathered,
    "scatter_add": scatter_added,
    "one_hot": lambda op, sizes, i: F.one_hot(i, size(op.bound, sizes)).to(torch.float64),
    "index_affine": affine,
    "contract": contracted,
    "conv2d": lambda op, sizes, x, w: F.conv2d(image(op, x), w, stride=op.stride),
    "conv_transpose2d": conv_transposed,
    "conv2d_weight_grad": conv_weight,
    "to_real": lambda op, sizes, x: x.to(torch.float64),
}


def apply(op: Op, sizes: Mapping[str, int], tensors: Sequence[T]) -> T:
    """The op by its meaning; with gradients where torch's agree with what the op says."""
    match op:
        case StopGrad():
            return tensors[0].detach()
        case StraightThrough():
            return tensors[0] + (tensors[1] - tensors[0]).detach()
        case _ if op.name in PLAIN:
            return PLAIN[op.name](*tensors)
        case _:
            return WITH_ATTRIBUTES[op.name](op, sizes, *tensors)


def interpret(
    outputs: Sequence[Node], inputs: Mapping[str, T], sizes: Mapping[str, int], noise: Noise
) -> list[T]:
    """The outputs with every op run by torch, in float64; torch.autograd sees all of it. Leaves
    other than inputs are the reference's."""
    env = Concrete(sizes, np.dtype(np.float64), noise)
    values: dict[Node, T] = {}
    for node in reachable(outputs):
        if isinstance(node.op, Input):
            values[node] = inputs[f"{node.op.kind}:{node.op.key}"]
        elif not node.inputs or isinstance(node.op, Draw):
            loops = [values[source].numpy() for source in node.inputs]
            values[node] = torch.tensor(np.array(node.op.reference(loops, node.type, env)))
        else:
            values[node] = apply(node.op, sizes, [values[source] for source in node.inputs])
    return [values[node] for node in outputs]
