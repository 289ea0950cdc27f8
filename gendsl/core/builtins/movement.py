"""Slices, padding, concatenation, and convolutions."""

from __future__ import annotations

from fractions import Fraction

from gendsl.core.builtins.arguments import one_item, size_argument, terms
from gendsl.core.context import Builtin, CallSyntax, Context, describe, poisoned
from gendsl.core.instantiate import repeated_label
from gendsl.core.matching import same_size
from gendsl.core.ranges import hull
from gendsl.core.show import plain, show_type
from gendsl.core.sizes import require_integer, require_positive
from gendsl.core.term import (
    ConcatTerm,
    ConvTerm,
    PadTerm,
    Poison,
    SliceTerm,
    Spreadout,
    Term,
)
from gendsl.shape.dim import ONE, ZERO, Dim
from gendsl.shape.tensor_type import Axis, Item, Range, Spread, TensorType
from gendsl.syntax import ast


def _slice(ctx: Context, call: CallSyntax) -> Term:
    """`slice[f](x, start = 0, size = Z)`: part of one axis; the result's axis keeps its label."""
    args = terms(ctx, call, 1, ("start", "size"))
    if args is None:
        return Poison(span=call.span)
    at = one_item(ctx, call, args[0])
    start = size_argument(ctx, call, call.named("start"), ZERO)
    syntax = call.named("size")
    if syntax is None:
        return ctx.error("E0308", "`slice` needs `size = ...`", call.span, "how many elements?")
    length = size_argument(ctx, call, syntax, ONE)
    if at is None or start is None or length is None:
        return Poison(span=call.span)
    axis = args[0].type.items[at]
    assert isinstance(axis, Axis)
    room = axis.size - start - length + 1
    from gendsl.core.conditions import decide

    verdict = decide("positive", ONE, room)
    if verdict is False:
        return ctx.error(
            "E0414",
            f"the slice ends beyond `{plain(axis.size)}`",
            call.span,
            f"start {plain(start)}, size {plain(length)}",
        )
    if verdict is None:
        ctx.body.conditions.append(("positive", ONE, room, call.span))
    label = plain(length) if axis.label == plain(axis.size) else axis.label
    items = list(args[0].type.items)
    items[at] = Axis(label, length)
    if repeated_label(tuple(items)):
        return ctx.error("E0406", f"two axes `{label}` after slicing", call.span)
    type_ = TensorType(tuple(items), args[0].type.elem, args[0].type.range)
    return SliceTerm(args[0], at, start, length, type=type_, span=call.span)


def _pad(ctx: Context, call: CallSyntax) -> Term:
    """`pad[t](x, before = 1, after = 0)`: zeros along one axis."""
    args = terms(ctx, call, 1, ("before", "after"))
    if args is None:
        return Poison(span=call.span)
    at = one_item(ctx, call, args[0])
    before = size_argument(ctx, call, call.named("before"), ZERO)
    after = size_argument(ctx, call, call.named("after"), ZERO)
    if at is None or before is None or after is None:
        return Poison(span=call.span)
    axis = args[0].type.items[at]
    assert isinstance(axis, Axis)
    size = axis.size + before + after
    label = plain(size) if axis.label == plain(axis.size) else axis.label
    items = list(args[0].type.items)
    items[at] = Axis(label, size)
    bounds = hull([args[0].type.range, Range(Fraction(0), Fraction(0))])
    return PadTerm(
        args[0],
        at,
        before,
        after,
        type=TensorType(tuple(items), args[0].type.elem, bounds),
        span=call.span,
    )


def _concat(ctx: Context, call: CallSyntax) -> Term:
    """`concat[time](1, betas)`: along the axis labelled `time` in every operand; an operand with
    one axis is taken along it, and a scalar has length 1."""
    from gendsl.core.check_expr import term

    parts = [term(a.value, ctx) for a in call.args if a.name is None]
    if any(poisoned(p) for p in parts):
        return Poison(span=call.span)
    if len(parts) < 2 or len(parts) != len(call.args) or call.items is None or len(call.items) != 1:
        return ctx.error(
            "E0308", "`concat[label](a, b, ...)` wants one label and two tensors", call.span
        )
    only = call.items[0]
    if not isinstance(only, ast.SizeAxis) or not isinstance(only.size, ast.Name):
        return ctx.error("E0413", "`concat` wants the label of an axis", only.span, "not a label")
    label = only.size.name
    shape = max((p.type.items for p in parts), key=len)
    at = next(
        (i for i, item in enumerate(shape) if item.label == label), 0 if len(shape) <= 1 else None
    )
    if at is None:
        return ctx.error("E0413", f"no axis `{label}`", call.span, f"{plain(shape[0])}...")
    total, fixed = ZERO, []
    for part in parts:
        grown = _with_axis(part, shape, at, label)
        if grown is None:
            return ctx.error(
                "E0402",
                f"{show_type(part.type)} does not fit along `{label}`",
                part.span,
                describe(part),
            )
        fixed.append(grown)
        axis = grown.type.items[at]
        assert isinstance(axis, Axis)
        total = total + axis.size
    items = (*shape[:at], Axis(label, total), *shape[at + 1 :])
    type_ = TensorType(items, parts[0].type.elem, hull([p.type.range for p in parts]))
    return ConcatTerm(tuple(fixed), at, type=type_, span=call.span)


def _with_axis(part: Term, shape: tuple[Item, ...], at: int, label: str) -> Term | None:
    """The operand with the concatenated axis at `at`."""
    if not part.type.items:
        if len(shape) > 1:
            return None
        type_ = TensorType((Axis(label, ONE),), part.type.elem, part.type.range)
        return Spreadout(part, (), type=type_, span=part.span)
    if len(part.type.items) != len(shape):
        return None
    others = zip(part.type.items, shape, strict=True)
    fits = all(i == at or same_size(a, b) for i, (a, b) in enumerate(others))
    return part if fits and isinstance(part.type.items[at], Axis) else None


def _convolution(ctx: Context, call: CallSyntax) -> Term:
    """`conv2d(x, w, stride = s, pad = p)`: x [..b, C, H, W], w [O, C, kh, kw]; `pad` defaults to
    same: H / s outputs, with `s | H`. `conv_transpose2d(x, w, stride = s)`: w [C, O, kh, kw], the
    adjoint of that convolution: H * s outputs."""
    args = terms(ctx, call, 2, ("stride", "pad"))
    stride = size_argument(ctx, call, call.named("stride"), ONE)
    pad_syntax = call.named("pad")
    same = pad_syntax is None or (isinstance(pad_syntax, ast.Name) and pad_syntax.name == "same")
    pad = ZERO if same else size_argument(ctx, call, pad_syntax, ZERO)
    if args is None or stride is None or pad is None:
        return Poison(span=call.span)
    x, w = args
    if (
        len(x.type.items) < 3
        or len(w.type.items) != 4
        or any(isinstance(i, Spread) for i in (*x.type.items[-3:], *w.type.items))
    ):
        return ctx.error(
            "E0402",
            f"`{call.name}` wants x [..b, C, H, W] and w with four axes",
            call.span,
            f"{show_type(x.type)} and {show_type(w.type)}",
        )
    channels, height, width = (_axis(i) for i in x.type.items[-3:])
    first, second, kh, kw = (_axis(i) for i in w.type.items)
    for number in (stride, pad, kh.size, kw.size):
        if number.constant is None:
            ctx.body.conditions.append(("number", ONE, number, call.span))
    transposed = call.name == "conv_transpose2d"
    wanted, out = (first, second) if transposed else (second, first)
    if wanted.size != channels.size:
        return ctx.error(
            "E0401",
            f"the weights take `{plain(wanted.size)}` channels, the input has "
            f"`{plain(channels.size)}`",
            call.span,
            f"{show_type(x.type)} and {show_type(w.type)}",
            labels=ctx.program.size_places(wanted.size.names | channels.size.names),
            help="images are [..b, C, H, W], weights [O, C, kh, kw] ([C, O, kh, kw] transposed)",
        )
    fitted = _output(ctx, call, (x, out, height, width), (kh, kw), (stride, pad, same, transposed))
    if fitted is None:
        return Poison(span=call.span)
    items, pads = fitted
    return ConvTerm(call.name, x, w, stride, pads, type=TensorType(items), span=call.span)


def _output(
    ctx: Context,
    call: CallSyntax,
    operand: tuple[Term, Axis, Axis, Axis],
    kernels: tuple[Axis, Axis],
    options: tuple[Dim, Dim, bool, bool],
) -> tuple[tuple[Item, ...], tuple[Dim, Dim, Dim, Dim]] | None:
    """The result's items and the paddings, from the operand (with its new channel axis and its
    height and width), the kernel axes, and (stride, pad, same, transposed)."""
    x, out, *spatial = operand
    stride, pad, same, transposed = options
    sizes: list[Axis] = []
    pads: list[Dim] = []
    for axis, kernel in zip(spatial, kernels, strict=True):
        length, before, after = _length(
            ctx, call, axis.size, kernel.size, stride, pad, same, transposed
        )
        if length is None:
            ctx.error("E0404", "the output size has no exact value", call.span, plain(axis.size))
            return None
        kept = length == axis.size or axis.label != plain(axis.size)
        sizes.append(Axis(axis.label if kept else plain(length), length))
        pads += [before, after]
    items = (*x.type.items[:-3], out, *sizes)
    label = repeated_label(items)
    if label is not None:
        ctx.error(
            "E0406",
            f"two axes `{plain(label)}` in the result",
            call.span,
            show_type(TensorType(items)),
        )
        return None
    return items, (pads[0], pads[1], pads[2], pads[3])


def _axis(item: Item) -> Axis:
    assert isinstance(item, Axis)
    return item


def _length(
    ctx: Context, call: CallSyntax, n: Dim, k: Dim, s: Dim, p: Dim, same: bool, transposed: bool
) -> tuple[Dim | None, Dim, Dim]:
    """Output length and the paddings before and after. `same` pads k - s in all."""
    anchor = ast.Name(call.name, call.span)
    if same:
        total = k - s
        before = total.divide(2)
        if total.constant is not None:
            low, high = Dim.of(total.constant // 2), Dim.of(total.constant - total.constant // 2)
        else:
            assert before is not None
            low = high = require_integer(before, anchor, ctx.body)
        if transposed:
            return n * s, low, high
        out = n.divide(s)
        return (None if out is None else require_integer(out, anchor, ctx.body)), low, high
    if transposed:
        return require_positive((n - 1) * s + k - p - p, anchor, ctx.body), p, p
    steps = (n + p + p - k).divide(s)
    if steps is None:
        return None, p, p
    return require_positive(require_integer(steps, anchor, ctx.body) + 1, anchor, ctx.body), p, p


TABLE: dict[str, Builtin] = {
    "slice": _slice,
    "pad": _pad,
    "concat": _concat,
    "conv2d": _convolution,
    "conv_transpose2d": _convolution,
}
