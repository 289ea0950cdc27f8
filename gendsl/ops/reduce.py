"""Reductions, and the ops along an axis that are built from them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, ClassVar

from gendsl.ir.graph import Builder, Node
from gendsl.ir.op import Concrete, Facts, NodeType, Op, register
from gendsl.lazy import np
from gendsl.ops.arithmetic import Div, Mul, Sub
from gendsl.ops.arity import BOOL, REAL, K, M, N, Sample, count, kernel, want, want_axes
from gendsl.ops.broadcast import Broadcast, Sum, full, restore
from gendsl.ops.compare import Equal, LessEqual, ToReal, Where
from gendsl.ops.leaf import Iota
from gendsl.ops.movement import Flip
from gendsl.ops.unary import Exp
from gendsl.shape.dim import Dim
from gendsl.shape.tensor_type import Elem, Fin, Real

if TYPE_CHECKING:
    from gendsl.ops.arity import Array


@dataclass(frozen=True)
class Reduction(Op):
    """One operand loses `axes`; `elem` says what is reduced."""

    elem: ClassVar[Elem] = REAL
    axes: tuple[int, ...]

    def infer(self, inputs: Sequence[NodeType]) -> NodeType:
        count(self, inputs, 1)
        want(self, inputs[0], type(self.elem))
        want_axes(self, inputs[0], self.axes)
        return NodeType(
            tuple(d for i, d in enumerate(inputs[0].shape) if i not in self.axes), self.elem
        )

    @classmethod
    def samples(cls) -> Iterable[Sample]:
        yield cls((0,)), (NodeType((N,), cls.elem),)
        yield cls((0, 2)), (NodeType((K, M, N), cls.elem),)
        yield cls(()), (NodeType((M,), cls.elem),)


class Extreme(Reduction):
    """Max or min; the gradient is shared equally between entries that attain it."""

    facts = Facts(monotone=(1,))

    def gradient(self, build: Builder, node: Node, cotangent: Node) -> Sequence[Node | None]:
        x = node.inputs[0]
        hit = build.apply(Equal(), x, restore(build, node, self.axes, x))
        hits = build.apply(Sum(self.axes), build.apply(ToReal(), hit))
        share = restore(build, build.apply(Div(), cotangent, hits), self.axes, x)
        return [build.apply(Where(), hit, share, full(build, 0, x))]


@register
class Max(Extreme):
    """The largest entry along `axes`."""

    name: ClassVar[str] = "max"
    targets = kernel("max")

    def reference(self, args: Sequence[Array], out: NodeType, env: Concrete) -> object:
        return args[0].max(axis=self.axes)


@register
class Min(Extreme):
    """The smallest entry along `axes`."""

    name: ClassVar[str] = "min"
    targets = kernel("min")

    def reference(self, args: Sequence[Array], out: NodeType, env: Concrete) -> object:
        return args[0].min(axis=self.axes)


@register
class LogSumExp(Reduction):
    """log of the sum of exp along `axes`, without overflow."""

    name: ClassVar[str] = "logsumexp"
    facts = Facts(monotone=(1,))
    targets = kernel("logsumexp")

    def reference(self, args: Sequence[Array], out: NodeType, env: Concrete) -> object:
        top = args[0].max(axis=self.axes, keepdims=True)
        total = np.exp(args[0] - top).sum(axis=self.axes)
        return np.log(total) + top.reshape(total.shape)

    def gradient(self, build: Builder, node: Node, cotangent: Node) -> Sequence[Node | None]:
        x = node.inputs[0]
        g = restore(build, cotangent, self.axes, x)
        if len(self.axes) == 1:
            return [build.apply(Mul(), g, build.apply(Softmax(self.axes[0]), x))]
        below = build.apply(Sub(), x, restore(build, node, self.axes, x))
        return [build.apply(Mul(), g, build.apply(Exp(), below))]


@register
class All(Reduction):
    """Whether every entry along `axes` is true."""

    name: ClassVar[str] = "all"
    targets = kernel("all")
    elem = BOOL

    def reference(self, args: Sequence[Array], out: NodeType, env: Concrete) -> object:
        return args[0].all(axis=self.axes)

    def gradient(self, build: Builder, node: Node, cotangent: Node) -> Sequence[Node | None]:
        return [None]


@register
class Any(Reduction):
    """Whether some entry along `axes` is true."""

    name: ClassVar[str] = "any"
    targets = kernel("any")
    elem = BOOL

    def reference(self, args: Sequence[Array], out: NodeType, env: Concrete) -> object:
        return args[0].any(axis=self.axes)

    def gradient(self, build: Builder, node: Node, cotangent: Node) -> Sequence[Node | None]:
        return [None]


@dataclass(frozen=True)
class Along(Op):
    """real -> real of the same shape, along one axis."""

    axis: int

    def infer(self, inputs: Sequence[NodeType]) -> NodeType:
        count(self, inputs, 1)
        want(self, inputs[0], Real)
        want_axes(self, inputs[0], (self.axis,))
        return inputs[0]

    @classmethod
    def samples(cls) -> Iterable[Sample]:
        yield cls(0), (NodeType((N,)),)
        yield cls(1), (NodeType((K, N, M)),)


def _total(build: Builder, x: Node, axis: int) -> Node:
    """The sum along `axis`, repeated along it."""
    return restore(build, build.apply(Sum((axis,)), x), (axis,), x)


@register
class Softmax(Along):
    """exp(x) divided by its sum along `axis`, without overflow."""

    name: ClassVar[str] = "softmax"
    facts = Facts(low=Fraction(0), high=Fraction(1))
    targets = kernel("softmax")

    def reference(self, args: Sequence[Array], out: NodeType, env: Concrete) -> object:
        e = np.exp(args[0] - args[0].max(axis=self.axis, keepdims=True))
        return e / e.sum(axis=self.axis, keepdims=True)

    def gradient(self, build: Builder, node: Node, cotangent: Node) -> Sequence[Node | None]:
        gy = build.apply(Mul(), cotangent, node)
        centre = build.apply(Mul(), node, _total(build, gy, self.axis))
        return [build.apply(Sub(), gy, centre)]


@register
class LogSoftmax(Along):
    """The logarithm of softmax along `axis`."""

    name: ClassVar[str] = "log_softmax"
    facts = Facts(high=Fraction(0))
    targets = kernel("log_softmax")

    def reference(self, args: Sequence[Array], out: NodeType, env: Concrete) -> object:
        below = args[0] - args[0].max(axis=self.axis, keepdims=True)
        return below - np.log(np.exp(below).sum(axis=self.axis, keepdims=True))

    def gradient(self, build: Builder, node: Node, cotangent: Node) -> Sequence[Node | None]:
        share = build.apply(Softmax(self.axis), node.inputs[0])
        centre = build.apply(Mul(), share, _total(build, cotangent, self.axis))
        return [build.apply(Sub(), cotangent, centre)]


@register
class CumSum(Along):
    """Entry i is the sum of entries 0 to i along `axis`."""

    name: ClassVar[str] = "cumsum"
    facts = Facts(linear=True, monotone=(1,))
    targets = kernel("cumsum")

    def reference(self, args: Sequence[Array], out: NodeType, env: Concrete) -> object:
        return args[0].cumsum(axis=self.axis)

    def gradient(self, build: Builder, node: Node, cotangent: Node) -> Sequence[Node | None]:
        flip = Flip(self.axis)
        return [build.apply(flip, build.apply(self, build.apply(flip, cotangent)))]


@register
class CumProd(Along):
    """Entry i is the product of entries 0 to i along `axis`."""

    name: ClassVar[str] = "cumprod"
    targets = kernel("cumprod")

    def reference(self, args: Sequence[Array], out: NodeType, env: Concrete) -> object:
        return args[0].cumprod(axis=self.axis)

    def gradient(self, build: Builder, node: Node, cotangent: Node) -> Sequence[Node | None]:
        # d y_j / d x_i is the product of x_k over k <= j other than i, where i <= j: a table over
        # (i, j), so that zeros among x need no division.
        x, axis = node.inputs[0], self.axis
        size = x.type.shape[axis]
        shape = (*x.type.shape[:axis], size, *x.type.shape[axis:])
        along_j = tuple(p for p in range(len(shape)) if p != axis)
        index = build.apply(Iota(size))
        i = build.apply(Broadcast(shape, (axis,)), index)
        j = build.apply(Broadcast(shape, (axis + 1,)), index)
        table = build.apply(Broadcast(shape, along_j), x)
        others = build.apply(Where(), build.apply(Equal(), i, j), full(build, 1, table), table)
        products = build.apply(CumProd(axis + 1), others)
        weighted = build.apply(Mul(), build.apply(Broadcast(shape, along_j), cotangent), products)
        kept = build.apply(
            Where(), build.apply(LessEqual(), i, j), weighted, full(build, 0, weighted)
        )
        return [build.apply(Sum((axis + 1,)), kept)]


@dataclass(frozen=True)
class Choice(Op):
    """Indices along one axis of a real operand; no gradient flows."""

    axis: int

    def infer(self, inputs: Sequence[NodeType]) -> NodeType:
        count(self, inputs, 1)
        want(self, inputs[0], Real)
        want_axes(self, inputs[0], (self.axis,))
        return NodeType(self.result(inputs[0].shape), Fin(inputs[0].shape[self.axis]))

    def result(self, shape: tuple[Dim, ...]) -> tuple[Dim, ...]:
        return shape[: self.axis] + shape[self.axis + 1 :]

    def gradient(self, build: Builder, node: Node, cotangent: Node) -> Sequence[Node | None]:
        return [None]

    @classmethod
    def samples(cls) -> Iterable[Sample]:
        yield cls(0), (NodeType((N,)),)
        yield cls(1), (NodeType((K, N, M)),)


@register
class ArgMin(Choice):
    """The index of the smallest entry along `axis`, the first of equal ones."""

    name: ClassVar[str] = "argmin"
    targets = kernel("argmin")

    def reference(self, args: Sequence[Array], out: NodeType, env: Concrete) -> object:
        return args[0].argmin(axis=self.axis)


@register
class ArgMax(Choice):
    """The index of the largest entry along `axis`, the first of equal ones."""

    name: ClassVar[str] = "argmax"
    targets = kernel("argmax")

    def reference(self, args: Sequence[Array], out: NodeType, env: Concrete) -> object:
        return args[0].argmax(axis=self.axis)


@register
class ArgSort(Choice):
    """The indices that sort the entries along `axis` upwards, equal ones in their order."""

    name: ClassVar[str] = "argsort"
    targets = kernel("argsort")

    def result(self, shape: tuple[Dim, ...]) -> tuple[Dim, ...]:
        return shape

    def reference(self, args: Sequence[Array], out: NodeType, env: Concrete) -> object:
        return args[0].argsort(axis=self.axis, kind="stable")


__all__ = [
    "All",
    "Any",
    "ArgMax",
    "ArgMin",
    "ArgSort",
    "CumProd",
    "CumSum",
    "LogSoftmax",
    "LogSumExp",
    "Max",
    "Min",
    "Softmax",
    "Sum",
]
