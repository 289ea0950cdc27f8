"""How sizes, types and signatures are written for people: internal suffixes of local sizes go."""

from __future__ import annotations

import re
from fractions import Fraction

from gendsl.core.term import Signature
from gendsl.shape.dim import Dim
from gendsl.shape.tensor_type import Axis, Factor, Fin, Item, Range, Spread, TensorType

_SUFFIX = re.compile(r"@[\w.]+")


def plain(text: object) -> str:
    """The text without the `@owner` suffixes of local size names."""
    return _SUFFIX.sub("", str(text))


def show_dim(dim: Dim) -> str:
    return plain(dim)


def show_type(type_: TensorType) -> str:
    """The type; an axis whose label is its size's plain name needs no label."""
    items = tuple(_plain_item(item) for item in type_.items)
    elem = Fin(_plain_dim(type_.elem.bound)) if isinstance(type_.elem, Fin) else type_.elem
    return str(TensorType(items, elem))


def show_axis(item: Item) -> str:
    """One axis as in `show_type`."""
    return str(_plain_item(item))


def default_label(size: Dim, factors: tuple[Factor, ...] = ()) -> str:
    """The label of an axis that is given none: its size, or its factors, as text."""
    return show_axis(Axis("", size, factors)).removeprefix(": ")


def _plain_item(item: Item) -> Item:
    if isinstance(item, Spread):
        return item
    factors = tuple(Factor(plain(f.label), _plain_dim(f.size)) for f in item.factors)
    return Axis(plain(item.label), _plain_dim(item.size), factors)


def _plain_dim(dim: Dim) -> Dim:
    return dim.substitute({n: Dim.name(plain(n)) for n in dim.names if "@" in n})


_KINDS = {
    "fn": "a function",
    "objective": "an objective",
    "claims": "a claim",
    "train": "the recipe",
    "program": "a declaration",
}


def show_kind(kind: str) -> str:
    """The kind of a body, with its article: `a function`, `a net`, `an objective`."""
    return _KINDS.get(kind, f"a {kind}")


def show_number(value: Fraction) -> str:
    """A number of the program as people write it: `1.5`, not `3/2`."""
    return str(value) if value.denominator == 1 else f"{float(value):g}"


def range_text(bounds: Range) -> str:
    """`-1..1`, `0..inf`"""
    low = "-inf" if bounds.low is None else show_number(bounds.low)
    return f"{low}..{'inf' if bounds.high is None else show_number(bounds.high)}"


def show_range(bounds: Range | None) -> str:
    """What is known of a value's range, as a label: `in -1..1`."""
    if bounds is None or (bounds.low is None and bounds.high is None):
        return "its range is not known"
    return f"this is in {range_text(bounds)}"


def show_signature(signature: Signature) -> str:
    """`layer dense[O](x: [..b, I]) -> [..b, O]`"""
    brackets = [plain(n) if d is None else f"{plain(n)} = {d}" for n, d in signature.sizes]
    if signature.bracket_spread:
        brackets.append(f"..{signature.bracket_spread}")
    formals = ", ".join(
        f"{f.name}: net" if f.net else f"{f.name}: {show_type(f.type)}" for f in signature.formals
    )
    if signature.result_names:
        named = zip(signature.result_names, signature.results, strict=True)
        result = "(" + ", ".join(f"{n}: {show_type(t)}" for n, t in named) + ")"
    else:
        result = show_type(signature.results[0]) if signature.results else "()"
    size_text = f"[{', '.join(brackets)}]" if brackets else ""
    return f"{signature.kind} {signature.name}{size_text}({formals}) -> {result}"
