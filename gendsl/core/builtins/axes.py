"""Functions along labelled axes: reductions, softmax, cumulative sums, argmin, contraction."""

from __future__ import annotations

from gendsl.core.builtins.arguments import item_positions, one_item, terms
from gendsl.core.context import Builtin, CallSyntax, Context, describe
from gendsl.core.instantiate import repeated_label
from gendsl.core.matching import same_size
from gendsl.core.show import plain
from gendsl.core.sizes import axis_argument
from gendsl.core.term import AlongAxis, AxisArg, ContractTerm, IotaTerm, Poison, Reduce, Term
from gendsl.diagnostics.model import Label
from gendsl.shape.tensor_type import Axis, Bool, Fin, Item, Range, Real, TensorType
from gendsl.syntax import ast

REDUCTIONS = ("sum", "mean", "max", "min", "logsumexp")
ALONG = ("softmax", "log_softmax", "cumsum", "cumprod", "argmin", "argmax", "argsort", "flip")


def _reduction(ctx: Context, call: CallSyntax) -> Term:
    args = terms(ctx, call, 1)
    if args is None:
        return Poison(span=call.span)
    (operand,) = args
    wanted = Bool if call.name in ("all", "any") else Real
    if not isinstance(operand.type.elem, wanted):
        return ctx.error(
            "E0301",
            f"`{call.name}` wants {'Booleans' if wanted is Bool else 'reals'}",
            operand.span,
            describe(operand),
        )
    found = item_positions(ctx, call, operand)
    if found is None:
        return Poison(span=call.span)
    rest = tuple(item for i, item in enumerate(operand.type.items) if i not in found)
    bounds = operand.type.range if call.name in ("mean", "max", "min") else None
    if call.name == "sum" and operand.type.range and operand.type.range.low == 0:
        bounds = Range(operand.type.range.low, None)
    type_ = TensorType(rest, operand.type.elem, bounds)
    return Reduce(call.name, operand, found, type=type_, span=call.span)


def _along(ctx: Context, call: CallSyntax) -> Term:
    args = terms(ctx, call, 1)
    if args is None:
        return Poison(span=call.span)
    (operand,) = args
    if not isinstance(operand.type.elem, Real) and call.name != "flip":
        return ctx.error("E0301", f"`{call.name}` wants reals", operand.span, describe(operand))
    at = one_item(ctx, call, operand)
    if at is None:
        return Poison(span=call.span)
    axis = operand.type.items[at]
    assert isinstance(axis, Axis)
    items, elem, bounds = operand.type.items, operand.type.elem, operand.type.range
    match call.name:
        case "argmin" | "argmax":
            items, elem, bounds = (*items[:at], *items[at + 1 :]), Fin(axis.size), None
        case "argsort":
            elem, bounds = Fin(axis.size), None
        case "softmax":
            from fractions import Fraction

            bounds = Range(Fraction(0), Fraction(1))
        case "flip":
            pass
        case _:
            bounds = None
    return AlongAxis(call.name, operand, at, type=TensorType(items, elem, bounds), span=call.span)


def _contract(ctx: Context, call: CallSyntax) -> Term:
    """`contract[I](x, w)`: multiply aligned by label, and sum over the labels in brackets. The
    result has the first operand's other axes, then the second's that the first lacks."""
    args = terms(ctx, call, 2)
    if args is None:
        return Poison(span=call.span)
    a, b = args
    summed = item_positions(ctx, call, a)
    if summed is None:
        return Poison(span=call.span)
    ids: dict[str, int] = {item.label: i for i, item in enumerate(a.type.items)}
    right: list[int] = []
    out_items: list[Item] = [item for i, item in enumerate(a.type.items) if i not in summed]
    out_ids = [i for i in range(len(a.type.items)) if i not in summed]
    for item in b.type.items:
        at = ids.get(item.label)
        if at is None:
            right.append(len(ids))
            out_ids.append(len(ids))
            out_items.append(item)
            ids[item.label] = len(ids)
            continue
        if not same_size(item, a.type.items[at]):
            first, second = (arg.value for arg in call.positional())
            return ctx.error(
                "E0401",
                f"the axes `{plain(item.label)}` have different sizes",
                second.span,
                describe(b, second),
                labels=(Label(first.span, describe(a, first)),),
                help="contracted axes have one label and one size in both operands",
            )
        right.append(at)
    for at in summed:
        if at not in right:
            return ctx.error(
                "E0413",
                f"no axis `{plain(a.type.items[at].label)}` in the second operand",
                b.span,
                describe(b),
            )
    if repeated_label(tuple(out_items)) is not None:
        return ctx.error("E0406", "two axes of the result have one label", call.span)
    type_ = TensorType(tuple(out_items))
    left_ids = tuple(range(len(a.type.items)))
    return ContractTerm(a, b, left_ids, tuple(right), tuple(out_ids), type=type_, span=call.span)


def _iota(ctx: Context, call: CallSyntax) -> Term:
    """`iota[T]()`: the indices 0, 1, ..., T - 1 of fin[T], along the axis T."""
    if terms(ctx, call, 0) is None or call.items is None or len(call.items) != 1:
        return ctx.error(
            "E0408",
            "`iota` wants one size in brackets",
            call.span,
            "how many indices?",
            help="write `iota[T]()`: the indices 0, 1, ..., T - 1",
        )
    argument: AxisArg | None = (
        None
        if isinstance(call.items[0], ast.SizeSpread)
        else axis_argument(call.items[0], ctx.body, ctx.sink)
    )
    if argument is None:
        return Poison(span=call.span)
    return IotaTerm(type=TensorType((argument.axis(),), Fin(argument.size)), span=call.span)


TABLE: dict[str, Builtin] = {
    **dict.fromkeys((*REDUCTIONS, "all", "any"), _reduction),
    **dict.fromkeys(ALONG, _along),
    "contract": _contract,
    "iota": _iota,
}
