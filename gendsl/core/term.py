"""Core terms: typed expressions of checked bodies, as a shared DAG.

A body is checked once, with rigid local sizes (`O@nn.dense`) and rigid spreads. Every term has a
`TensorType`; where the surface aligned operands by label, the term holds *item positions*, so that
instantiating a spread never resolves an alignment again. Names are gone: a let-bound name is the
term it stands for, shared; term identity is object identity. Lowering (`gendsl.ir.from_core`)
interprets terms under an environment of sizes, spreads and arguments.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction

from gendsl.ir.op import Op
from gendsl.shape.dim import Dim
from gendsl.shape.tensor_type import REAL, Axis, Fin, Item, Range, TensorType
from gendsl.source.text import NOWHERE, Span


@dataclass(frozen=True, eq=False, kw_only=True)
class Term:
    """Base: `type` and `span` of every core term."""

    type: TensorType = REAL
    span: Span = field(default=NOWHERE, repr=False)


# ---- leaves ------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Literal(Term):
    value: Fraction


@dataclass(frozen=True, eq=False)
class Flag(Term):
    """A static Boolean: a literal (`name` None) or a flag parameter of the enclosing function."""

    name: str | None
    value: bool = False


@dataclass(frozen=True, eq=False)
class SizeTerm(Term):
    """A size used as a real number, or (elem fin) as a constant index."""

    dim: Dim


@dataclass(frozen=True, eq=False)
class Local(Term):
    """A value parameter of the enclosing function, sampler or claim."""

    name: str


@dataclass(frozen=True, eq=False)
class GlobalTerm(Term):
    """A declared tensor; kind "data", "hyper", "const", "state" or "param"."""

    kind: str
    name: str


@dataclass(frozen=True, eq=False)
class OwnParam(Term):
    """A trainable parameter declared in the enclosing layer or net, at `name` under its path."""

    name: str
    init: Term | None
    positive: bool


@dataclass(frozen=True, eq=False)
class Draw(Term):
    """A standard draw ("normal", "uniform", "bits") named `name` in the enclosing body."""

    name: str
    dist: str
    bound: Dim | None = None
    low: Dim | None = None


@dataclass(frozen=True, eq=False)
class IotaTerm(Term):
    """0, 1, ..., size - 1 along the only axis of the type."""


# ---- applications ------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Apply(Term):
    """A pointwise op on operands with equal items."""

    op: Op
    args: tuple[Term, ...]


@dataclass(frozen=True, eq=False)
class WidenTerm(Term):
    """An index as an index of a larger bound (the bound is in the type)."""

    arg: Term


@dataclass(frozen=True, eq=False)
class Spreadout(Term):
    """Explicit broadcast: item i of the operand becomes item `positions[i]` of the result."""

    arg: Term
    positions: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Reduce(Term):
    """kind: sum, mean, max, min, logsumexp, all, any; over the operand's `items`."""

    kind: str
    arg: Term
    items: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class AlongAxis(Term):
    """kind: softmax, log_softmax, cumsum, cumprod, argmin, argmax, argsort, flip; at one item."""

    kind: str
    arg: Term
    item: int


@dataclass(frozen=True, eq=False)
class ContractTerm(Term):
    """Einsum over items: equal integers are the same axis; those not in `out` are summed."""

    left: Term
    right: Term
    left_ids: tuple[int, ...]
    right_ids: tuple[int, ...]
    out_ids: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class RearrangeTerm(Term):
    """Open groups, permute, close groups. `opened` are the operand's items with groups opened,
    `order` the permutation of them, `groups` how many consecutive ones each result item takes."""

    arg: Term
    opened: tuple[Item, ...]
    order: tuple[int, ...]
    groups: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class SliceTerm(Term):
    arg: Term
    item: int
    start: Dim
    length: Dim
    step: int = 1


@dataclass(frozen=True, eq=False)
class PadTerm(Term):
    """Zeros before and after along one item."""

    arg: Term
    item: int
    before: Dim
    after: Dim


@dataclass(frozen=True, eq=False)
class ConcatTerm(Term):
    args: tuple[Term, ...]
    item: int


@dataclass(frozen=True, eq=False)
class GatherTerm(Term):
    """`table` has `batch` leading items shared with `index`, then the gathered axis."""

    table: Term
    index: Term
    batch: int


@dataclass(frozen=True, eq=False)
class ScatterTerm(Term):
    """Segment sum: adds `values` at `index` into a new axis after `batch` leading items."""

    index: Term
    values: Term
    batch: int
    size: Dim


@dataclass(frozen=True, eq=False)
class OneHotTerm(Term):
    arg: Term
    bound: Dim


@dataclass(frozen=True, eq=False)
class ConvTerm(Term):
    """kind "conv2d" or "conv_transpose2d"; pads are (top, bottom, left, right). The operand's
    last three items are channels, height, width; leading items are folded to one axis."""

    kind: str
    x: Term
    weight: Term
    stride: Dim
    pads: tuple[Dim, Dim, Dim, Dim]


@dataclass(frozen=True, eq=False)
class Choose(Term):
    """Static choice by a flag."""

    flag: Term
    then: Term
    otherwise: Term


@dataclass(frozen=True, eq=False)
class Invoke:
    """One call of a function, layer, kernel or net: instantiation plus arguments.

    `target` is a definition, or the name of a net parameter of the enclosing function. `instance`
    names the parameters of a layer ("h") and, with `occurrence`, the draws of this call.
    """

    target: FnDef | str
    dims: Mapping[str, Dim]
    spreads: Mapping[str, tuple[Item, ...]]
    args: Mapping[str, Term]
    flags: Mapping[str, Term]
    nets: Mapping[str, FnDef | str]
    instance: str | None
    occurrence: str
    span: Span


@dataclass(frozen=True, eq=False)
class CallResult(Term):
    """One result of a call."""

    call: Invoke
    result: int


@dataclass(frozen=True, eq=False)
class GradTerm(Term):
    """`grad[x](y)`: the gradient of the sum of `output` with respect to `wrt`."""

    output: Term
    wrt: Term


@dataclass(frozen=True, eq=False)
class ParamGrad(Term):
    """`grad(term, group)` in a claim: the gradients of a scalar for every parameter of a group."""

    output: Term
    group: str


@dataclass(frozen=True)
class LoopSequence:
    """The values of a loop index over the iterations k < count. kind "ascending": k; with the total
    T = bound - 1, "descending": (count - k) T // count; "descending_next": the same at k + 1."""

    kind: str
    count: Dim
    elem: Fin


@dataclass(frozen=True, eq=False)
class LoopDef:
    """`for i in ... carrying ...`: `index_names` are the loop-bound locals with their `sequences`;
    `initial` and `next` the carried values."""

    name: str
    count: Dim
    index_names: tuple[str, ...]
    sequences: tuple[LoopSequence, ...]
    carried: tuple[str, ...]
    initial: tuple[Term, ...]
    next: tuple[Term, ...]
    span: Span


@dataclass(frozen=True, eq=False)
class LoopResultTerm(Term):
    loop: LoopDef
    result: int


# ---- definitions -------------------------------------------------------------------------


@dataclass(frozen=True)
class Formal:
    """A parameter: a tensor (`type`), a static flag (type bool, `flag`), or a net (`net`)."""

    name: str
    type: TensorType
    default: Fraction | bool | str | None = None
    flag: bool = False
    net: Signature | None = None
    span: Span = NOWHERE


@dataclass(frozen=True)
class Signature:
    """What a caller sees. `sizes` are the bracket parameters with defaults, in order; `implicit`
    the other local sizes (solved from the arguments); all by internal name (`O@nn.dense`)."""

    name: str
    kind: str
    sizes: tuple[tuple[str, Dim | None], ...]
    bracket_spread: str | None
    implicit: tuple[str, ...]
    spreads: tuple[str, ...]
    formals: tuple[Formal, ...]
    result_names: tuple[str, ...]
    results: tuple[TensorType, ...]
    coupled: bool
    span: Span

    def describe(self) -> str:
        """One line for people: `net encoder(x: [..b, D]) -> (mu: [..b, Z], logvar: [..b, Z])`."""
        from gendsl.core.show import show_signature

        return show_signature(self)


@dataclass(frozen=True, eq=False)
class FnDef:
    """A checked function, kernel, layer, net or sampler: signature, result terms, and the size
    conditions that an instantiation inherits."""

    signature: Signature
    outputs: tuple[Term, ...]
    conditions: tuple[tuple[str, Dim, Dim, Span], ...]
    names: Mapping[str, Term]
    params: tuple[OwnParam, ...]

    @property
    def name(self) -> str:
        return self.signature.name


@dataclass(frozen=True)
class ShowDef:
    term: Term
    range: Range | None


@dataclass(frozen=True)
class ObjectiveDef:
    """A checked objective: every named value, the named scalar terms, and the loss."""

    name: str
    sense: str
    loss: Term
    terms: Mapping[str, Term]
    scope: Mapping[str, Term]
    shows: Mapping[str, ShowDef]
    updates: Mapping[str, Term]
    span: Span


@dataclass(frozen=True)
class AxisArg:
    """What a local size is instantiated with: a size, and how an axis of it is labelled."""

    label: str
    size: Dim
    factors: tuple[object, ...] = ()

    def axis(self) -> Axis:
        return Axis(self.label, self.size, self.factors)  # type: ignore[arg-type]


@dataclass(frozen=True, eq=False)
class Poison(Term):
    """Stands for a term whose check failed: whatever uses it is poison too, silently."""


# ---- terms of claims only ----------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class WithTerm(Term):
    """`e with beta = 0`: the term with hyperparameters replaced by values."""

    arg: Term
    bindings: Mapping[str, Term]


@dataclass(frozen=True, eq=False)
class ExpectTerm(Term):
    """`E[eps](e)`: the mean over the named draws of the subject objective."""

    arg: Term
    draws: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class PiTerm(Term):
    """The number pi."""


@dataclass(frozen=True, eq=False)
class Bound(Term):
    """A universally bound value of a claim (an argument leaf of the graph)."""

    name: str
    shape_items: tuple[Item, ...] = ()
