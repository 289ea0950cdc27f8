"""The checked program's declarations, as every later stage reads them.

Expressions and bodies are core terms (`gendsl.core.term`), checked once with rigid sizes. What is
here is what data loading, the training loop and the reports need besides the graph.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction

from gendsl.core.term import FnDef, ObjectiveDef, Term
from gendsl.shape.dim import Dim
from gendsl.shape.tensor_type import Elem, Factor, Range, TensorType
from gendsl.source.text import Span


@dataclass(frozen=True)
class DimInfo:
    """A size. kind: "batch" (example axis), "data" (bound by a data field), "dim" (declared).

    `default` is set for declared sizes that have one; every size is >= `at_least` (>= 1)."""

    name: str
    kind: str
    default: int | None
    at_least: Dim
    span: Span


@dataclass(frozen=True)
class HyperInfo:
    name: str
    default: Fraction
    range: Range
    span: Span


@dataclass(frozen=True)
class DataField:
    """`data x: [B, (C H W)] in 0..1 from digits`: a field of the default data set `source`.

    `batch` is the batch size's name. Per example: `factors` are the sizes after the batch axis,
    flattened groups opened (C, H, W), so that data of shape (n, C, H, W) or (n, H, W) binds them;
    `type` is the declared tensor type. A label field has no factors and elem Fin."""

    name: str
    type: TensorType
    batch: str
    factors: tuple[Factor, ...]
    elem: Elem
    range: Range | None
    source: str | None
    span: Span


@dataclass(frozen=True)
class SizeCondition:
    """A condition on sizes found by the checker: `text` is `4 | H`, `T >= 2` ...; it holds when
    `kind` "divides": `divisor` divides `dividend`; "positive": `dividend` >= 1; "equal": equal."""

    kind: str
    divisor: Dim
    dividend: Dim
    span: Span

    @property
    def text(self) -> str:
        match self.kind:
            case "divides":
                return f"{self.divisor} | {self.dividend}"
            case "equal":
                return f"{self.divisor} == {self.dividend}"
            case _:
                return f"{self.dividend} >= 1"

    def holds(self, sizes: Mapping[str, int]) -> bool:
        """At these sizes. Raises KeyError for a size that is not among them and ZeroDivisionError
        where a size is a quotient by zero."""
        divisor, dividend = self.divisor.evaluate(sizes), self.dividend.evaluate(sizes)
        match self.kind:
            case "divides":
                return divisor != 0 and (dividend / divisor).denominator == 1
            case "equal":
                return divisor == dividend
            case _:
                return dividend >= 1


@dataclass(frozen=True)
class OptimizerSpec:
    """`adam(lr = 1e-3, beta1 = 0.9, ...)`: name ("sgd", "adam", "adamw") and its numbers.

    A scheduled "lr" replaces the number (see `Recipe.schedules`)."""

    name: str
    options: Mapping[str, Fraction]


@dataclass(frozen=True)
class RecipeStep:
    """One `step OBJECTIVE over GROUPS with OPTIMIZER [times n]` line."""

    objective: str
    groups: tuple[str, ...]
    optimizer: OptimizerSpec
    times: int
    maximize: bool
    span: Span


@dataclass(frozen=True)
class Recipe:
    """The `train:` block. `clip` is a global gradient-norm bound; `ema` a decay, or None;
    `precision` a policy of `gendsl.precision`, or None where the program says none.

    `schedules` names the scheduled hyperparameters (and "lr"); their values are scalar nodes over
    the step input in `Graph.schedules`, and `written` has them as the program writes them."""

    steps_lines: tuple[RecipeStep, ...]
    batch: int
    steps: int
    schedules: tuple[str, ...] = ()
    clip: Fraction | None = None
    ema: Fraction | None = None
    precision: str | None = None
    written: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Interface:
    """Everything about a checked program that is not a term."""

    path: str
    dims: Mapping[str, DimInfo]
    hypers: Mapping[str, HyperInfo]
    data: Mapping[str, DataField]
    conditions: tuple[SizeCondition, ...]
    recipe: Recipe | None
    shapes: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class FreeParam:
    """A parameter declared at the top level: a group of its own."""

    name: str
    type: TensorType
    positive: bool
    init: Term
    span: Span


@dataclass(frozen=True)
class Program:
    """The checked program: declarations, definitions, and the terms that lowering starts from.

    `nets` are the nets that are called, with the sizes of their implicit dims; `claims` are checked
    claims in source order (see `gendsl.core.check_claim`)."""

    interface: Interface
    functions: Mapping[str, FnDef]
    net_dims: Mapping[str, Mapping[str, Dim]]
    constants: Mapping[str, Term]
    params: Mapping[str, FreeParam]
    states: Mapping[str, Term]
    objectives: Mapping[str, ObjectiveDef]
    samplers: Mapping[str, FnDef]
    schedules: Mapping[str, Term]
    claims: tuple[CheckedClaim, ...]
    value_types: Mapping[str, TensorType]


@dataclass(frozen=True)
class CheckedClaim:
    """A claim whose expressions are core terms: `body` mirrors the syntax's claim bodies (see
    `gendsl.core.check_claim`); `subject` is the objective or function it is about, or ""."""

    name: str
    body: object
    source: str
    subject: str
    locals: Mapping[str, TensorType]
    span: Span
