"""Pointwise functions: `exp(x)`, `maximum(a, b)`, `where(c, a, b)`, `clamp(x, 0, 1)`, gradients."""

from __future__ import annotations

from gendsl.core.align import align
from gendsl.core.builtins.arguments import no_brackets, terms
from gendsl.core.context import Builtin, CallSyntax, Context, as_real, describe, make_op
from gendsl.core.ranges import pointwise as range_of
from gendsl.core.show import show_type
from gendsl.core.term import Apply, Poison, Term, WidenTerm
from gendsl.shape.tensor_type import Bool, Fin, Real, TensorType
from gendsl.source.text import Span

UNARY = (
    *("exp", "log", "expm1", "log1p", "sqrt", "rsqrt", "square", "abs", "sign", "floor"),
    *("relu", "sigmoid", "tanh", "softplus", "silu", "gelu", "erf", "sin", "cos"),
    *("reciprocal", "stop_grad"),
)
BINARY = ("maximum", "minimum", "straight_through")


def apply_op(name: str, args: tuple[Term, ...], span: Span) -> Term:
    """A pointwise op on already aligned real operands."""
    op = make_op(name)
    bounds = range_of(op, [a.type.range for a in args])
    return Apply(op, args, type=TensorType(args[0].type.items, Real(), bounds), span=span)


def _pointwise(count: int) -> Builtin:
    def builtin(ctx: Context, call: CallSyntax) -> Term:
        args = terms(ctx, call, count) if no_brackets(ctx, call) else None
        if args is None:
            return Poison(span=call.span)
        written = tuple(a.value for a in call.positional())
        for arg, expr in zip(args, written, strict=True):
            if not isinstance(arg.type.elem, Real):
                return ctx.error(
                    "E0301",
                    f"`{call.name}` wants reals, got {show_type(arg.type)}",
                    expr.span,
                    describe(arg, expr),
                    help=as_real(arg.type.elem),
                )
        aligned = align(ctx, args, call.span, written)
        return (
            Poison(span=call.span) if aligned is None else apply_op(call.name, aligned, call.span)
        )

    return builtin


def _where(ctx: Context, call: CallSyntax) -> Term:
    args = terms(ctx, call, 3) if no_brackets(ctx, call) else None
    if args is None:
        return Poison(span=call.span)
    condition, a, b = args
    written = tuple(arg.value for arg in call.positional())
    if not isinstance(condition.type.elem, Bool):
        return ctx.error(
            "E0301",
            "`where(condition, a, b)` chooses by a Boolean",
            written[0].span,
            describe(condition, written[0]),
            help="compare: `where(x > 0, a, b)`",
        )
    if type(a.type.elem) is not type(b.type.elem):
        return ctx.error(
            "E0301",
            "`where(condition, a, b)` gives values of one kind",
            call.span,
            f"{show_type(a.type)} and {show_type(b.type)}",
        )
    aligned = align(ctx, args, call.span, written)
    if aligned is None:
        return Poison(span=call.span)
    bounds = range_of(make_op("where"), [t.type.range for t in aligned])
    type_ = TensorType(aligned[0].type.items, a.type.elem, bounds)
    return Apply(make_op("where"), aligned, type=type_, span=call.span)


def _clamp(ctx: Context, call: CallSyntax) -> Term:
    args = terms(ctx, call, 3) if no_brackets(ctx, call) else None
    written = tuple(a.value for a in call.positional())
    aligned = align(ctx, args, call.span, written) if args else None
    if aligned is None:
        return Poison(span=call.span)
    x, low, high = aligned
    return apply_op("minimum", (apply_op("maximum", (x, low), call.span), high), call.span)


def _index(ctx: Context, call: CallSyntax) -> Term:
    """`index(t)`: an index (or a Boolean) as a real."""
    args = terms(ctx, call, 1) if no_brackets(ctx, call) else None
    if args is None:
        return Poison(span=call.span)
    if isinstance(args[0].type.elem, Real):
        return ctx.error("E0301", "`index` wants an index", call.span, describe(args[0]))
    return Apply(make_op("to_real"), args, type=TensorType(args[0].type.items), span=call.span)


def _widen(ctx: Context, call: CallSyntax) -> Term:
    """`widen(y)`: an index of fin[K] as one of fin[K + 1]."""
    args = terms(ctx, call, 1) if no_brackets(ctx, call) else None
    if args is None:
        return Poison(span=call.span)
    elem = args[0].type.elem
    if not isinstance(elem, Fin):
        return ctx.error("E0301", "`widen` wants an index", call.span, describe(args[0]))
    type_ = TensorType(args[0].type.items, Fin(elem.bound + 1))
    return WidenTerm(args[0], type=type_, span=call.span)


TABLE: dict[str, Builtin] = {
    **{name: _pointwise(1) for name in UNARY},
    **{name: _pointwise(2) for name in BINARY},
    "where": _where,
    "clamp": _clamp,
    "index": _index,
    "widen": _widen,
}
