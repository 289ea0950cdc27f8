"""What a primitive op must say about itself.

One frozen dataclass per op (in `gendsl/ops/`) holds its typing rule, numpy reference, gradient as
graph nodes, algebraic facts, and one declared answer per target. Registration checks at import
that nothing is missing, so an op without an answer, a docstring or with a taken name cannot exist.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from fractions import Fraction
from typing import TYPE_CHECKING, Any, ClassVar

from gendsl.shape.dim import Dim
from gendsl.shape.tensor_type import Elem, Real

if TYPE_CHECKING:
    import numpy as np

    from gendsl.ir.graph import Builder, Node

TARGETS = ("torch_cpu", "triton_cuda")


@dataclass(frozen=True)
class NodeType:
    """Shape (symbolic sizes, by position) and element type of a graph node."""

    shape: tuple[Dim, ...]
    elem: Elem = Real()  # noqa: RUF009  (frozen)

    @property
    def rank(self) -> int:
        return len(self.shape)

    def __str__(self) -> str:
        return f"{self.elem}[{', '.join(map(str, self.shape))}]"


# ---- what a target does with an op --------------------------------------------------------


@dataclass(frozen=True)
class Inline:
    """An expression template over the operands: `torch.exp({0})`, `tl.exp({0})`."""

    template: str


@dataclass(frozen=True)
class Kernel:
    """Emitted by the named emitter function of the target (it sees node and sizes)."""

    name: str


@dataclass(frozen=True)
class Composite:
    """The target lowers the op to others (the emitter expands it)."""


@dataclass(frozen=True)
class Absent:
    """Not available on this target, with the reason shown to the user (E09xx)."""

    reason: str


Answer = Inline | Kernel | Composite | Absent


@dataclass(frozen=True)
class Facts:
    """Algebraic facts of an op over the reals, as functions of its first operand(s).

    range: values lie in [low, high] (None = unbounded), `open_*` when the bound is not attained.
    monotone: +1 / -1 per operand when the op is nondecreasing / nonincreasing in it, 0 unknown.
    linear: the op is linear in all operands jointly (sum, movement).
    domain: where the first operand must lie for the op to be defined ("all", "positive",
    "nonnegative", "nonzero", "above_minus_one"); "divisor": the second operand is not zero.
    kinks: values of the first operand (or of the difference of two) where the derivative jumps.
    """

    low: Fraction | None = None
    high: Fraction | None = None
    open_low: bool = False
    open_high: bool = False
    monotone: tuple[int, ...] = ()
    linear: bool = False
    domain: str = "all"
    kinks: tuple[Fraction, ...] = ()


@dataclass(frozen=True)
class Concrete:
    """What an evaluator knows when it runs an op: bound sizes, the real dtype, and draw keys."""

    sizes: Mapping[str, int]
    dtype: Any  # numpy dtype of reals: float64 (reference) or float32
    noise: Any = None  # the noise source for Draw (see gendsl.noise), None outside of runs

    def shape(self, type_: NodeType) -> tuple[int, ...]:
        return tuple(d.size(self.sizes) for d in type_.shape)


class TypingError(Exception):
    """An op applied to operands that its typing rule rejects: a bug of the compiler."""


class Op(ABC):
    """A primitive op. Subclasses are frozen dataclasses whose fields are the op's attributes."""

    name: ClassVar[str]
    facts: ClassVar[Facts] = Facts()
    targets: ClassVar[Mapping[str, Answer]] = {}
    surrogate: ClassVar[bool] = False  # the gradient is on purpose not the derivative

    @abstractmethod
    def infer(self, inputs: Sequence[NodeType]) -> NodeType:
        """The result type; raises `TypingError`."""

    @abstractmethod
    def reference(self, args: Sequence[np.ndarray[Any, Any]], out: NodeType, env: Concrete) -> Any:
        """The numpy meaning. Reals have dtype `env.dtype`, indices int64, booleans bool."""

    @abstractmethod
    def gradient(self, build: Builder, node: Node, cotangent: Node) -> Sequence[Node | None]:
        """Cotangents of the inputs (None = no gradient flows), given that of the result.

        Raises `NotDifferentiable` where a real input has no derivative rule.
        """

    @classmethod
    def samples(cls) -> Iterable[tuple[Op, tuple[NodeType, ...]]]:
        """Instances with operand types (over named sizes) that the contract tests run."""
        return ()

    def attributes(self) -> Mapping[str, Any]:
        """The op's fields by name, in order."""
        return {f.name: getattr(self, f.name) for f in fields(self)}  # type: ignore[arg-type]


class NotDifferentiable(Exception):
    """Raised by `Op.gradient`; becomes E0701 with the op's name and place."""


REGISTRY: dict[str, type[Op]] = {}


def register(cls: type[Any]) -> type[Any]:
    """Class decorator: enter the op into the registry, refusing incomplete ones."""
    if not cls.__doc__ or cls.__doc__.startswith(f"{cls.__name__}("):
        raise TypeError(f"op {cls.__name__} has no docstring")
    if cls.name in REGISTRY:
        raise TypeError(f"two ops are named {cls.name}")
    for target in TARGETS:
        if target not in cls.targets:
            raise TypeError(f"op {cls.name} has no answer for target {target}")
    REGISTRY[cls.name] = cls
    return cls
