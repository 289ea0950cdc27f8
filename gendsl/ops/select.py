"""Indices and what they pick: gather and its adjoint, one-hot rows, index arithmetic."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from gendsl.ir.graph import Builder, Node
from gendsl.ir.op import Concrete, Facts, NodeType, Op, TypingError, register
from gendsl.lazy import np
from gendsl.ops.arity import BOOL, K, M, N, Sample, count, kernel, want
from gendsl.shape.dim import Dim
from gendsl.shape.tensor_type import Bool, Fin, Real

if TYPE_CHECKING:
    from gendsl.ops.arity import Array


def _rows(index: Array, batch: int) -> tuple[Array, Array]:
    """Batch numbers and index, so that `table3[numbers, index]` picks, for a table whose batch
    axes are flattened to one."""
    flat = index.reshape(_product(index.shape[:batch]), -1)
    return np.arange(flat.shape[0])[:, None], flat


def _product(sizes: Sequence[int]) -> int:
    total = 1
    for size in sizes:
        total *= size
    return total


@register
@dataclass(frozen=True)
class Gather(Op):
    """Entries of a table by index: table [b.., K, r..] and index [b.., o..] of fin[K] to
    [b.., o.., r..], with `batch` shared leading axes b."""

    name: ClassVar[str] = "gather"
    facts = Facts(linear=True)
    targets = kernel("gather")
    batch: int = 0

    def infer(self, inputs: Sequence[NodeType]) -> NodeType:
        count(self, inputs, 2)
        table, index = inputs
        want(self, table, Real, Fin, Bool)
        b = self.batch
        if (
            table.rank <= b
            or index.elem != Fin(table.shape[b])
            or table.shape[:b] != index.shape[:b]
        ):
            raise TypingError(f"gather of {index} in {table} with {b} shared axes")
        return NodeType(index.shape + table.shape[b + 1 :], table.elem)

    def reference(self, args: Sequence[Array], out: NodeType, env: Concrete) -> Any:
        table, index = args
        numbers, flat = _rows(index, self.batch)
        rest = table.shape[self.batch + 1 :]
        flat_table = table.reshape(flat.shape[0], table.shape[self.batch], *rest)
        return flat_table[numbers, flat].reshape(index.shape + rest)

    def gradient(self, build: Builder, node: Node, cotangent: Node) -> Sequence[Node | None]:
        if not isinstance(node.type.elem, Real):
            return [None, None]
        table, index = node.inputs
        back = ScatterAdd(self.batch, table.type.shape[self.batch])
        return [build.apply(back, index, cotangent), None]

    @classmethod
    def samples(cls) -> Iterable[Sample]:
        yield cls(0), (NodeType((K,)), NodeType((M,), Fin(K)))
        yield cls(0), (NodeType((K, N)), NodeType((), Fin(K)))
        yield cls(0), (NodeType((K, N)), NodeType((M, N), Fin(K)))
        yield cls(1), (NodeType((M, K, N)), NodeType((M,), Fin(K)))
        yield cls(2), (NodeType((M, N, K)), NodeType((M, N, K), Fin(K)))
        yield cls(0), (NodeType((K,), Fin(N)), NodeType((M,), Fin(K)))
        yield cls(1), (NodeType((M, K), BOOL), NodeType((M, N), Fin(K)))


@register
@dataclass(frozen=True)
class ScatterAdd(Op):
    """The adjoint of `gather` in its table: index [b.., o..] of fin[size] and values
    [b.., o.., r..] to sums [b.., size, r..]."""

    name: ClassVar[str] = "scatter_add"
    targets = kernel("scatter_add")
    batch: int
    size: Dim

    def infer(self, inputs: Sequence[NodeType]) -> NodeType:
        count(self, inputs, 2)
        index, values = inputs
        want(self, values, Real)
        fits = index.elem == Fin(self.size) and self.batch <= index.rank
        if not fits or values.shape[: index.rank] != index.shape:
            raise TypingError(f"scatter_add of {values} at {index} of {self.size}")
        return NodeType((*index.shape[: self.batch], self.size, *values.shape[index.rank :]))

    def reference(self, args: Sequence[Array], out: NodeType, env: Concrete) -> Any:
        index, values = args
        numbers, flat = _rows(index, self.batch)
        rest = values.shape[index.ndim :]
        size = self.size.size(env.sizes)
        sums = np.zeros((flat.shape[0], size, *rest), dtype=values.dtype)
        np.add.at(sums, (numbers, flat), values.reshape(flat.shape + rest))
        return sums.reshape(*index.shape[: self.batch], size, *rest)

    def gradient(self, build: Builder, node: Node, cotangent: Node) -> Sequence[Node | None]:
        return [None, build.apply(Gather(self.batch), cotangent, node.inputs[0])]

    @classmethod
    def samples(cls) -> Iterable[Sample]:
        yield cls(0, K), (NodeType((M,), Fin(K)), NodeType((M,)))
        yield cls(0, K), (NodeType((), Fin(K)), NodeType((N,)))
        yield cls(0, K), (NodeType((M, N), Fin(K)), NodeType((M, N, N)))
        yield cls(1, K), (NodeType((M, N), Fin(K)), NodeType((M, N)))
        yield cls(1, K), (NodeType((M,), Fin(K)), NodeType((M, N)))


@register
@dataclass(frozen=True)
class OneHot(Op):
    """1 at the index and 0 elsewhere along a new last axis of size `bound`."""

    name: ClassVar[str] = "one_hot"
    targets = kernel("one_hot")
    bound: Dim

    def infer(self, inputs: Sequence[NodeType]) -> NodeType:
        count(self, inputs, 1)
        if inputs[0].elem != Fin(self.bound):
            raise TypingError(f"one_hot of {inputs[0]} below {self.bound}")
        return NodeType((*inputs[0].shape, self.bound))

    def reference(self, args: Sequence[Array], out: NodeType, env: Concrete) -> Any:
        classes = np.arange(self.bound.size(env.sizes))
        return (args[0][..., None] == classes).astype(env.dtype)

    def gradient(self, build: Builder, node: Node, cotangent: Node) -> Sequence[Node | None]:
        return [None]

    @classmethod
    def samples(cls) -> Iterable[Sample]:
        return [(cls(K), (NodeType(s, Fin(K)),)) for s in ((), (N,), (M, N))]


@register
@dataclass(frozen=True)
class IndexAffine(Op):
    """offset + floor(scale * i / divide) as an index below `bound`, exactly: `T - i`, the t of
    step i of S in a schedule over T. The program owes that the result is in range."""

    name: ClassVar[str] = "index_affine"
    targets = kernel("index_affine")
    offset: Dim
    scale: Dim
    divide: Dim
    bound: Dim

    def infer(self, inputs: Sequence[NodeType]) -> NodeType:
        count(self, inputs, 1)
        want(self, inputs[0], Fin)
        return NodeType(inputs[0].shape, Fin(self.bound))

    def reference(self, args: Sequence[Array], out: NodeType, env: Concrete) -> Any:
        offset, scale = (int(d.evaluate(env.sizes)) for d in (self.offset, self.scale))
        return offset + scale * args[0] // self.divide.size(env.sizes)

    def gradient(self, build: Builder, node: Node, cotangent: Node) -> Sequence[Node | None]:
        return [None]

    @classmethod
    def samples(cls) -> Iterable[Sample]:
        one = Dim.of(1)
        yield cls(N - 1, -one, one, N), (NodeType((M,), Fin(N)),)
        yield cls(K * N, -K, one, K * N + 1), (NodeType((N,), Fin(N)),)
        yield cls(K, -K, N, K + 1), (NodeType((N,), Fin(N)),)
