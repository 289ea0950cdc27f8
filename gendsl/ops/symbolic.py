"""Ops that occur in claims only: opaque nets, expectations, derivatives, and the number pi.

No target runs them (the lowering never puts them below an objective or a sampler); the prover
gives them their meaning. All take part in typing like any other op.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from gendsl.ir.graph import Builder, Node
from gendsl.ir.op import (
    Absent,
    Answer,
    Concrete,
    Kernel,
    NodeType,
    NotDifferentiable,
    Op,
    TypingError,
    register,
)
from gendsl.lazy import np
from gendsl.shape.dim import Dim
from gendsl.shape.tensor_type import Elem, Real

_CLAIMS_ONLY: Mapping[str, Answer] = {
    "torch_cpu": Absent("occurs in claims only"),
    "triton_cuda": Absent("occurs in claims only"),
}


class Symbolic(Op):
    """An op with a meaning for the prover and no executable form."""

    targets = _CLAIMS_ONLY

    def reference(self, args: Sequence[Any], out: NodeType, env: Concrete) -> Any:
        raise NotImplementedError(f"{self.name} has no executable form")

    def gradient(self, build: Builder, node: Node, cotangent: Node) -> Sequence[Node | None]:
        raise NotDifferentiable(f"{self.name} occurs in claims only")


@register
@dataclass(frozen=True)
class NetCall(Symbolic):
    """The result `result` of an opaque net at its arguments (the operands): any function of them.

    `mapped_axes` is how many leading axes are mapped over independently (0 for a net that may look
    at the whole batch): entry [b, ...] of the result depends on entries [b, ...] of the operands
    only. Equal net names mean equal functions."""

    name: ClassVar[str] = "net_call"
    net: str
    result: str
    shape: tuple[Dim, ...]
    mapped_axes: int = 0
    elem: Elem = Real()  # noqa: RUF009  (frozen)

    def infer(self, inputs: Sequence[NodeType]) -> NodeType:
        lead = self.shape[: self.mapped_axes]
        if any(i.shape[: self.mapped_axes] != lead for i in inputs):
            raise TypingError(f"net_call of {self.net}: operands do not share {lead}")
        return NodeType(self.shape, self.elem)


@register
@dataclass(frozen=True)
class Expectation(Symbolic):
    """The mean of the operand over the draws whose paths are `draws`, given everything else."""

    name: ClassVar[str] = "expectation"
    draws: tuple[str, ...]

    def infer(self, inputs: Sequence[NodeType]) -> NodeType:
        if len(inputs) != 1 or not isinstance(inputs[0].elem, Real):
            raise TypingError("expectation takes one real operand")
        return inputs[0]


@register
@dataclass(frozen=True)
class Derivative(Symbolic):
    """`grad[x](y)`: operands y (a scalar) and x (any node below y); the shape of x."""

    name: ClassVar[str] = "derivative"

    def infer(self, inputs: Sequence[NodeType]) -> NodeType:
        if len(inputs) != 2 or inputs[0].shape or not isinstance(inputs[1].elem, Real):
            raise TypingError("derivative takes a scalar and a real tensor")
        return inputs[1]


@register
@dataclass(frozen=True)
class Pi(Symbolic):
    """The number pi (normalising constants of normal densities); the one op here that runs."""

    name: ClassVar[str] = "pi"
    targets: ClassVar[Mapping[str, Answer]] = {
        "torch_cpu": Kernel("leaf"),
        "triton_cuda": Kernel("leaf"),
    }

    def infer(self, inputs: Sequence[NodeType]) -> NodeType:
        if inputs:
            raise TypingError("pi takes no operands")
        return NodeType(())

    def reference(self, args: Sequence[Any], out: NodeType, env: Concrete) -> Any:
        return np.asarray(math.pi, dtype=env.dtype)

    def gradient(self, build: Builder, node: Node, cotangent: Node) -> Sequence[Node | None]:
        return []

    @classmethod
    def samples(cls) -> Iterable[tuple[Op, tuple[NodeType, ...]]]:
        yield cls(), ()
