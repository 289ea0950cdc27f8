"""The contraction of two tensors: matrix products, outer products, attention scores."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from gendsl.ir.graph import Builder, Node
from gendsl.ir.op import Concrete, NodeType, Op, TypingError, register
from gendsl.lazy import np
from gendsl.ops.arity import K, M, N, Sample, count, kernel, want
from gendsl.shape.dim import Dim
from gendsl.shape.tensor_type import Real

if TYPE_CHECKING:
    from gendsl.ops.arity import Array


@register
@dataclass(frozen=True)
class Contract(Op):
    """Axes carry labels: a label of both operands that is not in `out` is summed over.

    No operand repeats a label, a label of one operand only is in `out`, and so the gradient in
    each operand is again a contraction.
    """

    name: ClassVar[str] = "contract"
    targets = kernel("contract")
    left: tuple[int, ...]
    right: tuple[int, ...]
    out: tuple[int, ...]

    def infer(self, inputs: Sequence[NodeType]) -> NodeType:
        count(self, inputs, 2)
        for type_ in inputs:
            want(self, type_, Real)
        left, right, out = set(self.left), set(self.right), set(self.out)
        distinct = all(len(set(t)) == len(t) for t in (self.left, self.right, self.out))
        if not distinct or not (left ^ right) <= out <= (left | right):
            raise TypingError(f"contract of labels {self.left} and {self.right} to {self.out}")
        if (len(self.left), len(self.right)) != (inputs[0].rank, inputs[1].rank):
            raise TypingError(f"contract labels of {inputs[0]} and {inputs[1]}")
        sizes = dict(zip(self.left, inputs[0].shape, strict=True))
        for label, size in zip(self.right, inputs[1].shape, strict=True):
            if sizes.setdefault(label, size) != size:
                raise TypingError(f"contract of {inputs[0]} and {inputs[1]} at label {label}")
        return NodeType(tuple(sizes[label] for label in self.out))

    @property
    def summed(self) -> tuple[int, ...]:
        """The labels summed over, in the order of the left operand."""
        return tuple(label for label in self.left if label not in self.out)

    def reference(self, args: Sequence[Array], out: NodeType, env: Concrete) -> Any:
        order = {label: i for i, label in enumerate(dict.fromkeys((*self.left, *self.right)))}
        left, right, result = ([order[x] for x in t] for t in (self.left, self.right, self.out))
        return np.einsum(args[0], left, args[1], right, result, optimize=True)

    def gradient(self, build: Builder, node: Node, cotangent: Node) -> Sequence[Node | None]:
        left, right = node.inputs
        return [
            build.apply(Contract(self.out, self.right, self.left), cotangent, right),
            build.apply(Contract(self.out, self.left, self.right), cotangent, left),
        ]

    @classmethod
    def samples(cls) -> Iterable[Sample]:
        p = Dim.name("P")
        yield cls((0, 1), (1, 2), (0, 2)), (NodeType((M, K)), NodeType((K, N)))
        yield cls((0, 1), (2, 1), (2, 0)), (NodeType((M, K)), NodeType((N, K)))
        yield cls((0,), (0,), ()), (NodeType((N,)), NodeType((N,)))
        yield cls((0,), (1,), (1, 0)), (NodeType((N,)), NodeType((M,)))
        yield cls((3, 0, 1), (3, 1, 2), (0, 3, 2)), (NodeType((p, M, K)), NodeType((p, K, N)))
        yield cls((0, 1), (0,), (0, 1)), (NodeType((M, N)), NodeType((M,)))
        yield cls((0, 1), (1, 0), ()), (NodeType((M, N)), NodeType((N, M)))
        yield cls((0, 1), (), (1, 0)), (NodeType((M, N)), NodeType(()))
