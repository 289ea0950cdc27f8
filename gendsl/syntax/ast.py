"""The abstract syntax of a `.gml` module, as the user wrote it; every node has a span.

No names are resolved here. Sizes, values and call arguments share one expression grammar; what a
bracket means (`dense[O](x)`, `sum[Z](x)`, `codebook[k]`) is decided by the checker.
"""

from __future__ import annotations

from dataclasses import dataclass

from gendsl.source.text import Span
from gendsl.syntax.ast_expr import (
    Arg as Arg,
)
from gendsl.syntax.ast_expr import (
    Binary as Binary,
)
from gendsl.syntax.ast_expr import (
    BoolLit as BoolLit,
)
from gendsl.syntax.ast_expr import (
    Bracket as Bracket,
)
from gendsl.syntax.ast_expr import (
    Call as Call,
)
from gendsl.syntax.ast_expr import (
    Compare as Compare,
)
from gendsl.syntax.ast_expr import (
    Expr as Expr,
)
from gendsl.syntax.ast_expr import (
    Ident as Ident,
)
from gendsl.syntax.ast_expr import (
    Name as Name,
)
from gendsl.syntax.ast_expr import (
    NetTypeExpr as NetTypeExpr,
)
from gendsl.syntax.ast_expr import (
    Number as Number,
)
from gendsl.syntax.ast_expr import (
    ParamSig as ParamSig,
)
from gendsl.syntax.ast_expr import (
    RangeExpr as RangeExpr,
)
from gendsl.syntax.ast_expr import (
    RangeValue as RangeValue,
)
from gendsl.syntax.ast_expr import (
    Reshape as Reshape,
)
from gendsl.syntax.ast_expr import (
    ResultSig as ResultSig,
)
from gendsl.syntax.ast_expr import (
    SizeAxis as SizeAxis,
)
from gendsl.syntax.ast_expr import (
    SizeGroup as SizeGroup,
)
from gendsl.syntax.ast_expr import (
    SizeItem as SizeItem,
)
from gendsl.syntax.ast_expr import (
    SizeSpread as SizeSpread,
)
from gendsl.syntax.ast_expr import (
    TypeExpr as TypeExpr,
)
from gendsl.syntax.ast_expr import (
    Unary as Unary,
)
from gendsl.syntax.ast_expr import (
    With as With,
)

# ---- statements --------------------------------------------------------------------------


@dataclass(frozen=True)
class Assign:
    """`mu, logvar = encoder(x)`; `block = dense[hidden]` binds a layer instance."""

    targets: tuple[Ident, ...]
    value: Expr
    span: Span


@dataclass(frozen=True)
class DrawStmt:
    """`eps: [B, Z] ~ normal(mean = 0, var = 1)`; the value is a Call of a distribution."""

    target: Ident
    type: TypeExpr
    dist: Expr
    span: Span


@dataclass(frozen=True)
class Return:
    value: Expr
    span: Span


@dataclass(frozen=True)
class TermStmt:
    """`term kl = ...` in an objective."""

    target: Ident
    value: Expr
    span: Span


@dataclass(frozen=True)
class ShowStmt:
    """`show reconstruction = ...`: a picture made on held-out examples during training."""

    target: Ident
    value: Expr
    range: RangeExpr | None
    span: Span


@dataclass(frozen=True)
class Optimize:
    """`minimize e` (verb "minimize") or `maximize e`."""

    verb: str
    value: Expr
    span: Span


@dataclass(frozen=True)
class Update:
    """`update ema <- expr`: the state's value after the step."""

    target: Ident
    value: Expr
    span: Span


@dataclass(frozen=True)
class For:
    """`for (t, s) in descending(T, S) carrying x, y:`; the body re-binds the carried names."""

    indices: tuple[Ident, ...]
    iterable: Expr
    carrying: tuple[Ident, ...]
    body: tuple[Stmt, ...]
    span: Span


@dataclass(frozen=True)
class If:
    """`if train: ... else: ...` on a static flag."""

    condition: Expr
    then: tuple[Stmt, ...]
    otherwise: tuple[Stmt, ...]
    span: Span


# ---- declarations ------------------------------------------------------------------------


@dataclass(frozen=True)
class Import:
    """`import gaussian: reparameterize, kl_to_standard`"""

    module: Ident
    names: tuple[Ident, ...]
    span: Span


@dataclass(frozen=True)
class BatchDecl:
    name: Ident
    span: Span


@dataclass(frozen=True)
class DimDecl:
    """`dim T = 1000 >= 2`; `default` is None for `dim H >= 4` (bound by the data)."""

    name: Ident
    default: Expr | None
    at_least: Expr | None
    span: Span


@dataclass(frozen=True)
class HyperDecl:
    """`hyper beta = 1.0 in 0..inf`"""

    name: Ident
    default: Expr
    range: RangeExpr | None
    span: Span


@dataclass(frozen=True)
class ConstDecl:
    name: Ident
    type: TypeExpr
    value: Expr
    span: Span


@dataclass(frozen=True)
class DataDecl:
    """`data x: [B, (C H W)] in 0..1 from digits`; the range is in `type`."""

    name: Ident
    type: TypeExpr
    source: Ident | None
    span: Span


@dataclass(frozen=True)
class ParamDecl:
    """`param w: [I, O] init uniform(-1, 1)` · `param s: [D] > 0 init 1`; `positive` is `> 0`."""

    name: Ident
    type: TypeExpr
    positive: bool
    init: Expr | None
    span: Span


@dataclass(frozen=True)
class StateDecl:
    """`state ema: [K, C] = 0`"""

    name: Ident
    type: TypeExpr
    init: Expr
    span: Span


@dataclass(frozen=True)
class SizeParam:
    """A size parameter in brackets: `[O]`, `[N = 64]`, `[O, k = 3]`; or a spread `[..s]`, whose
    labels every call states."""

    name: Ident
    default: Expr | None
    span: Span
    spread: bool = False


@dataclass(frozen=True)
class FnDecl:
    """kind: "fn", "kernel", "layer", "net" or "sampler"; `coupled` only for nets and layers."""

    kind: str
    name: Ident
    sizes: tuple[SizeParam, ...]
    params: tuple[ParamSig, ...]
    result: ResultSig
    coupled: bool
    body: tuple[Stmt, ...]
    span: Span


@dataclass(frozen=True)
class ObjectiveDecl:
    name: Ident
    body: tuple[Stmt, ...]
    span: Span


# ---- training recipe ---------------------------------------------------------------------


@dataclass(frozen=True)
class TrainStep:
    """`step neg_elbo over encoder, decoder with adam(lr = 1e-3) times 5`; `maximize step ...`."""

    objective: Ident
    groups: tuple[Ident, ...]
    optimizer: Expr
    times: Expr | None
    maximize: bool
    span: Span


@dataclass(frozen=True)
class TrainSchedule:
    """`schedule beta = linear_warmup(0, 1, steps = 1000)`"""

    target: Ident
    value: Expr
    span: Span


@dataclass(frozen=True)
class TrainSetting:
    """`batch B = 128` (key "batch", axis B) · `steps 2000` · `clip 1.0` · `ema 0.999` ·
    `precision tf32` (a name)."""

    key: str
    axis: Ident | None
    value: Expr
    span: Span


@dataclass(frozen=True)
class TrainDecl:
    items: tuple[TrainStep | TrainSchedule | TrainSetting, ...]
    span: Span


# ---- claims ------------------------------------------------------------------------------


@dataclass(frozen=True)
class Proposition:
    """A Boolean expression: comparison, `and`/`or`, or a call."""

    value: Expr
    span: Span


@dataclass(frozen=True)
class Iff:
    left: Expr
    right: Expr
    span: Span


@dataclass(frozen=True)
class Monotone:
    """`e is nondecreasing in beta`; direction "nondecreasing" or "nonincreasing"."""

    value: Expr
    direction: str
    variable: Ident
    span: Span


@dataclass(frozen=True)
class InRange:
    """`sigmoid(decoder(z)) in 0..1`"""

    value: Expr
    range: RangeExpr
    span: Span


@dataclass(frozen=True)
class HasLaw:
    """`z has law normal(mean = mu, var = exp(logvar))`"""

    value: Expr
    law: Expr
    span: Span


@dataclass(frozen=True)
class Independent:
    """`grad(vq, codebook) does not depend on beta`"""

    value: Expr
    variable: Ident
    span: Span


@dataclass(frozen=True)
class Leaves:
    """`step d_loss leaves generator unchanged`"""

    objective: Ident
    group: Ident
    span: Span


@dataclass(frozen=True)
class RepeatInvariant:
    """`neg_elbo is unchanged by repeating the batch`"""

    value: Expr
    span: Span


@dataclass(frozen=True)
class Separable:
    """`neg_elbo is separable over B`"""

    value: Expr
    axis: Ident
    span: Span


@dataclass(frozen=True)
class UpTo:
    """`a == b up to scale and constant in (encoder, decoder)`; at least one flag is set."""

    left: Expr
    right: Expr
    scale: bool
    constant: bool
    groups: tuple[Ident, ...]
    span: Span


@dataclass(frozen=True)
class Law:
    """`z: normal(...)` (given None) or `x given z: bernoulli(logits)` in a declared model."""

    variable: Ident
    given: Ident | None
    law: Expr
    span: Span


@dataclass(frozen=True)
class Bounds:
    """`neg_elbo bounds nll(x) under z: PRIOR, x given z: LIKELIHOOD, posterior LAW`"""

    value: Expr
    target: Expr
    prior: Law
    likelihood: Law
    posterior: Expr
    span: Span


@dataclass(frozen=True)
class Given:
    """`given P: claim`"""

    hypothesis: Expr
    claim: ClaimBody
    span: Span


@dataclass(frozen=True)
class ForAll:
    """`for all j in fin[K]: claim` (fin_bound) · `for all t in 0..T: claim` (range)."""

    variable: Ident
    fin_bound: Expr | None
    range: RangeExpr | None
    claim: ClaimBody
    span: Span


@dataclass(frozen=True)
class ForAny:
    """`claim for any denoiser`: the net is opaque, not its body."""

    claim: ClaimBody
    nets: tuple[Ident, ...]
    span: Span


ClaimBody = (
    Proposition
    | Iff
    | Monotone
    | InRange
    | HasLaw
    | Independent
    | Leaves
    | RepeatInvariant
    | Separable
    | UpTo
    | Bounds
    | Given
    | ForAll
    | ForAny
)


@dataclass(frozen=True)
class Claim:
    """`kl_nonneg: kl >= 0`; `source` is the claim's text as written. `kl_zero as NAME: ...` gives
    it a second name, under which another system knows the fact."""

    name: Ident
    body: ClaimBody
    source: str
    span: Span
    alias: Ident | None = None


@dataclass(frozen=True)
class ClaimsDecl:
    """`claims neg_elbo:` (subject) · `claims kl_to_standard(mu, logvar):` (params) · `claims:`."""

    subject: Ident | None
    params: tuple[Ident, ...]
    claims: tuple[Claim, ...]
    span: Span


Stmt = Assign | DrawStmt | Return | TermStmt | ShowStmt | Optimize | Update | For | If | ParamDecl

Decl = (
    Import
    | BatchDecl
    | DimDecl
    | HyperDecl
    | ConstDecl
    | DataDecl
    | ParamDecl
    | StateDecl
    | FnDecl
    | ObjectiveDecl
    | TrainDecl
    | ClaimsDecl
)


@dataclass(frozen=True)
class Module:
    """One parsed file. `declarations` are in source order; broken ones are left out."""

    path: str
    declarations: tuple[Decl, ...]
