"""Products inside a task: einsum, convolution and its adjoints as one template over `tl.dot`.

In: a contraction and the index of its result. Out: its value there. An operand is any expression,
gathered at an index that a summed variable is part of (implicit GEMM for convolutions). Where one
operand varies along the rows and the other along the columns, tensor cores multiply; where the
result varies along one axis, its summands are added along the other. A sum of one product is that
product: tensor cores would multiply 15 zeros with it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING

from backends.triton_cuda.emission import Guard, Val, axes_of, indices
from backends.triton_cuda.index import (
    Index,
    Num,
    Var,
    affine,
    level_of,
    unravel,
)
from backends.triton_cuda.reductions import Kind, fold
from gendsl.ir.graph import Node
from gendsl.ir.layout import flops
from gendsl.ops.contract import Contract
from gendsl.ops.conv import (
    Conv2d,
    Conv2dWeightGrad,
    Conv2dWeightGradEach,
    Convolution,
    ConvTranspose2d,
)
from gendsl.shape.dim import ONE, ZERO, Dim

if TYPE_CHECKING:
    from backends.triton_cuda.values import At, Values

_SUM = Kind("0.0", "tl.sum({0}, axis={1})", "{0} + {1}")
_DEPTH = 32
Read = tuple["At", tuple[Guard, ...]]


@dataclass(frozen=True)
class Operand:
    """An operand: a node, and where it is read for a value of the summed variable; `free` are the
    indices of the result that it depends on."""

    node: Node
    read: Callable[[Index], Read]
    free: tuple[Index, ...]


@dataclass(frozen=True)
class Form:
    """A contraction at one index: what is summed, over how much."""

    left: Operand
    right: Operand
    size: Dim


def handles(node: Node) -> bool:
    return isinstance(node.op, (Contract, Convolution))


def roles(node: Node) -> tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]:
    """The axes of the result that both operands have, only the left one, only the right one."""
    match node.op:
        case Contract(left=left, right=right, out=out):
            both = tuple(i for i, x in enumerate(out) if x in left and x in right)
            rows = tuple(i for i, x in enumerate(out) if x in left and x not in right)
            columns = tuple(i for i, x in enumerate(out) if x in right and x not in left)
            return both, rows, columns
        case Conv2dWeightGrad():
            return (), (0,), (1, 2, 3)
        case Conv2dWeightGradEach():
            return (0,), (1,), (2, 3, 4)
        case _:
            return (), (0, 2, 3), (1,)


def single(node: Node, own: int) -> bool:
    """Whether a result has but one row or one column, its first `own` axes aside."""
    _, rows, columns = roles(node)
    shape = node.type.shape
    return any(Dim.product(shape[a] for a in axes if a >= own) == ONE for axes in (rows, columns))


def summed(node: Node) -> Dim:
    """How many products one entry sums up."""
    shapes = [source.type.shape for source in node.inputs]
    match node.op:
        case Contract() as op:
            return Dim.product(shapes[0][op.left.index(label)] for label in op.summed)
        case Conv2d():
            return Dim.product(shapes[1][1:])
        case ConvTranspose2d():
            return Dim.product((shapes[1][0], *shapes[1][2:]))
        case Conv2dWeightGradEach():
            return Dim.product(shapes[1][2:])
        case _:
            return Dim.product((shapes[1][0], *shapes[1][2:]))


def work(node: Node, sizes: Mapping[str, int]) -> int:
    """Floating-point operations of a node."""
    if isinstance(node.op, Conv2dWeightGradEach):
        return 2 * prod(d.size(sizes) for d in node.type.shape) * summed(node).size(sizes)
    return flops(node, sizes)


def product(values: Values, node: Node, at: At) -> Val:
    """The value of a contraction at an index."""
    form = _FORMS[type(node.op)](values, node, at)
    if form.size == ONE:  # one product: there is nothing to add up, and it is exact
        left, right = (_operand(values, o, Num(ZERO)) for o in (form.left, form.right))
        level = max(left.level, right.level)
        text = f"{left.text} * {right.text}"
        return values.emit.let(text, left.over | right.over, level, values.storage.name(node))
    left_axes = axes_of(indices(form.left.free))
    right_axes = axes_of(indices(form.right.free))
    if axes_of(indices(at)) == {0, 1}:
        if left_axes <= {0} and right_axes <= {1}:
            return _dot(values, node, at, form)
        if left_axes <= {1} and right_axes <= {0}:
            return _dot(values, node, at, Form(form.right, form.left, form.size))

    def term(k: Index) -> Val:
        left, right = (_operand(values, o, k) for o in (form.left, form.right))
        level = max(left.level, right.level)
        return values.emit.let(f"{left.text} * {right.text}", left.over | right.over, level, "term")

    return fold(values, node, at, form.size, term, _SUM)


def _operand(values: Values, operand: Operand, k: Index) -> Val:
    """An operand at a summed index, 0 where its guards fail."""
    at, guards = operand.read(k)
    with values.under(*guards):
        inner = values.value(operand.node, at)
    for guard in guards:
        if guard.text and not (inner.clean and guard.over <= inner.over):
            text = f"tl.where({guard.text}, {inner.text}, 0.0)"
            level = max(guard.level, inner.level)
            inner = values.emit.let(text, inner.over | guard.over, level, "inner")
    return inner


def _dot(values: Values, node: Node, at: At, form: Form) -> Val:
    """Left along the rows, right along the columns, in steps of a block of the summed variable."""
    emit, over = values.emit, indices(at)
    level = max([*map(level_of, at), *(g.level for g in emit.guards)], default=0)
    rows, columns = ({v for v in over if v.axis == axis} for axis in (0, 1))
    total = emit.fresh(f"{values.storage.name(node)}_sum")
    emit.line(f"{total} = tl.zeros({emit.shape(over)}, tl.float32)", level)
    block = emit.constant("BLOCK_K", _depth(form.size.size(emit.sizes)))
    counter, deep = emit.fresh("k_step"), level + 1
    saved = emit.open(level)
    across = emit.ranged(emit.fresh("k"), form.size, 1, deep, counter, block)
    down = emit.ranged(emit.fresh("k"), form.size, 0, deep, counter, block)
    left = _full(values, _operand(values, form.left, across), frozenset({across, *rows}))
    right = _full(values, _operand(values, form.right, down), frozenset({down, *columns}))
    dot = "_dot_float32" if values.storage.exact(node) else "_dot"
    emit.line(f"{total} = {dot}({left.text}, {right.text}, {total}, PRECISION)", deep)
    emit.close(saved, level, emit.steps(counter, form.size, block))
    return Val(total, over, level)


def _depth(size: int) -> int:
    return _DEPTH if size > _LEAST_DEPTH else _LEAST_DEPTH


_LEAST_DEPTH = 16


def _full(values: Values, value: Val, over: frozenset[Var]) -> Val:
    """A value as a full tile that is 0 out of bounds."""
    if value.clean and over <= value.over:
        return value
    mask = values.emit.mask(over)
    assert mask is not None
    level = max(mask.level, value.level)
    text = f"tl.where({mask.text}, {value.text}, 0.0)"
    return values.emit.let(text, value.over | over, level, "tile")


# ---- forms -------------------------------------------------------------------------------


def _contract(values: Values, node: Node, at: At) -> Form:
    op = node.op
    assert isinstance(op, Contract)
    outer = dict(zip(op.out, at, strict=True))
    shape = node.inputs[0].type.shape
    dims = [shape[op.left.index(label)] for label in op.summed]

    def operand(place: int, labels: tuple[int, ...]) -> Operand:
        def read(k: Index) -> Read:
            found = outer | dict(zip(op.summed, unravel(k, dims), strict=True))
            return tuple(found[label] for label in labels), ()

        free = tuple(outer[label] for label in labels if label in outer)
        return Operand(node.inputs[place], read, free)

    return Form(operand(0, op.left), operand(1, op.right), Dim.product(dims))


def _window(values: Values, op: Convolution, place: Index, step: Index, axis: int) -> Index:
    """Where a window at `place` looks in the image."""
    before = Dim.of(op.pads[2 * axis])
    return affine([(Dim.of(op.stride), place), (ONE, step)], -before)


def _guarded(values: Values, op: Convolution, place: Index, size: Dim, axis: int) -> Guard:
    before, after = op.pads[2 * axis : 2 * axis + 2]
    return values.within(place, size, before > 0, after > 0)


def _conv2d(values: Values, node: Node, at: At) -> Form:
    op, (x, w) = node.op, node.inputs
    assert isinstance(op, Conv2d)
    n, o, y, u = at
    dims = w.type.shape[1:]
    height, width = x.type.shape[2:]

    def image(k: Index) -> Read:
        c, i, j = unravel(k, dims)
        v, h = _window(values, op, y, i, 0), _window(values, op, u, j, 1)
        guards = (_guarded(values, op, v, height, 0), _guarded(values, op, h, width, 1))
        return (n, c, v, h), guards

    def weight(k: Index) -> Read:
        return (o, *unravel(k, dims)), ()

    return Form(Operand(x, image, (n, y, u)), Operand(w, weight, (o,)), Dim.product(dims))


def _conv_transpose2d(values: Values, node: Node, at: At) -> Form:
    op, (g, w) = node.op, node.inputs
    assert isinstance(op, ConvTranspose2d)
    n, c, y, u = at
    dims = (w.type.shape[0], *w.type.shape[2:])
    height, width = g.type.shape[2:]

    def image(k: Index) -> Read:
        o, i, j = unravel(k, dims)
        found, guards = [], []
        for axis, (place, step, size) in enumerate(((y, i, height), (u, j, width))):
            reached = affine([(ONE, place), (-ONE, step)], Dim.of(op.pads[2 * axis]))
            guard, there = values.multiple(reached, Dim.of(op.stride), size)
            found.append(there)
            guards.append(guard)
        return (n, o, *found), tuple(guards)

    def weight(k: Index) -> Read:
        o, i, j = unravel(k, dims)
        return (o, c, i, j), ()

    return Form(Operand(g, image, (n, y, u)), Operand(w, weight, (c,)), Dim.product(dims))


def _conv2d_weight_grad(values: Values, node: Node, at: At) -> Form:
    """Of all images, which are summed up, or (five axes) of one."""
    op, (x, g) = node.op, node.inputs
    assert isinstance(op, Conv2dWeightGrad | Conv2dWeightGradEach)
    *own, o, c, i, j = at
    dims = g.type.shape[2:] if own else (g.type.shape[0], *g.type.shape[2:])
    height, width = x.type.shape[2:]

    def slope(k: Index) -> Read:
        n, y, u = (*own, *unravel(k, dims))
        return (n, o, y, u), ()

    def image(k: Index) -> Read:
        n, y, u = (*own, *unravel(k, dims))
        v, h = _window(values, op, y, i, 0), _window(values, op, u, j, 1)
        guards = (_guarded(values, op, v, height, 0), _guarded(values, op, h, width, 1))
        return (n, c, v, h), guards

    left, right = Operand(g, slope, (*own, o)), Operand(x, image, (*own, c, i, j))
    return Form(left, right, Dim.product(dims))


_FORMS: dict[type, Callable[..., Form]] = {
    Contract: _contract,
    Conv2d: _conv2d,
    ConvTranspose2d: _conv_transpose2d,
    Conv2dWeightGrad: _conv2d_weight_grad,
    Conv2dWeightGradEach: _conv2d_weight_grad,
}
