"""Broadcast and sum: each is the adjoint of the other, and every other gradient uses them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any, ClassVar

from gendsl.ir.graph import Builder, Node
from gendsl.ir.op import Concrete, Facts, NodeType, Op, TypingError, register
from gendsl.lazy import np
from gendsl.ops.arity import BOOL, REAL, K, M, N, Sample, count, kernel, want, want_axes
from gendsl.ops.leaf import Const
from gendsl.shape.dim import Dim
from gendsl.shape.tensor_type import Bool, Fin, Real

if TYPE_CHECKING:
    from gendsl.ops.arity import Array


@register
@dataclass(frozen=True)
class Broadcast(Op):
    """Repeats the operand along new axes: operand axis i becomes result axis positions[i]."""

    name: ClassVar[str] = "broadcast"
    facts = Facts(linear=True)
    targets = kernel("broadcast")
    shape: tuple[Dim, ...]
    positions: tuple[int, ...]

    def infer(self, inputs: Sequence[NodeType]) -> NodeType:
        count(self, inputs, 1)
        want(self, inputs[0], Real, Fin, Bool)
        want_axes(self, NodeType(self.shape), self.positions)
        if tuple(self.shape[p] for p in self.positions) != inputs[0].shape:
            raise TypingError(
                f"broadcast of {inputs[0]} to {NodeType(self.shape)} at {self.positions}"
            )
        return NodeType(self.shape, inputs[0].elem)

    def reference(self, args: Sequence[Array], out: NodeType, env: Concrete) -> Any:
        shape = env.shape(out)
        middle = tuple(n if i in self.positions else 1 for i, n in enumerate(shape))
        return np.broadcast_to(args[0].reshape(middle), shape)

    @property
    def new_axes(self) -> tuple[int, ...]:
        """The result axes that the operand does not have."""
        return tuple(i for i in range(len(self.shape)) if i not in self.positions)

    def gradient(self, build: Builder, node: Node, cotangent: Node) -> Sequence[Node | None]:
        if not isinstance(node.type.elem, Real):
            return [None]
        return [build.apply(Sum(self.new_axes), cotangent)]

    @classmethod
    def samples(cls) -> Iterable[Sample]:
        yield cls((M, N), ()), (NodeType(()),)
        yield cls((M, N), (0,)), (NodeType((M,)),)
        yield cls((K, M, N), (0, 2)), (NodeType((K, N)),)
        yield cls((M, N), (1,)), (NodeType((N,), Fin(K)),)
        yield cls((M, N), (1,)), (NodeType((N,), BOOL),)


@register
@dataclass(frozen=True)
class Sum(Op):
    """The sum over `axes`, which the result no longer has."""

    name: ClassVar[str] = "sum"
    facts = Facts(linear=True, monotone=(1,))
    targets = kernel("sum")
    axes: tuple[int, ...]

    def infer(self, inputs: Sequence[NodeType]) -> NodeType:
        count(self, inputs, 1)
        want(self, inputs[0], Real)
        want_axes(self, inputs[0], self.axes)
        return NodeType(tuple(d for i, d in enumerate(inputs[0].shape) if i not in self.axes), REAL)

    def reference(self, args: Sequence[Array], out: NodeType, env: Concrete) -> Any:
        return args[0].sum(axis=self.axes)

    def gradient(self, build: Builder, node: Node, cotangent: Node) -> Sequence[Node | None]:
        return [restore(build, cotangent, self.axes, node.inputs[0])]

    @classmethod
    def samples(cls) -> Iterable[Sample]:
        yield cls((0,)), (NodeType((N,)),)
        yield cls((0, 2)), (NodeType((K, M, N)),)
        yield cls(()), (NodeType((M,)),)


def restore(build: Builder, reduced: Node, axes: Sequence[int], like: Node) -> Node:
    """`reduced`, which lacks `axes` of `like`, repeated along them."""
    positions = tuple(i for i in range(like.type.rank) if i not in axes)
    if len(positions) == like.type.rank:
        return reduced
    return build.apply(Broadcast(like.type.shape, positions), reduced)


def fill(build: Builder, value: Node, like: Node) -> Node:
    """The scalar `value` everywhere in the shape of `like`."""
    return restore(build, value, range(like.type.rank), like)


def full(build: Builder, value: int | Fraction, like: Node) -> Node:
    """The constant `value` in the shape of `like`."""
    return fill(build, build.apply(Const(Fraction(value))), like)
