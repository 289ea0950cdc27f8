"""Alignment of operands by label: the only broadcasting there is.

A scalar meets anything. Otherwise the labels of the smaller operand must be an ordered sub-sequence
of the larger one's, with equal sizes. The result holds item positions, never labels.
"""

from __future__ import annotations

from gendsl.core.context import Context, describe
from gendsl.core.matching import same_size
from gendsl.core.show import plain, show_type
from gendsl.core.term import Spreadout, Term
from gendsl.diagnostics.model import Label
from gendsl.shape.tensor_type import Item, Spread, TensorType
from gendsl.source.text import Span


def broadcast_to(term: Term, items: tuple[Item, ...], at: tuple[int, ...]) -> Term:
    """`term` with its item i at item `at[i]` of `items`; itself when nothing changes."""
    if len(items) == len(term.type.items):
        return term
    type_ = TensorType(items, term.type.elem, term.type.range)
    return Spreadout(term, at, type=type_, span=term.span)


def align(ctx: Context, terms: tuple[Term, ...], span: Span) -> tuple[Term, ...] | None:
    """The operands broadcast to common items, or None after an error."""
    largest = max(terms, key=lambda t: len(t.type.items))
    target = largest.type.items
    result: list[Term] = []
    for term in terms:
        places = _places(term.type.items, target)
        if places is None:
            _report(ctx, term, largest, span)
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


def _report(ctx: Context, a: Term, b: Term, span: Span) -> None:
    """The mismatch, with the two types and the fix."""
    names: frozenset[str] = frozenset()
    for term in (a, b):
        for item in term.type.items:
            if not isinstance(item, Spread):
                names |= item.size.names
    labels = tuple(
        Label(t.span, describe(t)) for t in (a, b) if t.span != span and t.span.end > t.span.start
    )
    ctx.error(
        "E0402",
        f"{show_type(a.type)} and {show_type(b.type)} do not align",
        span,
        "axes align by label",
        labels=labels,
        help=_fix(a.type, b.type),
    )


def _fix(a: TensorType, b: TensorType) -> str:
    small, large = set(a.labels), set(b.labels)
    if small == large:
        order = ", ".join(b.labels)
        return f"the axes are in another order: `rearrange` one operand to [{plain(order)}]"
    if small < large:
        return "the labels must appear in the same order in both operands"
    common = [label for label in a.labels if label in large]
    sizes_a = [i for i in a.items if i.label not in large]
    sizes_b = [i for i in b.items if i.label not in small]
    if len(sizes_a) == len(sizes_b) == 1 and same_size(sizes_a[0], sizes_b[0]):
        return (
            f"`{plain(sizes_a[0].label)}` and `{plain(sizes_b[0].label)}` have equal sizes but "
            "different labels: give one axis the other's label"
        )
    if common or not small:
        return "reduce the extra axis (`mean[...]`), or write the outer product with `expand`"
    return "write the outer product explicitly with `expand x: [...] -> [...]`"
