"""Expressions: from syntax to typed core terms.

`term(expr, ctx)` never raises: a problem is reported once and yields poison, which silences
everything that uses it.
"""

from __future__ import annotations

from fractions import Fraction

from gendsl.core.align import align
from gendsl.core.builtins import BUILTINS
from gendsl.core.check_call import call, indexing
from gendsl.core.context import CallSyntax, Context, as_real, describe, make_op, poisoned
from gendsl.core.program import DimInfo
from gendsl.core.ranges import pointwise as range_of
from gendsl.core.rearrange import expand, rearrange
from gendsl.core.scope import FnEntity, ObjectiveEntity, ValueEntity
from gendsl.core.show import show_kind, show_type
from gendsl.core.sizes import constant
from gendsl.core.term import Apply, Flag, GlobalTerm, Literal, PiTerm, Poison, SizeTerm, Term
from gendsl.core.unknown import advice
from gendsl.diagnostics.model import Label
from gendsl.shape.dim import Dim
from gendsl.shape.tensor_type import Bool, Fin, Range, Real, TensorType
from gendsl.syntax import ast

_ARITHMETIC = {"+": "add", "-": "sub", "*": "mul", "/": "div"}
_COMPARISON = {"==": "equal", "!=": "not_equal", "<": "less", "<=": "less_equal"}


def term(expr: ast.Expr, ctx: Context) -> Term:
    """The typed term of an expression."""
    match expr:
        case ast.Number(value=value):
            return Literal(value, type=TensorType(range=Range(value, value)), span=expr.span)
        case ast.BoolLit(value=flag):
            return Flag(None, flag, type=TensorType(elem=Bool()), span=expr.span)
        case ast.Name():
            return name(expr, ctx)
        case ast.Unary(op="-", operand=operand):
            return real_op("neg", (term(operand, ctx),), ctx, expr)
        case ast.Unary(operand=operand):
            return logic("not", (term(operand, ctx),), ctx, expr)
        case ast.Binary(op="and" | "or" as op, left=left, right=right):
            return logic(op, (term(left, ctx), term(right, ctx)), ctx, expr)
        case ast.Binary(op="^", left=left, right=right):
            return power(term(left, ctx), right, ctx, expr)
        case ast.Binary(op=op, left=left, right=right):
            return real_op(_ARITHMETIC[op], (term(left, ctx), term(right, ctx)), ctx, expr)
        case ast.Compare():
            return comparison(expr, ctx)
        case ast.Bracket():
            return indexing(expr, ctx, term)
        case ast.Call():
            return _call(expr, ctx)
        case ast.Reshape(verb="expand"):
            return expand(expr, term(expr.operand, ctx), ctx)
        case ast.Reshape():
            return rearrange(expr, term(expr.operand, ctx), ctx)
        case ast.RangeValue():
            return ctx.error("E0302", "a range is not a value", expr.span, "only `uniform(a..b)`")
        case ast.With():
            return ctx.error("E0601", "`with` stands only in claims", expr.span, "not a claim")


def _call(expr: ast.Call, ctx: Context) -> Term:
    parts = CallSyntax.of(expr)
    if parts is None:
        return ctx.error("E0303", "only a name can be called", expr.span, "not a function")
    syntax, place = parts
    body = ctx.body
    own = (
        syntax.name in body.module.entities
        or syntax.name in body.nets
        or syntax.name in body.instances
    )
    if syntax.name in BUILTINS and not own:
        return BUILTINS[syntax.name](ctx, syntax)
    return call(syntax, place, ctx, term)


def name(expr: ast.Name, ctx: Context) -> Term:
    """A name as a value."""
    body = ctx.body
    if expr.name in body.values:
        return body.values[expr.name]
    if expr.name in body.sizes:
        return SizeTerm(body.sizes[expr.name], span=expr.span)
    match body.module.entities.get(expr.name):
        case DimInfo():
            return SizeTerm(Dim.name(expr.name), span=expr.span)
        case ValueEntity(kind=kind) as entity:
            if kind == "data" and body.kind not in ("objective", "claims"):
                return ctx.error(
                    "E0506",
                    f"`{expr.name}` is data: {show_kind(body.kind)} does not see it",
                    expr.span,
                    "only objectives and their claims see data",
                    labels=(Label(entity.span, "declared here"),),
                    help=_without_data(body.kind),
                )
            return GlobalTerm(kind, expr.name, type=entity.type, span=expr.span)
        case FnEntity(decl=decl):
            return ctx.error(
                "E0303", f"`{expr.name}` is a {decl.kind}, not a value", expr.span, "call it"
            )
        case ObjectiveEntity():
            return ctx.error(
                "E0303", f"`{expr.name}` is an objective", expr.span, "not a value here"
            )
        case None:
            return _unknown(expr, ctx)


def _without_data(kind: str) -> str:
    if kind == "sampler":
        return "a sampler makes examples from draws; reconstructions are shown by the objective"
    return "make it a parameter, and pass the data from the objective"


def _unknown(expr: ast.Name, ctx: Context) -> Term:
    body = ctx.body
    if expr.name in body.module.broken:
        return Poison(span=expr.span)
    if expr.name == "pi":
        return PiTerm(type=TensorType(range=Range(Fraction(3), Fraction(4))), span=expr.span)
    if expr.name in BUILTINS or expr.name in body.instances:
        return ctx.error("E0303", f"`{expr.name}` is a function, not a value", expr.span, "call it")
    bound = [n for n, value in body.values.items() if not isinstance(value, Poison)]
    known = [*bound, *body.sizes, *body.module.entities, *BUILTINS]
    poison = ctx.error(
        "E0201",
        f"unknown name `{expr.name}`",
        expr.span,
        "not in scope",
        help=advice(expr.name, known, ctx),
    )
    body.values[expr.name] = poison  # reported here, not at every use in this body
    return poison


def real_op(op_name: str, args: tuple[Term, ...], ctx: Context, expr: ast.Expr) -> Term:
    """A pointwise op on reals, with alignment."""
    if poisoned(*args):
        return Poison(span=expr.span)
    for arg, written in zip(args, operands(expr), strict=True):
        if not isinstance(arg.type.elem, Real):
            return ctx.error(
                "E0301",
                f"arithmetic wants reals, got {show_type(arg.type)}",
                written.span,
                describe(arg, written),
                help=as_real(arg.type.elem),
            )
    aligned = align(ctx, args, expr.span, operands(expr))
    if aligned is None:
        return Poison(span=expr.span)
    op = make_op(op_name)
    bounds = range_of(op, [a.type.range for a in aligned])
    return Apply(
        op, aligned, type=TensorType(aligned[0].type.items, Real(), bounds), span=expr.span
    )


def operands(expr: ast.Expr) -> tuple[ast.Expr, ...]:
    """The operands of an operator, as written."""
    match expr:
        case ast.Binary(left=left, right=right) | ast.Compare(left=left, right=right):
            return (left, right)
        case ast.Unary(operand=operand):
            return (operand,)
        case _:
            return ()


def logic(op_name: str, args: tuple[Term, ...], ctx: Context, expr: ast.Expr) -> Term:
    if poisoned(*args):
        return Poison(span=expr.span)
    for arg, written in zip(args, operands(expr), strict=True):
        if not isinstance(arg.type.elem, Bool):
            return ctx.error(
                "E0301", f"`{op_name}` wants Booleans", written.span, describe(arg, written)
            )
    aligned = align(ctx, args, expr.span, operands(expr))
    if aligned is None:
        return Poison(span=expr.span)
    type_ = TensorType(aligned[0].type.items, Bool())
    return Apply(make_op(op_name), aligned, type=type_, span=expr.span)


def power(base: Term, exponent: ast.Expr, ctx: Context, expr: ast.Expr) -> Term:
    """`x ^ c` with a constant rational exponent."""
    value = constant(exponent)
    if value is None:
        return ctx.error(
            "E0302",
            "an exponent is a constant",
            exponent.span,
            "not a number",
            help="write `exp(y * log(x))` for a general power",
        )
    if poisoned(base):
        return base
    if not isinstance(base.type.elem, Real):
        return ctx.error("E0301", "`^` wants a real", base.span, describe(base))
    op = make_op("square") if value == 2 else make_op("power", exponent=Fraction(value))
    bounds = range_of(op, [base.type.range])
    return Apply(op, (base,), type=TensorType(base.type.items, Real(), bounds), span=expr.span)


def comparison(expr: ast.Compare, ctx: Context) -> Term:
    """`a < b` as a Boolean tensor; indices compare with indices and with sizes."""
    left, right = term(expr.left, ctx), term(expr.right, ctx)
    written = operands(expr)
    if poisoned(left, right):
        return Poison(span=expr.span)
    left, right = as_index_like(left, right), as_index_like(right, left)
    kinds = {type(left.type.elem), type(right.type.elem)}
    if len(kinds) > 1 or (kinds == {Bool} and expr.op not in ("==", "!=")):
        return ctx.error(
            "E0301",
            f"cannot compare {show_type(left.type)} with {show_type(right.type)}",
            expr.span,
            "different kinds of values",
        )
    if expr.op in (">", ">="):
        left, right, written = right, left, written[::-1]
    aligned = align(ctx, (left, right), expr.span, written)
    if aligned is None:
        return Poison(span=expr.span)
    op = make_op(_COMPARISON[{">": "<", ">=": "<="}.get(expr.op, expr.op)])
    return Apply(op, aligned, type=TensorType(aligned[0].type.items, Bool()), span=expr.span)


def as_index_like(a: Term, other: Term) -> Term:
    """A size or integer literal met by an index becomes a constant index of the same bound."""
    if not isinstance(other.type.elem, Fin) or not isinstance(a.type.elem, Real):
        return a
    if isinstance(a, SizeTerm):
        return SizeTerm(a.dim, type=TensorType(elem=other.type.elem), span=a.span)
    if isinstance(a, Literal) and a.value.denominator == 1 and a.value >= 0:
        return SizeTerm(Dim.of(int(a.value)), type=TensorType(elem=other.type.elem), span=a.span)
    return a
