"""Building graph nodes in the large: functions on a `Builder` over the ops of `gendsl.ops`.

Graph ops never broadcast; the arithmetic here does, in the two cases that need no decision: a
scalar (or a Python number) with a tensor. Everything else must have equal shapes.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from gendsl.ir.graph import Builder, Node
from gendsl.ir.op import NodeType, Op
from gendsl.ops import arithmetic, broadcast, compare, contract, leaf, movement, reduce, unary
from gendsl.shape.dim import Dim
from gendsl.shape.tensor_type import Bool, Fin, Real

Value = Node | int | Fraction | Dim


# ---- leaves -------------------------------------------------------------------------------


def const(build: Builder, value: int | Fraction | Dim) -> Node:
    """A scalar: a number, or a size as a number (folded when the size is constant)."""
    if isinstance(value, Dim):
        if value.names:
            return build.apply(leaf.SizeValue(value))
        value = value.evaluate({})
    return build.apply(leaf.Const(Fraction(value)))


def truth(build: Builder, value: bool) -> Node:
    return build.apply(leaf.Truth(value))


def node_of(build: Builder, value: Value) -> Node:
    return value if isinstance(value, Node) else const(build, value)


# ---- broadcasting -------------------------------------------------------------------------


def broadcast_to(
    build: Builder, x: Node, shape: Sequence[Dim], positions: Sequence[int] = ()
) -> Node:
    """`x` repeated to `shape`, its axis i at positions[i]; `x` itself if it has that shape."""
    if x.type.shape == tuple(shape):
        return x
    return build.apply(broadcast.Broadcast(tuple(shape), tuple(positions)), x)


def broadcast_like(build: Builder, x: Value, like: Node) -> Node:
    """A scalar in the shape of `like`; `x` itself if it has that shape."""
    return broadcast_to(build, node_of(build, x), like.type.shape)


def aligned(build: Builder, *values: Value) -> list[Node]:
    """The values as nodes, scalars among them repeated to the shape of the others."""
    nodes = [node_of(build, v) for v in values]
    largest = max(nodes, key=lambda n: n.type.rank)
    return [broadcast_like(build, n, largest) for n in nodes]


def zeros(build: Builder, type_: NodeType) -> Node:
    """The zero of a type: 0, index 0, or false."""
    return broadcast_to(build, zero(build, type_), type_.shape)


def zero(build: Builder, type_: NodeType) -> Node:
    match type_.elem:
        case Real():
            return const(build, 0)
        case Fin(bound):
            return build.apply(leaf.Index(Dim.of(0), bound))
        case Bool():
            return truth(build, False)


# ---- pointwise ----------------------------------------------------------------------------


def pointwise(build: Builder, op: Op, *values: Value) -> Node:
    """Any pointwise op, scalars broadcast."""
    return build.apply(op, *aligned(build, *values))


def add(build: Builder, *values: Value) -> Node:
    """The sum of one or more values, from left to right."""
    total = node_of(build, values[0])
    for value in values[1:]:
        total = pointwise(build, arithmetic.Add(), total, value)
    return total


def mul(build: Builder, *values: Value) -> Node:
    """The product of one or more values, from left to right."""
    product = node_of(build, values[0])
    for value in values[1:]:
        product = pointwise(build, arithmetic.Mul(), product, value)
    return product


def sub(build: Builder, a: Value, b: Value) -> Node:
    return pointwise(build, arithmetic.Sub(), a, b)


def div(build: Builder, a: Value, b: Value) -> Node:
    return pointwise(build, arithmetic.Div(), a, b)


def neg(build: Builder, x: Node) -> Node:
    return build.apply(arithmetic.Neg(), x)


def square(build: Builder, x: Node) -> Node:
    return build.apply(arithmetic.Square(), x)


def sqrt(build: Builder, x: Node) -> Node:
    return build.apply(unary.Sqrt(), x)


def exp(build: Builder, x: Node) -> Node:
    return build.apply(unary.Exp(), x)


def log(build: Builder, x: Node) -> Node:
    return build.apply(unary.Log(), x)


def maximum(build: Builder, a: Value, b: Value) -> Node:
    return pointwise(build, arithmetic.Maximum(), a, b)


def minimum(build: Builder, a: Value, b: Value) -> Node:
    return pointwise(build, arithmetic.Minimum(), a, b)


def where(build: Builder, condition: Node, a: Value, b: Value) -> Node:
    return build.apply(compare.Where(), *aligned(build, condition, a, b))


def to_real(build: Builder, x: Node) -> Node:
    """An index or truth value as a real; a real unchanged."""
    return x if isinstance(x.type.elem, Real) else build.apply(compare.ToReal(), x)


# ---- axes ---------------------------------------------------------------------------------


def sum_of(build: Builder, x: Node, axes: Sequence[int] | None = None) -> Node:
    """The sum over `axes` (all by default); `x` itself for no axes."""
    chosen = tuple(range(x.type.rank)) if axes is None else tuple(sorted(axes))
    return build.apply(reduce.Sum(chosen), x) if chosen else x


def mean_of(build: Builder, x: Node, axes: Sequence[int] | None = None) -> Node:
    """The mean over `axes` (all by default): the sum times one over the size."""
    chosen = range(x.type.rank) if axes is None else axes
    size = Dim.product(x.type.shape[a] for a in chosen)
    inverse = Dim.of(1).divide(size)
    total = sum_of(build, x, axes)
    return div(build, total, size) if inverse is None else mul(build, total, inverse)


def dot(build: Builder, a: Node, b: Node) -> Node:
    """The sum of the products of all entries of two tensors of one shape."""
    labels = tuple(range(a.type.rank))
    return build.apply(contract.Contract(labels, labels, ()), a, b)


def reshape(build: Builder, x: Node, shape: Sequence[Dim]) -> Node:
    return x if x.type.shape == tuple(shape) else build.apply(movement.Reshape(tuple(shape)), x)


def transpose(build: Builder, x: Node, perm: Sequence[int]) -> Node:
    if tuple(perm) == tuple(range(x.type.rank)):
        return x
    return build.apply(movement.Transpose(tuple(perm)), x)
