"""Syntax of sizes, types and expressions; `gendsl.syntax.ast` offers these names too."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from gendsl.source.text import Span


@dataclass(frozen=True)
class Ident:
    """A name where it is introduced or used, with its place."""

    name: str
    span: Span


# ---- sizes and types ---------------------------------------------------------------------


@dataclass(frozen=True)
class SizeAxis:
    """`D`, `2*Z`, `time: T + 1`: an axis with an optional label."""

    label: Ident | None
    size: Expr
    span: Span


@dataclass(frozen=True)
class SizeGroup:
    """`(C H W)`, `(h p: P)`: a row-major flattened axis; `d: (C H W)` labels it."""

    label: Ident | None
    factors: tuple[SizeAxis, ...]
    span: Span


@dataclass(frozen=True)
class SizeSpread:
    """`..b`, or `..` (name None) which means "all axes" in a reduction."""

    name: Ident | None
    span: Span


SizeItem = SizeAxis | SizeGroup | SizeSpread


@dataclass(frozen=True)
class RangeExpr:
    """`0..1`, `0..inf`, `-1..1`: None is infinite."""

    low: Expr | None
    high: Expr | None
    span: Span


@dataclass(frozen=True)
class TypeExpr:
    """`[B, (C H W)] of fin[10] in 0..1`; `items` is None for a scalar (`real`, `bool`, `fin[K]`).

    `elem` is "real", "fin" or "bool"; `fin_bound` is set for "fin".
    """

    items: tuple[SizeItem, ...] | None
    elem: str
    fin_bound: Expr | None
    range: RangeExpr | None
    span: Span


@dataclass(frozen=True)
class NetTypeExpr:
    """`net(x: [..b, D], t: [..b] of fin[T + 1]) -> [..b, D]`: a net passed as an argument."""

    params: tuple[ParamSig, ...]
    result: ResultSig
    span: Span


# ---- expressions -------------------------------------------------------------------------


@dataclass(frozen=True)
class Name:
    """`x`, or a qualified `d.loss` (parts joined by dots)."""

    name: str
    span: Span


@dataclass(frozen=True)
class Number:
    """An exact literal: `1e-4` is 1/10000. `inf` is a Name."""

    value: Fraction
    text: str
    span: Span


@dataclass(frozen=True)
class BoolLit:
    value: bool
    span: Span


@dataclass(frozen=True)
class Unary:
    """op: "-" or "not"."""

    op: str
    operand: Expr
    span: Span


@dataclass(frozen=True)
class Binary:
    """op: + - * / ^ and or"""

    op: str
    left: Expr
    right: Expr
    span: Span


@dataclass(frozen=True)
class Compare:
    """op: == != < <= > >= (not chained)"""

    op: str
    left: Expr
    right: Expr
    span: Span


@dataclass(frozen=True)
class Arg:
    """A call argument, positional when `name` is None."""

    name: Ident | None
    value: Expr
    span: Span


@dataclass(frozen=True)
class Bracket:
    """`base[items]`: template arguments, reduced labels, or indexing."""

    base: Expr
    items: tuple[SizeItem, ...]
    span: Span


@dataclass(frozen=True)
class Call:
    """`callee(args)`; the callee is a Name or a Bracket of a Name."""

    callee: Expr
    args: tuple[Arg, ...]
    span: Span


@dataclass(frozen=True)
class Reshape:
    """`expand x: [B, C] -> [B, K, C]` (verb "expand") or `rearrange x: ... -> ...`."""

    verb: str
    operand: Expr
    source: tuple[SizeItem, ...]
    target: tuple[SizeItem, ...]
    span: Span


@dataclass(frozen=True)
class RangeValue:
    """`1..T` as an argument: `uniform(1..T)`."""

    range: RangeExpr
    span: Span


@dataclass(frozen=True)
class With:
    """`neg_elbo with beta = 0, gamma = 1`: substitution of hyperparameters (claims only)."""

    operand: Expr
    bindings: tuple[Arg, ...]
    span: Span


Expr = (
    Name
    | Number
    | BoolLit
    | Unary
    | Binary
    | Compare
    | Bracket
    | Call
    | Reshape
    | RangeValue
    | With
)


# ---- signatures ---------------------------------------------------------------------


@dataclass(frozen=True)
class ParamSig:
    """A formal argument; `type` None means it is inferred as a scalar real (claims only)."""

    name: Ident
    type: TypeExpr | NetTypeExpr | None
    default: Expr | None
    span: Span


@dataclass(frozen=True)
class ResultSig:
    """One unnamed type, or several named ones (`names` empty for the unnamed form)."""

    names: tuple[Ident, ...]
    types: tuple[TypeExpr, ...]
    span: Span
