"""Rewrites before tasks are made: fewer kinds of ops, and sums in two steps.

In: output nodes by name. Out: equal ones over a fresh builder. Softmax and its relatives become
exponentials and sums, so that their parts fuse; scatter-add is a product with one-hot rows, which
tensor cores do; sorting is counting; a sum over several axes with many entries is taken over the
last ones first, so that many programs share the work; so is a product of few tiles with many
summands, such as the gradient of a weight: of each example alone, and then their sum, in an order
that is always the same.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import prod

from backends.triton_cuda import products
from gendsl.ir.graph import Builder, Node, postorder
from gendsl.ir.op import Op
from gendsl.ops.arithmetic import Div, StopGrad, StraightThrough, Sub
from gendsl.ops.broadcast import Broadcast, Sum, restore
from gendsl.ops.compare import And, Equal, Less, LessEqual, Or, ToReal, Where
from gendsl.ops.contract import Contract
from gendsl.ops.conv import Conv2dWeightGrad, Conv2dWeightGradEach
from gendsl.ops.leaf import Const, Iota
from gendsl.ops.loop import Loop, with_results
from gendsl.ops.pointwise import Abs, Add, Exp, Log
from gendsl.ops.reduce import (
    ArgMin,
    ArgSort,
    CumSum,
    LogSoftmax,
    LogSumExp,
    Max,
    Softmax,
)
from gendsl.ops.select import OneHot, ScatterAdd
from gendsl.shape.dim import Dim

# A sum of more entries than this into few results is taken in two steps.
_LONG = 2048
_FEW = 8192
# A product of fewer tiles than half of the multiprocessors of a large GPU, which sums up more than
# this, is taken for each place of one axis alone; so many of these are worth it, and so many
# entries of memory.
_TILES, _DEEP, _PARTS, _PARTIAL = 66, 2048, range(8, 513), 1 << 22
_SIDE, _LEAST = 64, 16  # of a tile; what a part has to sum up

Sizes = Mapping[str, int]


def lowered(
    outputs: Mapping[str, Node], names: Mapping[Node, str], sizes: Sizes
) -> tuple[Builder, dict[str, Node], dict[Node, str]]:
    """A fresh builder with the outputs, and the names of its nodes."""
    build = Builder()
    table = _rebuilt(build, list(outputs.values()), sizes)
    named = {table[n]: name for n, name in names.items() if n in table}
    return build, {name: table[node] for name, node in outputs.items()}, named


def _rebuilt(build: Builder, roots: Sequence[Node], sizes: Sizes) -> dict[Node, Node]:
    table: dict[Node, Node] = {}
    for node in postorder(roots):
        operands = [table[source] for source in node.inputs]
        table[node] = _lower(build, node, operands, sizes)
    return table


def lower_body(op: Loop, sizes: Sizes) -> Loop:
    """The loop with a lowered body."""
    opened = op.body.open()
    leaves = (opened.index, *opened.carries, *opened.captures)
    table: dict[Node, Node] = {leaf: leaf for leaf in leaves}
    for node in postorder(opened.results):
        if node not in table:
            operands = [table[source] for source in node.inputs]
            table[node] = _lower(opened.builder, node, operands, sizes)
    return Loop(with_results(op.body, [table[r] for r in opened.results]), op.result)


def _lower(build: Builder, node: Node, operands: list[Node], sizes: Sizes) -> Node:
    """The node over lowered operands."""
    match node.op:
        case StopGrad():
            return operands[0]
        case StraightThrough():
            return operands[1]
        case Sum(axes=()) | Max(axes=()):
            return operands[0]
        case Sum() as op:
            return _sum(build, op, operands[0], sizes)
        case Loop() as op:
            return build.apply(lower_body(op, sizes), *operands)
        case _:
            pass
    expand = _EXPANSIONS.get(type(node.op))
    made = expand(build, node, operands) if expand else build.apply(node.op, *operands)
    return _shared(build, made, sizes)


def _sum(build: Builder, op: Sum, x: Node, sizes: Sizes) -> Node:
    """In two steps where one would keep few programs busy for long."""
    extents = [x.type.shape[axis].size(sizes) for axis in op.axes]
    kept = prod(d.size(sizes) for i, d in enumerate(x.type.shape) if i not in op.axes)
    if prod(extents) <= _LONG or kept > _FEW or len(op.axes) < 2:
        return build.apply(op, x)
    # the last axes, until at least half of the work (by its logarithm) is in the first step
    count, inner = 0, 1
    while count < len(extents) - 1 and inner * inner < prod(extents):
        count += 1
        inner *= extents[-count]
    first, second = op.axes[-count:], op.axes[:-count]
    gone = [sum(1 for f in first if f < axis) for axis in second]
    partial = build.apply(Sum(first), x)
    return build.apply(Sum(tuple(a - g for a, g in zip(second, gone, strict=True))), partial)


def _shared(build: Builder, node: Node, sizes: Sizes) -> Node:
    """A product in two steps where one would keep few programs busy for long."""
    match node.op:
        case Conv2dWeightGrad() as op:
            each: Op = Conv2dWeightGradEach(op.stride, op.pads, op.kernel_height, op.kernel_width)
            parts = node.inputs[0].type.shape[0]
        case Contract() as op if op.summed:
            label = op.summed[0]
            each = Contract(op.left, op.right, (label, *op.out))
            parts = node.inputs[0].type.shape[op.left.index(label)]
        case _:
            return node
    own, rows, columns = (
        prod(node.type.shape[a].size(sizes) for a in axes) for axes in products.roles(node)
    )
    count, depth = parts.size(sizes), products.summed(node).size(sizes)
    tiles = -(-rows // _SIDE) * -(-columns // _SIDE)
    worth = own == 1 and rows > 1 and columns > 1 and tiles < _TILES and depth > _DEEP
    fits = count in _PARTS and depth >= _LEAST * count
    if not worth or not fits or count * rows * columns > _PARTIAL:
        return node
    return build.apply(Sum((0,)), build.apply(each, *node.inputs))


# ---- expansions --------------------------------------------------------------------------


def _softmax(build: Builder, node: Node, operands: list[Node]) -> Node:
    op, x = node.op, operands[0]
    assert isinstance(op, Softmax)
    top = restore(build, build.apply(Max((op.axis,)), x), (op.axis,), x)
    e = build.apply(Exp(), build.apply(Sub(), x, top))
    total = restore(build, build.apply(Sum((op.axis,)), e), (op.axis,), x)
    return build.apply(Div(), e, total)


def _log_softmax(build: Builder, node: Node, operands: list[Node]) -> Node:
    op, x = node.op, operands[0]
    assert isinstance(op, LogSoftmax)
    top = restore(build, build.apply(Max((op.axis,)), x), (op.axis,), x)
    below = build.apply(Sub(), x, top)
    total = build.apply(Log(), build.apply(Sum((op.axis,)), build.apply(Exp(), below)))
    return build.apply(Sub(), below, restore(build, total, (op.axis,), x))


def _logsumexp(build: Builder, node: Node, operands: list[Node]) -> Node:
    op, x = node.op, operands[0]
    assert isinstance(op, LogSumExp)
    if not op.axes:
        return x
    top = build.apply(Max(op.axes), x)
    below = build.apply(Sub(), x, restore(build, top, op.axes, x))
    total = build.apply(Sum(op.axes), build.apply(Exp(), below))
    return build.apply(Add(), build.apply(Log(), total), top)


def _scatter_add(build: Builder, node: Node, operands: list[Node]) -> Node:
    op, (index, values) = node.op, operands
    assert isinstance(op, ScatterAdd)
    hot = build.apply(OneHot(op.size), index)
    rank = index.type.rank
    left = (*range(rank), -1)
    right = tuple(range(values.type.rank))
    out = (*range(op.batch), -1, *range(rank, values.type.rank))
    return build.apply(Contract(left, right, out), hot, values)


def _table(
    build: Builder, x: Node, axis: int
) -> tuple[tuple[Dim, ...], Callable[[Node, int], Node]]:
    """The shape of x with `axis` twice, and how a tensor that lacks one of the two gets it."""
    size = x.type.shape[axis]
    shape = (*x.type.shape[:axis], size, *x.type.shape[axis:])

    def spread(node: Node, new: int) -> Node:
        kept = tuple(p for p in range(len(shape)) if p != new)
        return build.apply(Broadcast(shape, kept), node)

    return shape, spread


def _cumsum(build: Builder, node: Node, operands: list[Node]) -> Node:
    op, x = node.op, operands[0]
    assert isinstance(op, CumSum)
    shape, spread = _table(build, x, op.axis)
    places = build.apply(Iota(x.type.shape[op.axis]))
    i = build.apply(Broadcast(shape, (op.axis,)), places)
    j = build.apply(Broadcast(shape, (op.axis + 1,)), places)
    zero = build.apply(Broadcast(shape, ()), build.apply(Const(_ZERO)))
    kept = build.apply(Where(), build.apply(LessEqual(), j, i), spread(x, op.axis), zero)
    return build.apply(Sum((op.axis + 1,)), kept)


def _argsort(build: Builder, node: Node, operands: list[Node]) -> Node:
    """Entry k is the i whose rank is k; ranks count what comes before."""
    op, x = node.op, operands[0]
    assert isinstance(op, ArgSort)
    shape, spread = _table(build, x, op.axis)
    places = build.apply(Iota(x.type.shape[op.axis]))
    i = build.apply(Broadcast(shape, (op.axis,)), places)
    j = build.apply(Broadcast(shape, (op.axis + 1,)), places)
    mine, other = spread(x, op.axis + 1), spread(x, op.axis)
    tie = build.apply(And(), build.apply(Equal(), other, mine), build.apply(Less(), j, i))
    before = build.apply(Or(), build.apply(Less(), other, mine), tie)
    rank = build.apply(Sum((op.axis + 1,)), build.apply(ToReal(), before))
    wanted = build.apply(ToReal(), i)  # now axis counts places, the next one entries
    off = build.apply(Abs(), build.apply(Sub(), spread(rank, op.axis), wanted))
    return build.apply(ArgMin(op.axis + 1), off)


_ZERO = Dim.of(0).evaluate({})

_EXPANSIONS: Mapping[type, Callable[[Builder, Node, list[Node]], Node]] = {
    Softmax: _softmax,
    LogSoftmax: _log_softmax,
    LogSumExp: _logsumexp,
    ScatterAdd: _scatter_add,
    CumSum: _cumsum,
    ArgSort: _argsort,
}
