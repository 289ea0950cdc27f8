"""Emitters of the ops that are not pointwise, by the name their op declares (`Kernel("sum")`).

Each returns the text of a tensor of the node's whole shape. What takes more than one torch call is
a function of `backends.torch_cpu.runtime`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from backends.common.text import unbracketed
from backends.torch_cpu.contraction import contraction
from backends.torch_cpu.express import Emitter, Expressions
from gendsl.ir.graph import Node
from gendsl.ops.conv import Conv2d, Conv2dWeightGrad, ConvTranspose2d
from gendsl.ops.leaf import Draw, Iota
from gendsl.ops.movement import Concat, Flip, Pad, Reshape, ScatterSlice, Slice, Transpose
from gendsl.ops.select import Gather, OneHot, ScatterAdd


def _operand(express: Expressions, node: Node, place: int = 0) -> str:
    return express.whole(node.inputs[place])


def _argument(express: Expressions, node: Node, place: int = 0) -> str:
    return unbracketed(_operand(express, node, place))


def _attribute(node: Node, name: str) -> Any:
    return getattr(node.op, name)


def _reduction(function: str) -> Emitter:
    """A torch function over a tuple of axes; over no axes, the operand itself."""

    def emit(express: Expressions, node: Node) -> str:
        axes = _attribute(node, "axes")
        if not axes:
            return _operand(express, node)
        dims = axes[0] if len(axes) == 1 else axes
        return f"{function}({_argument(express, node)}, {dims})"

    return emit


def _sum(express: Expressions, node: Node) -> str:
    axes = _attribute(node, "axes")
    if not axes:
        return _operand(express, node)
    if len(axes) == node.inputs[0].type.rank:
        return f"torch.sum({_argument(express, node)})"
    return f"torch.sum({_argument(express, node)}, {axes[0] if len(axes) == 1 else axes})"


def _along(function: str, options: str = "") -> Emitter:
    """A torch function along one axis."""

    def emit(express: Expressions, node: Node) -> str:
        axis = _attribute(node, "axis")
        return f"{function}({_argument(express, node)}, dim={axis}{options})"

    return emit


def _transpose(express: Expressions, node: Node) -> str:
    op = node.op
    assert isinstance(op, Transpose)
    if op.perm == (1, 0):
        return f"{_operand(express, node)}.t()"
    return f"{_operand(express, node)}.permute({', '.join(map(str, op.perm))})"


def _reshape(express: Expressions, node: Node) -> str:
    assert isinstance(node.op, Reshape)
    shape = express.context.shape(node)
    return f"{_operand(express, node)}.reshape({', '.join(map(str, shape)) or '()'})"


def _window(axis: int, start: int, length: int, step: int) -> str:
    """The index that picks entries along an axis."""
    stop = start + (length - 1) * step + 1 if length else start
    window = f"{start}:{stop}" + (f":{step}" if step != 1 else "")
    return ", ".join([":"] * axis + [window])


def _slice(express: Expressions, node: Node) -> str:
    op, size = node.op, express.context.size
    assert isinstance(op, Slice)
    window = _window(op.axis, size(op.start), size(op.length), op.step)
    return f"{_operand(express, node)}[{window}]"


def _pad(express: Expressions, node: Node) -> str:
    op, size = node.op, express.context.size
    assert isinstance(op, Pad)
    widths = (0, 0) * (node.type.rank - op.axis - 1) + (size(op.before), size(op.after))
    return f"torch.nn.functional.pad({_argument(express, node)}, {widths})"


def _scatter_slice(express: Expressions, node: Node) -> str:
    op, size = node.op, express.context.size
    assert isinstance(op, ScatterSlice)
    length = express.context.shape(node.inputs[0])[op.axis]
    start = size(op.start)
    stop = start + (length - 1) * op.step + 1
    shape = express.context.shape(node)
    return (
        f"scatter_slice({_argument(express, node)}, {shape}, "
        f"{op.axis}, {start}, {max(start, stop)}, {op.step})"
    )


def _flip(express: Expressions, node: Node) -> str:
    assert isinstance(node.op, Flip)
    return f"torch.flip({_argument(express, node)}, ({node.op.axis},))"


def _concat(express: Expressions, node: Node) -> str:
    assert isinstance(node.op, Concat)
    parts = ", ".join(_argument(express, node, k) for k in range(len(node.inputs)))
    return f"torch.cat(({parts},), {node.op.axis})"


def _gather(express: Expressions, node: Node) -> str:
    op = node.op
    assert isinstance(op, Gather)
    table = _operand(express, node)
    if op.batch:
        return f"gather({unbracketed(table)}, {_argument(express, node, 1)}, {op.batch})"
    index = express.value(node.inputs[1])
    return f"{table}[{unbracketed(index.text if index.number else _operand(express, node, 1))}]"


def _scatter_add(express: Expressions, node: Node) -> str:
    op = node.op
    assert isinstance(op, ScatterAdd)
    index, values = _argument(express, node), _argument(express, node, 1)
    return f"scatter_add({index}, {values}, {op.batch}, {express.context.size(op.size)})"


def _one_hot(express: Expressions, node: Node) -> str:
    assert isinstance(node.op, OneHot)
    bound = express.context.size(node.op.bound)
    return f"torch.nn.functional.one_hot({_argument(express, node)}, {bound}).to(REAL)"


def _iota(express: Expressions, node: Node) -> str:
    assert isinstance(node.op, Iota)
    return express.context.constant(f"torch.arange({express.context.size(node.op.size)})", "iota")


def _draw(express: Expressions, node: Node) -> str:
    op, context = node.op, express.context
    assert isinstance(op, Draw)
    parts = [f'"{op.path}"', f'"{op.dist}"', repr(context.shape(node))]
    if op.example_axis is not None:
        parts.append(f"example_axis={op.example_axis}")
    if node.inputs:
        indices = [express.number(source) for source in node.inputs]
        parts.append(f"loop=({', '.join(indices)}{',' * (len(indices) == 1)})")
    if op.bound is not None:
        parts.append(f"bound={context.size(op.bound)}")
    text, low = f"draw({', '.join(parts)})", context.size(op.low)
    return f"({text} + {low})" if low else text


def _conv2d(
    express: Expressions,
    node: Node,
    bias: str | None = None,
    then: str = "none",
    plus: str | None = None,
) -> str:
    op = node.op
    assert isinstance(op, Conv2d)
    x, w = _argument(express, node), _argument(express, node, 1)
    top, bottom, left, right = op.pads
    if top != bottom or left != right or min(top, left) < 0:
        x = f"torch.nn.functional.pad({x}, ({left}, {right}, {top}, {bottom}))"
        top = left = 0
    place = f"{x}, {w}, {bias}, {op.stride}, ({top}, {left})"
    text = f"conv2d_relu({place})" if then == "relu" else f"torch.conv2d({place})"
    return text if plus is None else f"{text}.add_({plus})"


def _conv_transpose2d(
    express: Expressions,
    node: Node,
    bias: str | None = None,
    then: str = "none",
    plus: str | None = None,
) -> str:
    op = node.op
    assert isinstance(op, ConvTranspose2d)
    g, w = _argument(express, node), _argument(express, node, 1)
    height, width = express.context.shape(node)[2:]
    text = f"conv_transpose2d({g}, {w}, {bias}, {op.stride}, {op.pads}, ({height}, {width}))"
    if then == "relu":
        return f"torch.relu_({text})"
    return text if plus is None else f"{text}.add_({plus})"


def _conv2d_weight_grad(express: Expressions, node: Node) -> str:
    op = node.op
    assert isinstance(op, Conv2dWeightGrad)
    x, g = _argument(express, node), _argument(express, node, 1)
    shape = express.context.shape(node)
    return f"conv2d_weight_grad({x}, {g}, {shape}, {op.stride}, {op.pads})"


def _norm_slope(express: Expressions, node: Node) -> str:
    return f"norm_slope({', '.join(_argument(express, node, k) for k in range(4))})"


def _elsewhere(express: Expressions, node: Node) -> str:
    """Leaves and loops are no expressions: the plan makes buffers or calls of them."""
    raise AssertionError(f"{node!r} stands inside an expression")


KERNELS: Mapping[str, Emitter] = {
    "leaf": lambda express, node: _LEAVES.get(node.op.name, _elsewhere)(express, node),
    "placeholder": _elsewhere,
    "loop": _elsewhere,
    "sum": _sum,
    "max": _reduction("torch.amax"),
    "min": _reduction("torch.amin"),
    "logsumexp": _reduction("torch.logsumexp"),
    "all": _reduction("torch.all"),
    "any": _reduction("torch.any"),
    "softmax": _along("torch.softmax"),
    "log_softmax": _along("torch.log_softmax"),
    "cumsum": _along("torch.cumsum"),
    "cumprod": _along("torch.cumprod"),
    "argmin": _along("argmin"),
    "argmax": _along("argmax"),
    "argsort": _along("torch.argsort", ", stable=True"),
    "contract": contraction,
    "transpose": _transpose,
    "reshape": _reshape,
    "slice": _slice,
    "pad": _pad,
    "scatter_slice": _scatter_slice,
    "flip": _flip,
    "concat": _concat,
    "gather": _gather,
    "scatter_add": _scatter_add,
    "one_hot": _one_hot,
    "norm_slope": _norm_slope,
    "conv2d": _conv2d,
    "conv_transpose2d": _conv_transpose2d,
    "conv2d_weight_grad": _conv2d_weight_grad,
}

_LEAVES: Mapping[str, Emitter] = {"iota": _iota, "draw": _draw}

# Pointwise ops that are not a template; see `Expressions`.
POINTWISE_KERNELS = ("broadcast", "to_real", "power", "index_affine")
