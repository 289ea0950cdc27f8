"""Claims as the prover reads them: the claim bodies of the syntax, over graph nodes.

The lowering makes these beside the graph, over the same builder. What always holds:

- Substitution is done: `e with beta = 0` is a node in which the leaf of `beta` was replaced.
- Universally bound values are leaves `Input(kind="argument")`; indices (`for all j in fin[K]`) are
  argument leaves of elem `Fin`. Each is listed once in `Claim.variables`, with its declared range.
- A comparison of tensors means "everywhere": both sides have the same shape, or one is a scalar.
- `given`, `for all` and `for any` are prefixes in the syntax; here they are fields of `Claim`.
- A net named by `for any` was lowered as `NetCall` nodes (`gendsl.ops.symbolic`), not by its body.
- `E[eps](e)` is an `Expectation` node and `grad[x](y)` in a claim a `Derivative` node (same file).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction

from gendsl.ir.graph import Node
from gendsl.shape.dim import Dim
from gendsl.source.text import NOWHERE, Span

# ---- propositions ------------------------------------------------------------------------


@dataclass(frozen=True)
class Compare:
    """`left op right` everywhere; op is one of == != < <= > >=."""

    op: str
    left: Node
    right: Node


@dataclass(frozen=True)
class Holds:
    """A Boolean tensor that is true everywhere."""

    value: Node


@dataclass(frozen=True)
class And:
    parts: tuple[Prop, ...]


@dataclass(frozen=True)
class Or:
    parts: tuple[Prop, ...]


@dataclass(frozen=True)
class Not:
    part: Prop


@dataclass(frozen=True)
class GradTerm:
    """One summand of a gradient expression: `factor * grad(value, group)`; `factor` None is 1."""

    value: Node
    group: str
    factor: Node | None = None


@dataclass(frozen=True)
class GradEqual:
    """`grad(commitment, codebook) == 0`: two sums of gradients of one group, parameter by
    parameter; the empty sum is 0."""

    left: tuple[GradTerm, ...]
    right: tuple[GradTerm, ...] = ()


@dataclass(frozen=True)
class Lipschitz:
    """`lipschitz(f, x, norm) op bound`: the least Lipschitz constant of `body` as a function of the
    leaf `argument`, for all values of everything else. norm is "l1", "l2" or "max"."""

    body: Node
    argument: Node
    norm: str
    op: str
    bound: Node


Prop = Compare | Holds | And | Or | Not | GradEqual | Lipschitz


# ---- laws --------------------------------------------------------------------------------


@dataclass(frozen=True)
class LawSpec:
    """`normal(mean = .., var = ..)`: `dist` is "normal", "bernoulli", "uniform" or "categorical".

    `arguments` maps keyword to node: normal has "mean" and one of "var" (a diagonal: shape of the
    value, or scalar) and "cov" (the value's shape after its batch axes, twice); bernoulli has
    "logits" or "mean"; uniform "low", "high"; categorical "logits". `batch_axes` counts the leading
    axes over which a "cov" is not expanded."""

    dist: str
    arguments: Mapping[str, Node]
    batch_axes: int = 0


# ---- claim bodies ------------------------------------------------------------------------


@dataclass(frozen=True)
class Plain:
    """A proposition that holds."""

    prop: Prop


@dataclass(frozen=True)
class Iff:
    left: Prop
    right: Prop


@dataclass(frozen=True)
class Monotone:
    """direction "nondecreasing" or "nonincreasing" in the leaf `variable` (a hyperparameter, or a
    real scalar argument)."""

    value: Node
    variable: Node
    direction: str


@dataclass(frozen=True)
class InRange:
    """All entries lie in [low, high]; None is unbounded."""

    value: Node
    low: Node | None
    high: Node | None


@dataclass(frozen=True)
class HasLaw:
    """The law of `value` over the draws that it depends on, given everything else."""

    value: Node
    law: LawSpec


@dataclass(frozen=True)
class IterateLaw:
    """`for all t in 0..T: iterate(step, x, t) has law L(t)`.

    `step` is a node over the leaves `state` (an argument of the shape of `initial`) and `index` (an
    argument, the step number counted from 1); its draws are fresh at each step. `law` is over the
    leaf `count` (t). `held` are the tensors that every step is given: draws in them are drawn once,
    before the first step."""

    initial: Node
    state: Node
    index: Node
    step: Node
    count: Node
    law: LawSpec
    held: tuple[Node, ...] = ()


@dataclass(frozen=True)
class Independent:
    """`value`, or `grad(value, group)` when `group` is set, does not depend on the leaf
    `variable`."""

    value: Node
    group: str | None
    variable: Node


@dataclass(frozen=True)
class Leaves:
    """The training steps of `objective` leave the parameters of `group` unchanged."""

    objective: str
    group: str


@dataclass(frozen=True)
class RepeatInvariant:
    """`value` is unchanged when every input and draw with an axis of size `batch` is repeated."""

    value: Node
    batch: str


@dataclass(frozen=True)
class Separable:
    """value(a ++ b) is the size-weighted mean of value(a) and value(b), along size `batch`."""

    value: Node
    batch: str


@dataclass(frozen=True)
class UpTo:
    """left == c * right + d with c > 0 (1 unless `scale`) and d (0 unless `constant`), both free of
    the parameters of `groups`."""

    left: Node
    right: Node
    scale: bool
    constant: bool
    groups: tuple[str, ...]


@dataclass(frozen=True)
class Bounds:
    """`value bounds nll(target) under z: prior, x given z: likelihood, posterior law`.

    `latent` is the node of z in the objective; the likelihood's arguments are nodes over it. All
    laws are per example along the leading axis of size `batch`."""

    value: Node
    target: Node
    latent: Node
    prior: LawSpec
    likelihood: LawSpec
    posterior: LawSpec
    batch: str


Body = (
    Plain
    | Iff
    | Monotone
    | InRange
    | HasLaw
    | IterateLaw
    | Independent
    | Leaves
    | RepeatInvariant
    | Separable
    | UpTo
    | Bounds
)


@dataclass(frozen=True)
class Variable:
    """A universally bound leaf (`Input(kind="argument")`). Reals: low <= v <= high where set;
    indices: low <= v <= high as sizes where set (within 0 .. bound - 1 in any case)."""

    node: Node
    low: Fraction | Dim | None = None
    high: Fraction | Dim | None = None


@dataclass(frozen=True)
class Claim:
    """A named claim. `source` is its text as written; `subject` names what its block is about
    (objective, function, or ""); `aliases` are names under which others know the fact."""

    name: str
    body: Body
    source: str
    span: Span = NOWHERE
    given: tuple[Prop, ...] = ()
    variables: tuple[Variable, ...] = ()
    any_nets: tuple[str, ...] = ()
    subject: str = ""
    aliases: tuple[str, ...] = ()
