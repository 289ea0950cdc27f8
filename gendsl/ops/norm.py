"""The adjoint of a normalisation of rows as an op of its own: one pass where its formula takes ten.

Programs and gradients do not hold it; the target that has a kernel for it puts it in the place of
the formula (`gendsl.ir.norms`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from gendsl.ir.graph import Builder, Node
from gendsl.ir.op import (
    Absent,
    Answer,
    Concrete,
    Facts,
    Kernel,
    NodeType,
    Op,
    TypingError,
    register,
)
from gendsl.ops.arithmetic import Add, Mul, Neg, Sub
from gendsl.ops.arity import REAL, K, M, N, Sample, count, want
from gendsl.ops.broadcast import Sum, fill, restore
from gendsl.ops.leaf import SizeValue
from gendsl.shape.dim import Dim
from gendsl.shape.tensor_type import Real

if TYPE_CHECKING:
    from gendsl.ops.arity import Array


@register
@dataclass(frozen=True)
class NormSlope(Op):
    """r (q - mean q - h mean(q h)) along the last axis, where q = g gain and h = s r: the cotangent
    of x from a cotangent g of h gain, where s = x - mean x and r = 1 / sqrt(mean s^2 + eps).
    Operands g, s, r (without the last axis) and gain (the last axis alone)."""

    name: ClassVar[str] = "norm_slope"
    facts = Facts()
    targets: ClassVar[Mapping[str, Answer]] = {
        "torch_cpu": Kernel("norm_slope"),
        "triton_cuda": Absent("only torch_cpu puts it in the place of its formula"),
    }

    def infer(self, inputs: Sequence[NodeType]) -> NodeType:
        count(self, inputs, 4)
        for type_ in inputs:
            want(self, type_, Real)
        g, s, r, gain = (type_.shape for type_ in inputs)
        if not g or s != g or r != g[:-1] or gain != g[-1:]:
            raise TypingError(f"norm_slope of {', '.join(map(str, inputs))}")
        return NodeType(g, REAL)

    def reference(self, args: Sequence[Array], out: NodeType, env: Concrete) -> Any:
        g, s, r, gain = args
        q, h = g * gain, s * r[..., None]
        along = (q * h).mean(axis=-1, keepdims=True)
        return r[..., None] * (q - q.mean(axis=-1, keepdims=True) - h * along)

    def gradient(self, build: Builder, node: Node, cotangent: Node) -> Sequence[Node | None]:
        g, s, r, gain = node.inputs
        rows = _Rows(build, g)
        h = rows.scaled(s, r)
        q = rows.times(g, restore(build, gain, range(g.type.rank - 1), g))
        p = rows.scaled(cotangent, r)
        ahead = rows.centred(p, h)
        along_q, along_p = rows.mean(rows.times(q, h)), rows.mean(rows.times(p, h))
        both = build.apply(Add(), rows.scaled(p, along_q), rows.scaled(q, along_p))
        dh = build.apply(Neg(), both)
        dr = build.apply(
            Add(),
            rows.sum(rows.times(cotangent, rows.centred(q, h))),
            rows.sum(rows.times(dh, s)),
        )
        wide = restore(build, gain, range(g.type.rank - 1), g)
        leading = tuple(range(g.type.rank - 1))
        d_gain = build.apply(Sum(leading), rows.times(g, ahead))
        return [rows.times(ahead, wide), rows.scaled(dh, r), dr, d_gain]

    @classmethod
    def samples(cls) -> Iterable[Sample]:
        for shape in ((N,), (M, N), (K, M, N)):
            rest = (NodeType(shape), NodeType(shape), NodeType(shape[:-1]), NodeType((N,)))
            yield cls(), rest


@dataclass(frozen=True)
class _Rows:
    """Arithmetic along the last axis of tensors like one."""

    build: Builder
    like: Node

    @property
    def last(self) -> int:
        return self.like.type.rank - 1

    def times(self, a: Node, b: Node) -> Node:
        return self.build.apply(Mul(), a, b)

    def scaled(self, x: Node, factor: Node) -> Node:
        """Each row times its own number."""
        return self.times(x, restore(self.build, factor, (self.last,), x))

    def sum(self, x: Node) -> Node:
        return self.build.apply(Sum((self.last,)), x)

    def mean(self, x: Node) -> Node:
        total = self.sum(x)
        one = Dim.of(1).divide(self.like.type.shape[self.last])
        assert one is not None
        share = self.build.apply(SizeValue(one))
        return self.times(fill(self.build, share, total), total)

    def centred(self, x: Node, h: Node) -> Node:
        """x - mean x - h mean(x h)."""
        mean = restore(self.build, self.mean(x), (self.last,), x)
        rest = self.build.apply(Sub(), x, mean)
        return self.build.apply(Sub(), rest, self.scaled(h, self.mean(self.times(x, h))))
