"""Indexing functions: gather, one-hot, segment sums, constant indices."""

from __future__ import annotations

from gendsl.core.builtins.arguments import terms
from gendsl.core.context import Builtin, CallSyntax, Context, describe
from gendsl.core.instantiate import repeated_label
from gendsl.core.show import plain, show_type
from gendsl.core.sizes import axis_argument
from gendsl.core.term import (
    GatherTerm,
    GradTerm,
    OneHotTerm,
    Poison,
    ScatterTerm,
    SizeTerm,
    Term,
)
from gendsl.shape.tensor_type import Axis, Fin, Item, Range, Real, Spread, TensorType
from gendsl.syntax import ast


def _one_axis(ctx: Context, call: CallSyntax) -> Axis | None:
    if call.items is None or len(call.items) != 1 or isinstance(call.items[0], ast.SizeSpread):
        ctx.error(
            "E0408",
            f"`{call.name}` wants one size in brackets",
            call.span,
            f"`{call.name}[K](...)`",
        )
        return None
    argument = axis_argument(call.items[0], ctx.body, ctx.sink)
    return None if argument is None else argument.axis()


def _one_hot(ctx: Context, call: CallSyntax) -> Term:
    """`one_hot[K](y)`: 1 at the index, 0 elsewhere, along a new last axis."""
    args, axis = terms(ctx, call, 1), _one_axis(ctx, call)
    if args is None or axis is None:
        return Poison(span=call.span)
    if not isinstance(args[0].type.elem, Fin) or args[0].type.elem.bound != axis.size:
        return ctx.error(
            "E0311", f"an index of fin[{plain(axis.size)}] is wanted", call.span, describe(args[0])
        )
    from fractions import Fraction

    type_ = TensorType((*args[0].type.items, axis), Real(), Range(Fraction(0), Fraction(1)))
    return OneHotTerm(args[0], axis.size, type=type_, span=call.span)


def _gather(ctx: Context, call: CallSyntax) -> Term:
    """`gather[K](table, index)`: index along K; leading axes before K are shared by position."""
    args, axis = terms(ctx, call, 2), _one_axis(ctx, call)
    if args is None or axis is None:
        return Poison(span=call.span)
    table, index = args
    at = next((i for i, item in enumerate(table.type.items) if item.label == axis.label), None)
    if at is None:
        return ctx.error(
            "E0413", f"no axis `{plain(axis.label)}` in {show_type(table.type)}", call.span
        )
    own = table.type.items[at]
    if (
        isinstance(own, Spread)
        or not isinstance(index.type.elem, Fin)
        or index.type.elem.bound != own.size
    ):
        return ctx.error(
            "E0311", f"an index of fin[{plain(own)}] is wanted", index.span, describe(index)
        )
    if table.type.items[:at] != index.type.items[:at]:
        return ctx.error(
            "E0402",
            "table and index must share the axes before the gathered one",
            call.span,
            f"{show_type(table.type)} and {show_type(index.type)}",
        )
    items: tuple[Item, ...] = (*index.type.items, *table.type.items[at + 1 :])
    if repeated_label(items) is not None:
        return ctx.error("E0406", f"two axes `{repeated_label(items)}` after gathering", call.span)
    type_ = TensorType(items, table.type.elem, table.type.range)
    return GatherTerm(table, index, at, type=type_, span=call.span)


def _segment_sum(ctx: Context, call: CallSyntax) -> Term:
    """`segment_sum[K](index, values)`: the values of each index summed, along a new first axis."""
    args, axis = terms(ctx, call, 2), _one_axis(ctx, call)
    if args is None or axis is None:
        return Poison(span=call.span)
    index, values = args
    rank = len(index.type.items)
    if not isinstance(index.type.elem, Fin) or index.type.elem.bound != axis.size:
        return ctx.error(
            "E0311", f"an index of fin[{plain(axis.size)}] is wanted", index.span, describe(index)
        )
    if values.type.items[:rank] != index.type.items:
        return ctx.error(
            "E0402",
            "the values must begin with the index's axes",
            call.span,
            f"{show_type(index.type)} and {show_type(values.type)}",
        )
    type_ = TensorType((axis, *values.type.items[rank:]))
    return ScatterTerm(index, values, 0, axis.size, type=type_, span=call.span)


def _last(ctx: Context, call: CallSyntax) -> Term:
    """`last[K]()`: the largest index of fin[K]."""
    axis = _one_axis(ctx, call)
    if axis is None or terms(ctx, call, 0) is None:
        return Poison(span=call.span)
    return SizeTerm(axis.size - 1, type=TensorType(elem=Fin(axis.size)), span=call.span)


def _grad(ctx: Context, call: CallSyntax) -> Term:
    """`grad[x](y)`: the gradient of the sum of y with respect to the value named x."""
    args = terms(ctx, call, 1)
    if args is None:
        return Poison(span=call.span)
    from gendsl.core.check_expr import term

    ok = call.items is not None and len(call.items) == 1 and isinstance(call.items[0], ast.SizeAxis)
    if not ok or call.items is None or not isinstance(call.items[0], ast.SizeAxis):
        return ctx.error("E0408", "`grad[x](y)` wants the name of a value in brackets", call.span)
    wrt = term(call.items[0].size, ctx)
    if isinstance(wrt, Poison):
        return wrt
    if not isinstance(wrt.type.elem, Real) or not isinstance(args[0].type.elem, Real):
        return ctx.error(
            "E0301", "gradients are of reals with respect to reals", call.span, describe(wrt)
        )
    return GradTerm(args[0], wrt, type=TensorType(wrt.type.items), span=call.span)


TABLE: dict[str, Builtin] = {
    "one_hot": _one_hot,
    "gather": _gather,
    "segment_sum": _segment_sum,
    "last": _last,
    "grad": _grad,
}
