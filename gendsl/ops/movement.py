"""Ops that move entries and compute nothing: linear, with the adjoint as gradient."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from gendsl.ir.graph import Builder, Node
from gendsl.ir.op import Concrete, Facts, NodeType, Op, TypingError, register
from gendsl.lazy import np
from gendsl.ops.arity import BOOL, K, M, N, Sample, count, kernel, want, want_axes
from gendsl.ops.broadcast import Broadcast
from gendsl.shape.dim import ZERO, Dim
from gendsl.shape.tensor_type import Bool, Fin, Real

if TYPE_CHECKING:
    from gendsl.ops.arity import Array


class Movement(Op):
    """One operand of any element type; the adjoint is applied to the cotangent."""

    facts = Facts(linear=True)

    def infer(self, inputs: Sequence[NodeType]) -> NodeType:
        count(self, inputs, 1)
        want(self, inputs[0], Real, Fin, Bool)
        return NodeType(self.moved(inputs[0]), inputs[0].elem)

    def moved(self, operand: NodeType) -> tuple[Dim, ...]:
        """The result's shape; raises `TypingError`."""
        raise NotImplementedError

    def adjoint(self, operand: NodeType) -> Op:
        """The op that takes a cotangent of the result to one of the operand."""
        raise NotImplementedError

    def gradient(self, build: Builder, node: Node, cotangent: Node) -> Sequence[Node | None]:
        if not isinstance(node.type.elem, Real):
            return [None]
        return [build.apply(self.adjoint(node.inputs[0].type), cotangent)]


def resized(operand: NodeType, axis: int, size: Dim) -> tuple[Dim, ...]:
    return (*operand.shape[:axis], size, *operand.shape[axis + 1 :])


@register
@dataclass(frozen=True)
class Transpose(Movement):
    """Result axis i is operand axis perm[i]."""

    name: ClassVar[str] = "transpose"
    targets = kernel("transpose")
    perm: tuple[int, ...]

    def moved(self, operand: NodeType) -> tuple[Dim, ...]:
        if sorted(self.perm) != list(range(operand.rank)):
            raise TypingError(f"transpose of {operand} by {self.perm}")
        return tuple(operand.shape[p] for p in self.perm)

    def reference(self, args: Sequence[Array], out: NodeType, env: Concrete) -> Any:
        return args[0].transpose(self.perm)

    def adjoint(self, operand: NodeType) -> Op:
        return Transpose(tuple(self.perm.index(i) for i in range(len(self.perm))))

    @classmethod
    def samples(cls) -> Iterable[Sample]:
        yield cls((1, 0)), (NodeType((M, N)),)
        yield cls((2, 0, 1)), (NodeType((K, M, N)),)
        yield cls((1, 0)), (NodeType((M, N), Fin(K)),)


@register
@dataclass(frozen=True)
class Reshape(Movement):
    """The same entries in row-major order in another shape with as many."""

    name: ClassVar[str] = "reshape"
    targets = kernel("reshape")
    shape: tuple[Dim, ...]

    def moved(self, operand: NodeType) -> tuple[Dim, ...]:
        if Dim.product(self.shape) != Dim.product(operand.shape):
            raise TypingError(f"reshape of {operand} to {NodeType(self.shape)}")
        return self.shape

    def reference(self, args: Sequence[Array], out: NodeType, env: Concrete) -> Any:
        return args[0].reshape(env.shape(out))

    def adjoint(self, operand: NodeType) -> Op:
        return Reshape(operand.shape)

    @classmethod
    def samples(cls) -> Iterable[Sample]:
        yield cls((M * N,)), (NodeType((M, N)),)
        yield cls((K, M, N)), (NodeType((K * M, N)),)
        yield cls((Dim.of(1), N)), (NodeType((N,), BOOL),)


@register
@dataclass(frozen=True)
class Slice(Movement):
    """Entries start, start + step, ... along `axis`: `length` of them."""

    name: ClassVar[str] = "slice"
    targets = kernel("slice")
    axis: int
    start: Dim
    length: Dim
    step: int = 1

    def moved(self, operand: NodeType) -> tuple[Dim, ...]:
        want_axes(self, operand, (self.axis,))
        if self.step < 1:
            raise TypingError(f"slice with step {self.step}")
        return resized(operand, self.axis, self.length)

    def reference(self, args: Sequence[Array], out: NodeType, env: Concrete) -> Any:
        return args[0][_window(self, self.length, env)]

    def adjoint(self, operand: NodeType) -> Op:
        size = operand.shape[self.axis]
        if self.step == 1:
            return Pad(self.axis, self.start, size - self.start - self.length)
        return ScatterSlice(self.axis, self.start, size, self.step)

    @classmethod
    def samples(cls) -> Iterable[Sample]:
        yield cls(0, ZERO, N), (NodeType((N + 2,)),)
        yield cls(1, M, N), (NodeType((K, M + N)),)
        yield cls(0, Dim.of(1), N, 2), (NodeType((2 * N, M)),)
        yield cls(0, ZERO, N), (NodeType((N + M,), Fin(K)),)


def _window(op: Slice | ScatterSlice, length: Dim, env: Concrete) -> tuple[slice, ...]:
    start, size = op.start.size(env.sizes), length.size(env.sizes)
    stop = start + (size - 1) * op.step + 1 if size else start
    return (slice(None),) * op.axis + (slice(start, stop, op.step),)


@register
@dataclass(frozen=True)
class Pad(Movement):
    """Zeros (index 0, false) before and after along `axis`."""

    name: ClassVar[str] = "pad"
    targets = kernel("pad")
    axis: int
    before: Dim
    after: Dim

    def moved(self, operand: NodeType) -> tuple[Dim, ...]:
        want_axes(self, operand, (self.axis,))
        return resized(operand, self.axis, self.before + operand.shape[self.axis] + self.after)

    def reference(self, args: Sequence[Array], out: NodeType, env: Concrete) -> Any:
        widths = [(0, 0)] * args[0].ndim
        widths[self.axis] = (self.before.size(env.sizes), self.after.size(env.sizes))
        return np.pad(args[0], widths)

    def adjoint(self, operand: NodeType) -> Op:
        return Slice(self.axis, self.before, operand.shape[self.axis])

    @classmethod
    def samples(cls) -> Iterable[Sample]:
        yield cls(0, Dim.of(1), Dim.of(2)), (NodeType((N,)),)
        yield cls(1, M, ZERO), (NodeType((K, N)),)


@register
@dataclass(frozen=True)
class ScatterSlice(Movement):
    """The adjoint of `slice`: `size` zeros along `axis`, the operand at start, start + step, ..."""

    name: ClassVar[str] = "scatter_slice"
    targets = kernel("scatter_slice")
    axis: int
    start: Dim
    size: Dim
    step: int

    def moved(self, operand: NodeType) -> tuple[Dim, ...]:
        want_axes(self, operand, (self.axis,))
        if self.step < 1:
            raise TypingError(f"scatter_slice with step {self.step}")
        return resized(operand, self.axis, self.size)

    def reference(self, args: Sequence[Array], out: NodeType, env: Concrete) -> Any:
        result = np.zeros(env.shape(out), dtype=args[0].dtype)
        result[_window(self, Dim.of(args[0].shape[self.axis]), env)] = args[0]
        return result

    def adjoint(self, operand: NodeType) -> Op:
        return Slice(self.axis, self.start, operand.shape[self.axis], self.step)

    @classmethod
    def samples(cls) -> Iterable[Sample]:
        yield cls(0, Dim.of(1), 3 * N, 3), (NodeType((N,)),)
        yield cls(1, ZERO, 2 * N, 2), (NodeType((K, N)),)


@register
@dataclass(frozen=True)
class Flip(Movement):
    """The reverse order along `axis`."""

    name: ClassVar[str] = "flip"
    targets = kernel("flip")
    axis: int

    def moved(self, operand: NodeType) -> tuple[Dim, ...]:
        want_axes(self, operand, (self.axis,))
        return operand.shape

    def reference(self, args: Sequence[Array], out: NodeType, env: Concrete) -> Any:
        return np.flip(args[0], self.axis)

    def adjoint(self, operand: NodeType) -> Op:
        return self

    @classmethod
    def samples(cls) -> Iterable[Sample]:
        yield cls(0), (NodeType((N,)),)
        yield cls(1), (NodeType((M, N, K)),)


@register
@dataclass(frozen=True)
class Concat(Op):
    """The operands one after the other along `axis`."""

    name: ClassVar[str] = "concat"
    facts = Facts(linear=True)
    targets = kernel("concat")
    axis: int

    def infer(self, inputs: Sequence[NodeType]) -> NodeType:
        if not inputs:
            raise TypingError("concat of nothing")
        for type_ in inputs:
            want_axes(self, type_, (self.axis,))
        size = Dim.of(0)
        for type_ in inputs:
            size = size + type_.shape[self.axis]
        shapes = {(resized(t, self.axis, size), t.elem) for t in inputs}
        if len(shapes) != 1:
            raise TypingError(f"concat of {', '.join(map(str, inputs))} along {self.axis}")
        return NodeType(*shapes.pop())

    def reference(self, args: Sequence[Array], out: NodeType, env: Concrete) -> Any:
        return np.concatenate(args, axis=self.axis)

    def gradient(self, build: Builder, node: Node, cotangent: Node) -> Sequence[Node | None]:
        if not isinstance(node.type.elem, Real):
            return [None] * len(node.inputs)
        start, parts = ZERO, []
        for operand in node.inputs:
            length = operand.type.shape[self.axis]
            parts.append(build.apply(Slice(self.axis, start, length), cotangent))
            start = start + length
        return parts

    @classmethod
    def samples(cls) -> Iterable[Sample]:
        yield cls(0), (NodeType((N,)), NodeType((M,)), NodeType((N,)))
        yield cls(1), (NodeType((K, N, M)), NodeType((K, M, M)))
        yield cls(0), (NodeType((N,), Fin(K)), NodeType((M,), Fin(K)))


__all__ = [
    "Broadcast",
    "Concat",
    "Flip",
    "Movement",
    "Pad",
    "Reshape",
    "ScatterSlice",
    "Slice",
    "Transpose",
]
