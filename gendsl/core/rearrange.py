"""Shape surgery: `rearrange x: [B, C, (h p: P)] -> [B, h, (p C)]` and `expand x: [B] -> [B, K]`.

The source is matched by position and names every factor; a factor name that is not a size in scope
gets its size by exact division of its axis. The target uses every factor exactly once (rearrange),
or all of them in order plus new axes (expand).
"""

from __future__ import annotations

from dataclasses import dataclass

from gendsl.core.context import Context, describe, poisoned
from gendsl.core.instantiate import repeated_label
from gendsl.core.program import DimInfo
from gendsl.core.show import default_label, plain, show_type
from gendsl.core.sizes import axis_argument, size
from gendsl.core.term import Poison, RearrangeTerm, Spreadout, Term
from gendsl.diagnostics.counted import counted
from gendsl.shape.dim import ONE, Dim
from gendsl.shape.tensor_type import Axis, Factor, Item, Spread, TensorType
from gendsl.source.text import Span
from gendsl.syntax import ast


@dataclass(frozen=True)
class _Piece:
    """One opened factor of the operand: how the target calls it, and the item it is."""

    key: str
    item: Item


def rearrange(expr: ast.Reshape, operand: Term, ctx: Context) -> Term:
    """Open, permute, close."""
    pieces = _source(expr, operand, ctx)
    if pieces is None:
        return Poison(span=expr.span)
    keys = [p.key for p in pieces]
    order: list[int] = []
    groups: list[int] = []
    result: list[Item] = []
    for part in expr.target:
        wanted, label = _target_part(part)
        at: list[int] = []
        for key, span in wanted:
            if key not in keys or keys.index(key) in order or keys.index(key) in at:
                why = "is not in the source" if key not in keys else "is used twice"
                return ctx.error(
                    "E0412",
                    f"`{key}` {why}",
                    span,
                    "every factor is used once",
                    help=f"the source has {', '.join(keys)}",
                )
            at.append(keys.index(key))
        item = _close([pieces[i].item for i in at], label)
        if item is None:
            return ctx.error("E0412", "a spread cannot be part of a group", part.span, "grouped")
        order.extend(at)
        groups.append(len(at))
        result.append(item)
    unused = [k for i, k in enumerate(keys) if i not in order]
    if unused:
        return ctx.error(
            "E0412",
            f"`{unused[0]}` is missing in the target",
            expr.span,
            "every factor is used once",
        )
    if repeated_label(tuple(result)) is not None:
        return ctx.error(
            "E0406", f"two axes `{repeated_label(tuple(result))}` in the result", expr.span
        )
    type_ = TensorType(tuple(result), operand.type.elem, operand.type.range)
    opened = tuple(p.item for p in pieces)
    return RearrangeTerm(operand, opened, tuple(order), tuple(groups), type=type_, span=expr.span)


def _target_part(part: ast.SizeItem) -> tuple[list[tuple[str, Span]], str | None]:
    """The factor keys that a target item takes, and its own label."""
    match part:
        case ast.SizeSpread(name=name):
            return [(f"..{name.name if name else ''}", part.span)], None
        case ast.SizeGroup(label=label, factors=factors):
            keys = [(_key(f), f.span) for f in factors]
            return keys, label.name if label else None
        case ast.SizeAxis(label=label, size=ast.Name(name=name)):
            return [(name, part.span)], label.name if label else None
        case _:
            return [(_key(part), part.span)], None


def _key(axis: ast.SizeAxis) -> str:
    if axis.label is not None:
        return axis.label.name
    return axis.size.name if isinstance(axis.size, ast.Name) else _text(axis.size)


def _text(expr: ast.Expr) -> str:
    match expr:
        case ast.Number(text=text):
            return text
        case ast.Binary(op=op, left=left, right=right):
            return f"{_text(left)} {op} {_text(right)}"
        case ast.Name(name=name):
            return name
        case _:
            return "?"


def _close(items: list[Item], label: str | None) -> Item | None:
    if len(items) == 1:
        only = items[0]
        if isinstance(only, Spread):
            return only
        return Axis(label, only.size, only.factors) if label else only
    factors: list[Factor] = []
    for item in items:
        if isinstance(item, Spread):
            return None
        factors.append(Factor(item.label, item.size))
    whole = Dim.product(f.size for f in factors)
    return Axis(label or default_label(whole, tuple(factors)), whole, tuple(factors))


def _source(expr: ast.Reshape, operand: Term, ctx: Context) -> list[_Piece] | None:
    """The operand's axes opened as the source pattern says."""
    if poisoned(operand):
        return None
    have = operand.type.items
    if len(have) != len(expr.source):
        ctx.error(
            "E0412",
            f"the source has {counted(len(expr.source), 'axis', 'axes')}, the operand {len(have)}",
            expr.operand.span,
            describe(operand, expr.operand),
        )
        return None
    pieces: list[_Piece] = []
    for pattern, item in zip(expr.source, have, strict=True):
        opened = _open(pattern, item, ctx)
        if opened is None:
            return None
        pieces.extend(opened)
    keys = [p.key for p in pieces]
    for i, key in enumerate(keys):
        if key in keys[:i]:
            ctx.error(
                "E0412",
                f"two factors are called `{key}`",
                expr.source[0].span,
                show_type(operand.type),
                help=f"label one: `{key}2: {key}`",
            )
            return None
    return pieces


def _open(pattern: ast.SizeItem, item: Item, ctx: Context) -> list[_Piece] | None:
    if isinstance(pattern, ast.SizeSpread) or isinstance(item, Spread):
        name = pattern.name.name if isinstance(pattern, ast.SizeSpread) and pattern.name else None
        if not isinstance(item, Spread) or name != item.name:
            ctx.error(
                "E0412",
                f"`{plain(item.label)}` stands here in the operand",
                pattern.span,
                "not this",
            )
            return None
        return [_Piece(item.label, item)]
    if isinstance(pattern, ast.SizeAxis):
        known = _known(pattern.size, ctx)
        if known is not None and known != item.size:
            return _wrong(pattern, known, item, ctx)
        key = _key(pattern)
        return [_Piece(key, Axis(key, item.size, item.factors))]
    return _open_group(pattern, item, ctx)


def _open_group(pattern: ast.SizeGroup, item: Axis, ctx: Context) -> list[_Piece] | None:
    sizes = [_known(f.size, ctx) for f in pattern.factors]
    unknown = [i for i, s in enumerate(sizes) if s is None]
    if len(unknown) > 1:
        ctx.error(
            "E0412",
            "at most one factor of a group may be unknown",
            pattern.span,
            "which sizes?",
            help="give sizes: `(h: H p: P)`",
        )
        return None
    product = Dim.product(s for s in sizes if s is not None)
    if unknown:
        rest = item.size.divide(product)
        if rest is None:
            return _wrong(pattern, product, item, ctx)
        if rest.divisibility:
            ctx.body.conditions.append(("divides", product, item.size, pattern.span))
        sizes[unknown[0]] = rest
    elif product != item.size:
        return _wrong(pattern, product, item, ctx)
    return [
        _Piece(_key(f), Axis(_key(f), s if s is not None else ONE))
        for f, s in zip(pattern.factors, sizes, strict=True)
    ]


def _known(expr: ast.Expr, ctx: Context) -> Dim | None:
    """The size of a pattern entry, or None when it is a bare new name."""
    if isinstance(expr, ast.Name):
        body = ctx.body
        declared = expr.name in body.sizes or isinstance(
            body.module.entities.get(expr.name), DimInfo
        )
        if not declared:
            return None
    return size(expr, ctx.body, ctx.sink)


def _wrong(pattern: ast.SizeItem, want: Dim, item: Axis, ctx: Context) -> list[_Piece] | None:
    """Report that the pattern's size is not the axis's."""
    ctx.error(
        "E0401",
        f"the axis has size `{plain(item.size)}`, the pattern says `{plain(want)}`",
        pattern.span,
        "does not match",
        labels=ctx.program.size_places(want.names | item.size.names),
    )
    return None


def expand(expr: ast.Reshape, operand: Term, ctx: Context) -> Term:
    """Add axes: `expand x: [B, C] -> [B, K, C]`."""
    pieces = _source(expr, operand, ctx)
    if pieces is None:
        return Poison(span=expr.span)
    if len(pieces) != len(operand.type.items):
        return ctx.error("E0412", "`expand` does not open groups", expr.span, "use `rearrange`")
    result: list[Item] = []
    places: list[int] = []
    for part in expr.target:
        wanted, label = _target_part(part)
        key = wanted[0][0]
        at = len(places)
        if len(wanted) == 1 and at < len(pieces) and pieces[at].key == key:
            item = pieces[at].item
            renamed = (
                Axis(label, item.size, item.factors) if label and isinstance(item, Axis) else item
            )
            places.append(len(result))
            result.append(renamed)
            continue
        argument = axis_argument(part, ctx.body, ctx.sink)
        if argument is None:
            return Poison(span=expr.span)
        result.append(argument.axis())
    if len(places) != len(pieces):
        missing = pieces[len(places)].key
        return ctx.error(
            "E0412",
            f"`{missing}` is missing in the target, or out of order",
            expr.span,
            "`expand` keeps every axis, in order",
        )
    if repeated_label(tuple(result)) is not None:
        return ctx.error(
            "E0406", f"two axes `{repeated_label(tuple(result))}` in the result", expr.span
        )
    type_ = TensorType(tuple(result), operand.type.elem, operand.type.range)
    return Spreadout(operand, tuple(places), type=type_, span=expr.span)
