"""Comparisons, logic, choice and casts: what has no derivative, and `where`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from gendsl.ir.graph import Builder, Node
from gendsl.ir.op import Concrete, Facts, NodeType, Op, TypingError, register
from gendsl.lazy import np
from gendsl.ops.arity import (
    BOOL,
    REAL,
    SHAPES,
    Compare,
    K,
    Logic,
    Sample,
    count,
    inline,
    kernel,
    same_shape,
    want,
)
from gendsl.ops.broadcast import full
from gendsl.shape.dim import Dim
from gendsl.shape.tensor_type import Bool, Fin, Real

if TYPE_CHECKING:
    from gendsl.ops.arity import Array


@register
class Less(Compare):
    """a < b."""

    name: ClassVar[str] = "less"
    targets = inline("({0} < {1})", "({0} < {1})")

    def compute(self, a: Array, b: Array) -> Any:
        return np.less(a, b)


@register
class LessEqual(Compare):
    """a <= b."""

    name: ClassVar[str] = "less_equal"
    targets = inline("({0} <= {1})", "({0} <= {1})")

    def compute(self, a: Array, b: Array) -> Any:
        return np.less_equal(a, b)


@register
class Equal(Compare):
    """a == b."""

    name: ClassVar[str] = "equal"
    targets = inline("({0} == {1})", "({0} == {1})")
    takes_bool = True

    def compute(self, a: Array, b: Array) -> Any:
        return np.equal(a, b)


@register
class NotEqual(Compare):
    """a != b."""

    name: ClassVar[str] = "not_equal"
    targets = inline("({0} != {1})", "({0} != {1})")
    takes_bool = True

    def compute(self, a: Array, b: Array) -> Any:
        return np.not_equal(a, b)


@register
class And(Logic):
    """Both."""

    name: ClassVar[str] = "and"
    targets = inline("({0} & {1})", "({0} & {1})")

    def reference(self, args: Sequence[Array], out: NodeType, env: Concrete) -> Any:
        return np.logical_and(args[0], args[1])


@register
class Or(Logic):
    """One or both."""

    name: ClassVar[str] = "or"
    targets = inline("({0} | {1})", "({0} | {1})")

    def reference(self, args: Sequence[Array], out: NodeType, env: Concrete) -> Any:
        return np.logical_or(args[0], args[1])


@register
class Not(Logic):
    """The opposite."""

    name: ClassVar[str] = "not"
    targets = inline("(~{0})", "({0} == 0)")
    arity = 1

    def reference(self, args: Sequence[Array], out: NodeType, env: Concrete) -> Any:
        return np.logical_not(args[0])


@register
@dataclass(frozen=True)
class Where(Op):
    """The second operand where the first is true, else the third."""

    name: ClassVar[str] = "where"
    targets = inline("torch.where({0}, {1}, {2})", "tl.where({0}, {1}, {2})")

    def infer(self, inputs: Sequence[NodeType]) -> NodeType:
        count(self, inputs, 3)
        want(self, inputs[0], Bool)
        if inputs[1].elem != inputs[2].elem:
            raise TypingError(f"where of {inputs[1]} and {inputs[2]}")
        return NodeType(same_shape(self, inputs), inputs[1].elem)

    def reference(self, args: Sequence[Array], out: NodeType, env: Concrete) -> Any:
        return np.where(args[0], args[1], args[2])

    def gradient(self, build: Builder, node: Node, cotangent: Node) -> Sequence[Node | None]:
        if not isinstance(node.type.elem, Real):
            return [None, None, None]
        condition, zero = node.inputs[0], full(build, 0, node)
        return [
            None,
            build.apply(self, condition, cotangent, zero),
            build.apply(self, condition, zero, cotangent),
        ]

    @classmethod
    def samples(cls) -> Iterable[Sample]:
        elems = (REAL, Fin(K), BOOL)
        return [
            (cls(), (NodeType(s, BOOL), NodeType(s, e), NodeType(s, e)))
            for s in SHAPES
            for e in elems
        ]


@register
@dataclass(frozen=True)
class ToReal(Op):
    """An index as the real of that value; true as 1, false as 0."""

    name: ClassVar[str] = "to_real"
    targets = kernel("to_real")
    facts = Facts(monotone=(1,))

    def infer(self, inputs: Sequence[NodeType]) -> NodeType:
        count(self, inputs, 1)
        want(self, inputs[0], Fin, Bool)
        return NodeType(inputs[0].shape)

    def reference(self, args: Sequence[Array], out: NodeType, env: Concrete) -> Any:
        return args[0].astype(env.dtype)

    def gradient(self, build: Builder, node: Node, cotangent: Node) -> Sequence[Node | None]:
        return [None]

    @classmethod
    def samples(cls) -> Iterable[Sample]:
        return [(cls(), (NodeType(s, e),)) for s in SHAPES for e in (Fin(K), BOOL)]


@register
@dataclass(frozen=True)
class Widen(Op):
    """The same index, below a larger bound."""

    name: ClassVar[str] = "widen"
    targets = inline("{0}", "{0}")
    bound: Dim

    def infer(self, inputs: Sequence[NodeType]) -> NodeType:
        count(self, inputs, 1)
        want(self, inputs[0], Fin)
        return NodeType(inputs[0].shape, Fin(self.bound))

    def reference(self, args: Sequence[Array], out: NodeType, env: Concrete) -> Any:
        return args[0]

    def gradient(self, build: Builder, node: Node, cotangent: Node) -> Sequence[Node | None]:
        return [None]

    @classmethod
    def samples(cls) -> Iterable[Sample]:
        return [(cls(K + 1), (NodeType(s, Fin(K)),)) for s in SHAPES]
