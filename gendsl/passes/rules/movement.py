"""Rules of shapes: moves compose, and work is done before a broadcast rather than after it."""

from __future__ import annotations

from gendsl.ir.build import broadcast_to, mul, reshape, sum_of, transpose
from gendsl.ir.graph import Builder, Node
from gendsl.ops.arithmetic import Add, Mul, Sub
from gendsl.ops.arity import Binary, Compare, Logic, Unary
from gendsl.ops.broadcast import Broadcast, Sum
from gendsl.ops.compare import ToReal, Where, Widen
from gendsl.ops.contract import Contract
from gendsl.ops.movement import Concat, Flip, Pad, Reshape, Slice, Transpose
from gendsl.passes.rules.table import rule, spread_scalar
from gendsl.shape.dim import ZERO, Dim


@rule(Broadcast)
def broadcast_broadcast(build: Builder, node: Node) -> Node | None:
    """A broadcast of a broadcast is one; one without new axes is none."""
    (x,) = node.inputs
    assert isinstance(node.op, Broadcast)
    if not node.op.new_axes:
        return x
    if not isinstance(x.op, Broadcast):
        return None
    positions = tuple(node.op.positions[p] for p in x.op.positions)
    return build.apply(Broadcast(node.op.shape, positions), x.inputs[0])


@rule(Transpose)
def transpose_of(build: Builder, node: Node) -> Node | None:
    """Transposes compose; one of a contraction relabels its result; one of a scalar repeated in all
    axes is that scalar repeated."""
    (x,) = node.inputs
    assert isinstance(node.op, Transpose)
    perm = node.op.perm
    if perm == tuple(range(len(perm))):
        return x
    match x.op:
        case Transpose(inner):
            return transpose(build, x.inputs[0], tuple(inner[p] for p in perm))
        case Contract(left, right, out):
            op = Contract(left, right, tuple(out[p] for p in perm))
            return build.apply(op, *x.inputs)
        case Broadcast(_, positions):
            moved = tuple(perm.index(p) for p in positions)
            if list(moved) == sorted(moved):
                return build.apply(Broadcast(node.type.shape, moved), x.inputs[0])
            return None
        case _:
            return None


@rule(Contract)
def contract_transpose(build: Builder, node: Node) -> Node | None:
    """A contraction of a transpose is a contraction with other labels."""
    assert isinstance(node.op, Contract)
    for i, labels in enumerate((node.op.left, node.op.right)):
        x = node.inputs[i]
        if not isinstance(x.op, Transpose):
            continue
        moved = tuple(labels[x.op.perm.index(a)] for a in range(len(labels)))
        operands = list(node.inputs)
        operands[i] = x.inputs[0]
        left, right = (moved, node.op.right) if i == 0 else (node.op.left, moved)
        return build.apply(Contract(left, right, node.op.out), *operands)
    return None


@rule(Reshape)
def reshape_of(build: Builder, node: Node) -> Node | None:
    """Reshapes compose; one of a scalar repeated in all axes is that scalar repeated."""
    (x,) = node.inputs
    if node.type.shape == x.type.shape:
        return x
    if isinstance(x.op, Reshape):
        return reshape(build, x.inputs[0], node.type.shape)
    scalar = spread_scalar(x)
    if scalar is not None and scalar is not x:
        return broadcast_to(build, scalar, node.type.shape)
    return None


@rule(Sum)
def sum_of_sum(build: Builder, node: Node) -> Node | None:
    """Sums compose; one over no axes is none."""
    (x,) = node.inputs
    assert isinstance(node.op, Sum)
    if not node.op.axes:
        return x
    if not isinstance(x.op, Sum):
        return None
    inner = x.op.axes
    rest = [a for a in range(x.inputs[0].type.rank) if a not in inner]
    return sum_of(build, x.inputs[0], (*inner, *(rest[a] for a in node.op.axes)))


@rule(Sum)
def sum_of_broadcast(build: Builder, node: Node) -> Node | None:
    """The sum along an axis of equal entries is the size times the entry."""
    (x,) = node.inputs
    assert isinstance(node.op, Sum)
    if not isinstance(x.op, Broadcast):
        return None
    axes, positions = node.op.axes, x.op.positions
    repeated = [a for a in axes if a not in positions]
    if not repeated:
        return None
    own = [positions.index(a) for a in axes if a in positions]
    size = Dim.product(x.type.shape[a] for a in repeated)
    total = mul(build, size, sum_of(build, x.inputs[0], own))
    kept = [a for a in range(x.type.rank) if a not in axes]
    left = [kept.index(p) for p in positions if p not in axes]
    return broadcast_to(build, total, node.type.shape, left)


@rule(Sum)
def sum_of_scaled(build: Builder, node: Node) -> Node | None:
    """The sum of s x is s times the sum of x."""
    (x,) = node.inputs
    assert isinstance(node.op, Sum)
    if not isinstance(x.op, Mul):
        return None
    for factor, rest in (x.inputs, x.inputs[::-1]):
        scalar = spread_scalar(factor)
        if scalar is not None:
            return mul(build, scalar, sum_of(build, rest, node.op.axes))
    return None


@rule(Sum)
def sum_of_shifted(build: Builder, node: Node) -> Node | None:
    """The sum of x + s is the sum of x plus the size times s, for a scalar s."""
    (x,) = node.inputs
    assert isinstance(node.op, Sum)
    if not isinstance(x.op, (Add, Sub)):
        return None
    if all(spread_scalar(part) is None for part in x.inputs):
        return None
    return build.apply(x.op, *(sum_of(build, part, node.op.axes) for part in x.inputs))


@rule(Unary, Binary, Compare, Logic, Where, ToReal, Widen)
def compute_before_broadcast(build: Builder, node: Node) -> Node | None:
    """A pointwise op of operands that are all broadcast alike (or scalars broadcast) is the
    broadcast of the op."""
    if not node.type.shape:
        return None
    spreads = [x.op for x in node.inputs if isinstance(x.op, Broadcast)]
    if len(spreads) != len(node.inputs):
        return None
    positions = max((s.positions for s in spreads), key=len)
    if any(s.positions not in ((), positions) for s in spreads):
        return None
    largest = next(x for x in node.inputs if _positions(x) == positions)
    shape = largest.inputs[0].type.shape
    small = [
        x.inputs[0] if _positions(x) == positions else broadcast_to(build, x.inputs[0], shape)
        for x in node.inputs
    ]
    return build.apply(Broadcast(node.type.shape, positions), build.apply(node.op, *small))


def _positions(x: Node) -> tuple[int, ...]:
    assert isinstance(x.op, Broadcast)
    return x.op.positions


@rule(Contract)
def contract_scaled(build: Builder, node: Node) -> Node | None:
    """A contraction of s x with y is s times that of x with y."""
    for i, x in enumerate(node.inputs):
        if not isinstance(x.op, Mul):
            continue
        for factor, rest in (x.inputs, x.inputs[::-1]):
            scalar = spread_scalar(factor)
            if scalar is not None and _smaller(node, x):
                operands = [rest if j == i else y for j, y in enumerate(node.inputs)]
                return mul(build, scalar, build.apply(node.op, *operands))
    return None


def _smaller(node: Node, x: Node) -> bool:
    """Whether scaling the result is surely no more work than scaling the operand."""
    return not node.type.shape or node.type.shape == x.type.shape


@rule(Flip)
def flip_flip(build: Builder, node: Node) -> Node | None:
    """Two reversals of an axis are none."""
    (x,) = node.inputs
    return x.inputs[0] if x.op == node.op else None


@rule(Slice)
def slice_of(build: Builder, node: Node) -> Node | None:
    """A slice of everything is none; one of exactly one part of a concatenation, or of exactly what
    was padded, is that."""
    (x,) = node.inputs
    assert isinstance(node.op, Slice)
    op = node.op
    if op.step != 1:
        return None
    if op.start == ZERO and op.length == x.type.shape[op.axis]:
        return x
    match x.op:
        case Concat(axis) if axis == op.axis:
            start = ZERO
            for part in x.inputs:
                if start == op.start and part.type.shape[axis] == op.length:
                    return part
                start = start + part.type.shape[axis]
            return None
        case Pad(axis, before) if axis == op.axis and before == op.start:
            (inner,) = x.inputs
            return inner if inner.type.shape[axis] == op.length else None
        case _:
            return None
