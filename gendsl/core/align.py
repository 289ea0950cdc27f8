"""Alignment of operands by label: the only broadcasting there is.

A scalar meets anything. Otherwise the labels of the smaller operand must be an ordered sub-sequence
of the larger one's, with equal sizes. The result holds item positions, never labels.
"""

from __future__ import annotations

from collections.abc import Sequence

from gendsl.core.context import Context, describe
from gendsl.core.matching import same_size
from gendsl.core.show import plain, show_axis, show_type
from gendsl.core.term import Spreadout, Term
from gendsl.diagnostics.model import Label
from gendsl.shape.tensor_type import Item, Spread, TensorType
from gendsl.source.text import Span
from gendsl.syntax import ast


def broadcast_to(term: Term, items: tuple[Item, ...], at: tuple[int, ...]) -> Term:
    """`term` with its item i at item `at[i]` of `items`; itself when nothing changes."""
    if len(items) == len(term.type.items):
        return term
    type_ = TensorType(items, term.type.elem, term.type.range)
    return Spreadout(term, at, type=type_, span=term.span)


def align(
    ctx: Context, terms: tuple[Term, ...], span: Span, exprs: tuple[ast.Expr, ...] = ()
) -> tuple[Term, ...] | None:
    """The operands broadcast to common items, or None after an error; `exprs` are the operands as
    written, for labels."""
    largest = max(terms, key=lambda t: len(t.type.items))
    target = largest.type.items
    places_of = {id(t): i for i, t in reversed(list(enumerate(terms)))}
    result: list[Term] = []
    for term in terms:
        places = _places(term.type.items, target)
        if places is None:
            first, second = sorted((term, largest), key=lambda t: places_of[id(t)])
            written = [exprs[places_of[id(t)]] if exprs else None for t in (first, second)]
            _report(ctx, first, second, span, written)
            return None
        result.append(broadcast_to(term, target, places))
    return tuple(result)


def _places(small: tuple[Item, ...], large: tuple[Item, ...]) -> tuple[int, ...] | None:
    result: list[int] = []
    start = 0
    for item in small:
        at = next((i for i in range(start, len(large)) if large[i].label == item.label), None)
        if at is None or not same_size(item, large[at]):
            return None
        result.append(at)
        start = at + 1
    return tuple(result)


def _report(ctx: Context, a: Term, b: Term, span: Span, written: Sequence[ast.Expr | None]) -> None:
    """The mismatch, with the two types and the fix."""
    labels = []
    for term, expr in zip((a, b), written, strict=True):
        place = expr.span if expr else term.span
        if place != span and place.end > place.start:
            labels.append(Label(place, describe(term, expr)))
    ctx.error(
        "E0402",
        f"{show_type(a.type)} and {show_type(b.type)} do not align",
        span,
        "" if labels else "axes align by label",
        labels=tuple(labels),
        help=_fix(a.type, b.type),
    )


def _fix(a: TensorType, b: TensorType) -> str:
    here, there = set(a.labels), set(b.labels)
    for item in a.items:
        other = next((i for i in b.items if i.label == item.label), None)
        if other is not None and not same_size(item, other):
            name = plain(item.label)
            return f"their axes `{name}` are of different sizes: {_size(item)} and {_size(other)}"
    if here == there:
        source, target = (", ".join(show_axis(i) for i in t.items) for t in (b, a))
        return f"the axes are in another order: `rearrange y: [{source}] -> [{target}]`"
    if here < there or there < here:
        return "the labels must appear in the same order in both operands"
    only_a = [i for i in a.items if i.label not in there]
    only_b = [i for i in b.items if i.label not in here]
    if len(only_a) == len(only_b) == 1 and same_size(only_a[0], only_b[0]):
        return (
            f"`{plain(only_a[0].label)}` and `{plain(only_b[0].label)}` have equal sizes but "
            "different labels: give one axis the other's label"
        )
    source = ", ".join(show_axis(i) for i in a.items)
    target = ", ".join(show_axis(i) for i in (*a.items, *only_b))
    if here & there:
        return (
            f"reduce `{plain(only_b[0].label)}` and `{plain(only_a[0].label)}` first, or write all "
            f"pairs: `expand x: [{source}] -> [{target}]`"
        )
    return f"to combine all pairs, write so: `expand x: [{source}] -> [{target}]`"


def _size(item: Item) -> str:
    return f"`{item.label}`" if isinstance(item, Spread) else f"`{plain(item.size)}`"
