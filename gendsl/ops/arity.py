"""Bases of the pointwise ops: operand checks, and typed methods in place of operand lists.

A pointwise op's operands all have the same shape and so has its result: graph ops never broadcast.
The bases are dataclasses, so that an op without attributes of its own need not be made one again
(making a dataclass is most of the time that importing this package takes).
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gendsl.ir.graph import Builder, Node
from gendsl.ir.op import Answer, Concrete, Inline, Kernel, NodeType, Op, TypingError
from gendsl.shape.dim import Dim
from gendsl.shape.tensor_type import Bool, Elem, Fin, Real

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

REAL, BOOL = Real(), Bool()

# Sizes that samples of ops are stated over; tests bind them to several numbers, 1 among them.
M, N, K = Dim.name("M"), Dim.name("N"), Dim.name("K")
SHAPES: tuple[tuple[Dim, ...], ...] = ((), (N,), (M, N))

Sample = tuple[Op, tuple[NodeType, ...]]


def inline(torch: str, triton: str) -> Mapping[str, Answer]:
    """The op is this expression on each target."""
    return {"torch_cpu": Inline(torch), "triton_cuda": Inline(triton)}


def kernel(name: str) -> Mapping[str, Answer]:
    """The op is emitted by the emitter of that name on each target."""
    return {"torch_cpu": Kernel(name), "triton_cuda": Kernel(name)}


def count(op: Op, inputs: Sequence[NodeType], expected: int) -> None:
    if len(inputs) != expected:
        raise TypingError(f"{op.name} takes {expected} operands, got {len(inputs)}")


def want(op: Op, type_: NodeType, *elems: type[Real] | type[Fin] | type[Bool]) -> None:
    if not isinstance(type_.elem, elems):
        raise TypingError(f"{op.name} does not take {type_}")


def want_axes(op: Op, type_: NodeType, axes: Sequence[int]) -> None:
    """Axes are positions of the operand, ascending and distinct."""
    if list(axes) != sorted(set(axes)) or any(not 0 <= a < type_.rank for a in axes):
        raise TypingError(f"{op.name}: axes {list(axes)} of {type_}")


def same_shape(op: Op, inputs: Sequence[NodeType]) -> tuple[Dim, ...]:
    shapes = {t.shape for t in inputs}
    if len(shapes) != 1:
        raise TypingError(f"{op.name} of different shapes: {', '.join(map(str, inputs))}")
    return shapes.pop()


@dataclass(frozen=True)
class Unary(Op):
    """real -> real, pointwise."""

    def infer(self, inputs: Sequence[NodeType]) -> NodeType:
        count(self, inputs, 1)
        want(self, inputs[0], Real)
        return inputs[0]

    def reference(self, args: Sequence[Array], out: NodeType, env: Concrete) -> Any:
        return self.compute(args[0])

    def gradient(self, build: Builder, node: Node, cotangent: Node) -> Sequence[Node | None]:
        return [self.pull(build, cotangent, node.inputs[0], node)]

    @abstractmethod
    def compute(self, x: Array) -> Any:
        """The value in numpy, in the dtype of `x`."""

    @abstractmethod
    def pull(self, build: Builder, g: Node, x: Node, y: Node) -> Node | None:
        """`g` times the derivative at `x`, where the value is `y`."""

    @classmethod
    def samples(cls) -> Iterable[Sample]:
        return [(cls(), (NodeType(shape),)) for shape in SHAPES]


@dataclass(frozen=True)
class Binary(Op):
    """real, real -> real, pointwise."""

    def infer(self, inputs: Sequence[NodeType]) -> NodeType:
        count(self, inputs, 2)
        for type_ in inputs:
            want(self, type_, Real)
        return NodeType(same_shape(self, inputs))

    def reference(self, args: Sequence[Array], out: NodeType, env: Concrete) -> Any:
        return self.compute(args[0], args[1])

    def gradient(self, build: Builder, node: Node, cotangent: Node) -> Sequence[Node | None]:
        return self.pull(build, cotangent, node.inputs[0], node.inputs[1], node)

    @abstractmethod
    def compute(self, a: Array, b: Array) -> Any:
        """The value in numpy, in the dtype of the operands."""

    @abstractmethod
    def pull(
        self, build: Builder, g: Node, a: Node, b: Node, y: Node
    ) -> tuple[Node | None, Node | None]:
        """The cotangents of `a` and `b`, where the value is `y`."""

    @classmethod
    def samples(cls) -> Iterable[Sample]:
        return [(cls(), (NodeType(shape), NodeType(shape))) for shape in SHAPES]


@dataclass(frozen=True)
class Compare(Op):
    """Two reals, or two indices of the same bound, to a truth value, pointwise."""

    takes_bool = False

    def infer(self, inputs: Sequence[NodeType]) -> NodeType:
        count(self, inputs, 2)
        for type_ in inputs:
            want(self, type_, *((Real, Fin, Bool) if self.takes_bool else (Real, Fin)))
        if inputs[0].elem != inputs[1].elem:
            raise TypingError(f"{self.name} of {inputs[0]} and {inputs[1]}")
        return NodeType(same_shape(self, inputs), BOOL)

    def reference(self, args: Sequence[Array], out: NodeType, env: Concrete) -> Any:
        return self.compute(args[0], args[1])

    def gradient(self, build: Builder, node: Node, cotangent: Node) -> Sequence[Node | None]:
        return [None, None]

    @abstractmethod
    def compute(self, a: Array, b: Array) -> Any:
        """The truth values in numpy."""

    @classmethod
    def samples(cls) -> Iterable[Sample]:
        elems: tuple[Elem, ...] = (REAL, Fin(K), BOOL) if cls.takes_bool else (REAL, Fin(K))
        return [(cls(), (NodeType(s, e), NodeType(s, e))) for s in SHAPES for e in elems]


@dataclass(frozen=True)
class Logic(Op):
    """Truth values to a truth value, pointwise."""

    arity = 2

    def infer(self, inputs: Sequence[NodeType]) -> NodeType:
        count(self, inputs, self.arity)
        for type_ in inputs:
            want(self, type_, Bool)
        return NodeType(same_shape(self, inputs), BOOL)

    def gradient(self, build: Builder, node: Node, cotangent: Node) -> Sequence[Node | None]:
        return [None] * self.arity

    @classmethod
    def samples(cls) -> Iterable[Sample]:
        return [(cls(), (NodeType(shape, BOOL),) * cls.arity) for shape in SHAPES]
