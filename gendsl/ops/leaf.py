"""Leaves of the graph: constants, sizes as values, inputs, and random draws."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, ClassVar

from gendsl.ir.graph import Builder, Node
from gendsl.ir.op import Answer, Concrete, Kernel, NodeType, Op, TypingError, register
from gendsl.lazy import np
from gendsl.shape.dim import ZERO, Dim
from gendsl.shape.tensor_type import Bool, Elem, Fin, Real

_EVERYWHERE: Mapping[str, Answer] = {
    "torch_cpu": Kernel("leaf"),
    "triton_cuda": Kernel("leaf"),
}


class Leaf(Op):
    """An op without real inputs: nothing flows back through it."""

    targets = _EVERYWHERE

    def gradient(self, build: Builder, node: Node, cotangent: Node) -> Sequence[Node | None]:
        return [None] * len(node.inputs)


def _no_inputs(op: Op, inputs: Sequence[NodeType]) -> None:
    if inputs:
        raise TypingError(f"{op.name} takes no operands")


@register
@dataclass(frozen=True)
class Const(Leaf):
    """An exact rational scalar."""

    name: ClassVar[str] = "const"
    value: Fraction

    def infer(self, inputs: Sequence[NodeType]) -> NodeType:
        _no_inputs(self, inputs)
        return NodeType(())

    def reference(self, args: Sequence[Any], out: NodeType, env: Concrete) -> Any:
        return np.asarray(float(self.value), dtype=env.dtype)

    @classmethod
    def samples(cls) -> Iterable[tuple[Op, tuple[NodeType, ...]]]:
        yield cls(Fraction(2, 3)), ()


@register
@dataclass(frozen=True)
class Truth(Leaf):
    """A Boolean scalar constant."""

    name: ClassVar[str] = "truth"
    value: bool

    def infer(self, inputs: Sequence[NodeType]) -> NodeType:
        _no_inputs(self, inputs)
        return NodeType((), Bool())

    def reference(self, args: Sequence[Any], out: NodeType, env: Concrete) -> Any:
        return np.asarray(self.value)

    @classmethod
    def samples(cls) -> Iterable[tuple[Op, tuple[NodeType, ...]]]:
        yield cls(True), ()


@register
@dataclass(frozen=True)
class SizeValue(Leaf):
    """A size as a real scalar: `H*W` in an expression."""

    name: ClassVar[str] = "size"
    dim: Dim

    def infer(self, inputs: Sequence[NodeType]) -> NodeType:
        _no_inputs(self, inputs)
        return NodeType(())

    def reference(self, args: Sequence[Any], out: NodeType, env: Concrete) -> Any:
        return np.asarray(float(self.dim.evaluate(env.sizes)), dtype=env.dtype)

    @classmethod
    def samples(cls) -> Iterable[tuple[Op, tuple[NodeType, ...]]]:
        yield cls(Dim.name("M") * Dim.name("N") + 1), ()


@register
@dataclass(frozen=True)
class Index(Leaf):
    """A constant index: the size expression `value` as an element of fin[bound]."""

    name: ClassVar[str] = "index"
    value: Dim
    bound: Dim

    def infer(self, inputs: Sequence[NodeType]) -> NodeType:
        _no_inputs(self, inputs)
        return NodeType((), Fin(self.bound))

    def reference(self, args: Sequence[Any], out: NodeType, env: Concrete) -> Any:
        return np.asarray(self.value.size(env.sizes), dtype=np.int64)

    @classmethod
    def samples(cls) -> Iterable[tuple[Op, tuple[NodeType, ...]]]:
        yield cls(Dim.name("N") - 1, Dim.name("N")), ()


@register
@dataclass(frozen=True)
class Iota(Leaf):
    """The indices 0, 1, ..., size - 1, as fin[size]."""

    name: ClassVar[str] = "iota"
    size: Dim

    def infer(self, inputs: Sequence[NodeType]) -> NodeType:
        _no_inputs(self, inputs)
        return NodeType((self.size,), Fin(self.size))

    def reference(self, args: Sequence[Any], out: NodeType, env: Concrete) -> Any:
        return np.arange(self.size.size(env.sizes), dtype=np.int64)

    @classmethod
    def samples(cls) -> Iterable[tuple[Op, tuple[NodeType, ...]]]:
        yield cls(Dim.name("N")), ()


INPUT_KINDS = ("data", "param", "state", "hyper", "argument", "step", "slot", "ema")


@register
@dataclass(frozen=True)
class Input(Leaf):
    """A named input of the graph.

    kind: "data" (a field of the batch), "param" (by path; a positive parameter's *stored* tensor),
    "state", "hyper" (a scalar), "argument" (of a sampler, or universally bound in a claim), "step"
    (the optimizer step as a real scalar, counted from 0), "slot" (optimizer state, "m:PATH"), "ema"
    (shadow weights, by the parameter's path).
    """

    name: ClassVar[str] = "input"
    kind: str
    key: str
    shape: tuple[Dim, ...] = ()
    elem: Elem = Real()  # noqa: RUF009  (frozen)

    def infer(self, inputs: Sequence[NodeType]) -> NodeType:
        _no_inputs(self, inputs)
        if self.kind not in INPUT_KINDS:
            raise TypingError(f"unknown input kind {self.kind}")
        return NodeType(self.shape, self.elem)

    def reference(self, args: Sequence[Any], out: NodeType, env: Concrete) -> Any:
        raise KeyError(f"{self.kind}:{self.key}")


@register
@dataclass(frozen=True)
class Draw(Leaf):
    """A random tensor: independent "normal" (mean 0, var 1) or "uniform" (on (0, 1)) entries, or
    "bits" for an index uniform on `low <= i < low + bound`, of type fin[low + bound].

    `path` names the draw (objective or sampler, call path, variable); operands are the indices of
    enclosing loops (fin scalars). `example_axis` is the position of the batch axis, or None: along
    it the *global* example index keys the generator, so the bits do not depend on how examples are
    distributed over batches or processes (Salmon et al. 2011, Philox4x32-10).
    """

    name: ClassVar[str] = "draw"
    path: str
    dist: str
    shape: tuple[Dim, ...]
    example_axis: int | None = None
    bound: Dim | None = None
    low: Dim = ZERO

    def infer(self, inputs: Sequence[NodeType]) -> NodeType:
        if self.dist not in ("normal", "uniform", "bits") or (self.dist == "bits") != (
            self.bound is not None
        ):
            raise TypingError(f"draw of {self.dist}, bound {self.bound}")
        if any(i.shape or not isinstance(i.elem, Fin) for i in inputs):
            raise TypingError("operands of a draw are loop indices")
        return NodeType(self.shape, Real() if self.bound is None else Fin(self.bound + self.low))

    def reference(self, args: Sequence[Any], out: NodeType, env: Concrete) -> Any:
        if env.noise is None:
            raise KeyError(f"draw:{self.path}")
        bound = None if self.bound is None else self.bound.size(env.sizes)
        loop = tuple(int(a) for a in args)
        drawn = env.noise.draw(
            self.path, self.dist, env.shape(out), self.example_axis, loop, bound, env.dtype
        )
        return drawn if bound is None else drawn + self.low.size(env.sizes)
