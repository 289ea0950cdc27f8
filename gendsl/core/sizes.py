"""Sizes and types from syntax: `2*Z`, `[B, (C H W)] of fin[10] in 0..1`.

Every function takes the body whose names are in scope and a sink; on a problem it reports and
returns None (sizes) or leaves the part out.
"""

from __future__ import annotations

from fractions import Fraction

from gendsl.core.program import DimInfo
from gendsl.core.scope import Body
from gendsl.core.show import default_label, plain
from gendsl.core.term import AxisArg
from gendsl.diagnostics.model import Label, Sink
from gendsl.diagnostics.suggest import did_you_mean
from gendsl.shape.dim import Dim
from gendsl.shape.tensor_type import (
    Bool,
    Elem,
    Factor,
    Fin,
    Item,
    Range,
    Real,
    Spread,
    TensorType,
)
from gendsl.syntax import ast


def size(expr: ast.Expr, body: Body, sink: Sink) -> Dim | None:
    """The size that an expression denotes."""
    match expr:
        case ast.Number(value=value) if value.denominator == 1:
            return Dim.of(int(value))
        case ast.Name(name=name):
            return named_size(name, expr, body, sink)
        case ast.Unary(op="-", operand=operand):
            inner = size(operand, body, sink)
            return None if inner is None else -inner
        case ast.Binary(op="^", left=left, right=ast.Number(value=power)):
            base = size(left, body, sink)
            if base is None or power.denominator != 1 or not 0 <= power <= 16:
                return None
            return Dim.product([base] * int(power))
        case ast.Binary(op="+" | "-" | "*" | "/" as op, left=left, right=right):
            return _arithmetic(
                op, expr, size(left, body, sink), size(right, body, sink), body, sink
            )
        case _:
            sink.error(
                "E0403",
                "this is not a size",
                expr.span,
                "sizes are integers, dims, and + - * / of them",
            )
            return None


def is_size(expr: ast.Expr, body: Body) -> bool:
    """Whether an expression is built from numbers and sizes only: `T`, `T - 1`, `0`."""
    match expr:
        case ast.Number(value=value):
            return value.denominator == 1
        case ast.Name(name=name):
            known = isinstance(body.module.entities.get(name), DimInfo) or name in body.sizes
            return known and name not in body.values
        case ast.Binary(op="+" | "-" | "*", left=left, right=right):
            return is_size(left, body) and is_size(right, body)
        case _:
            return False


def _arithmetic(
    op: str, expr: ast.Binary, a: Dim | None, b: Dim | None, body: Body, sink: Sink
) -> Dim | None:
    if a is None or b is None:
        return None
    match op:
        case "+":
            return a + b
        case "-":
            return require_positive(a - b, expr, body)
        case "*":
            return a * b
        case _:
            quotient = a.divide(b)
            numbers = a.constant is not None and b.constant is not None
            if quotient is None or (numbers and quotient.divisibility):
                sink.error(
                    "E0404",
                    f"`{plain(a)}` cannot be divided exactly by `{plain(b)}`",
                    expr.span,
                    "not a whole number" if quotient else "no exact quotient for all sizes",
                    help=None if quotient else "divide by a number, a dim, or a product of dims",
                )
                return None
            return require_integer(quotient, expr, body)


def require_integer(dim: Dim, expr: ast.Expr, body: Body) -> Dim:
    """Record what has to divide what for `dim` to be a size."""
    for factor, divisor, dividend in dim.divisibility:
        body.conditions.append(("divides", divisor * factor, dividend, expr.span))
    return dim


def require_positive(dim: Dim, expr: ast.Expr, body: Body) -> Dim:
    """Record `dim >= 1` unless it is evident (no negative term)."""
    if any(c < 0 for _, c in dim.terms) or not dim.terms:
        body.conditions.append(("positive", Dim.of(1), dim, expr.span))
    return dim


def named_size(name: str, expr: ast.Name, body: Body, sink: Sink) -> Dim | None:
    if name in body.sizes:
        return body.sizes[name]
    entity = body.module.entities.get(name)
    if isinstance(entity, DimInfo):
        return Dim.name(name)
    if entity is None and body.open_sizes and name not in body.values:
        return body.local_dim(name)
    if entity is not None or name in body.values:
        span = body.module.spans.get(name) or body.value_spans.get(name)
        sink.error(
            "E0403",
            f"`{name}` is not a size",
            expr.span,
            "used as a size",
            labels=(Label(span, "declared here"),) if span else (),
            help="sizes are declared with `dim`, `batch`, or by a data field",
        )
        return None
    if name in body.module.broken:
        return None
    body.module.broken.add(name)  # reported here, not at every use
    known = [*body.sizes, *(d.name for d in body.module.dims())]
    sink.error(
        "E0202", f"unknown size `{name}`", expr.span, "not declared", help=did_you_mean(name, known)
    )
    return None


def axis_argument(item: ast.SizeItem, body: Body, sink: Sink) -> AxisArg | None:
    """A size item as an axis: its size, label (default: the size as written) and factors."""
    match item:
        case ast.SizeAxis(label=label, size=expr):
            dim = size(expr, body, sink)
            if dim is None:
                return None
            return AxisArg(label.name if label else plain(dim), dim)
        case ast.SizeGroup(label=label, factors=factors):
            parts: list[Factor] = []
            for factor in factors:
                dim = size(factor.size, body, sink)
                if dim is None:
                    return None
                parts.append(Factor(factor.label.name if factor.label else plain(dim), dim))
            whole = Dim.product(p.size for p in parts)
            text = default_label(whole, tuple(parts))
            return AxisArg(label.name if label else text, whole, tuple(parts))
        case ast.SizeSpread():
            sink.error("E0405", "a spread cannot stand here", item.span, "one size is wanted")
            return None


def items(syntax: tuple[ast.SizeItem, ...], body: Body, sink: Sink) -> tuple[Item, ...] | None:
    """The items of a type; labels must be distinct."""
    result: list[Item] = []
    seen: dict[str, ast.SizeItem] = {}
    for part in syntax:
        item = _item(part, body, sink)
        if item is None:
            return None
        if item.label in seen:
            sink.error(
                "E0406",
                f"two axes of one type are labelled `{item.label}`",
                part.span,
                "again here",
                labels=(Label(seen[item.label].span, "first here"),),
                help=f"label one of them: `[q: {item.label}, k: {item.label}]`",
            )
            return None
        seen[item.label] = part
        result.append(item)
    return tuple(result)


def _item(part: ast.SizeItem, body: Body, sink: Sink) -> Item | None:
    if isinstance(part, ast.SizeSpread):
        if part.name is None:
            sink.error("E0405", "`..` needs a name in a type", part.span, "write `..b`")
            return None
        if part.name.name not in body.spreads:
            if not body.open_sizes:
                sink.error(
                    "E0405",
                    f"no `..{part.name.name}` in scope",
                    part.span,
                    "only signatures introduce spreads",
                )
                return None
            body.spreads.add(part.name.name)
        return Spread(part.name.name)
    argument = axis_argument(part, body, sink)
    return None if argument is None else argument.axis()


def tensor_type(syntax: ast.TypeExpr, body: Body, sink: Sink) -> TensorType | None:
    """The type that a type expression denotes."""
    parts = items(syntax.items, body, sink) if syntax.items is not None else ()
    elem = _elem(syntax, body, sink)
    if parts is None or elem is None:
        return None
    bounds = value_range(syntax.range, sink) if syntax.range else None
    if bounds is not None and not isinstance(elem, Real):
        sink.error("E0305", "only real tensors have a range", syntax.span, "not real")
        return None
    return TensorType(parts, elem, bounds)


def _elem(syntax: ast.TypeExpr, body: Body, sink: Sink) -> Elem | None:
    match syntax.elem:
        case "real":
            return Real()
        case "bool":
            return Bool()
        case _:
            if syntax.fin_bound is None:
                return None
            bound = size(syntax.fin_bound, body, sink)
            return None if bound is None else Fin(bound)


def value_range(syntax: ast.RangeExpr, sink: Sink) -> Range | None:
    """`0..1`, `-inf..inf`: constant bounds, in order."""
    low, high = _bound(syntax.low, sink), _bound(syntax.high, sink)
    if low == "bad" or high == "bad":
        return None
    assert not isinstance(low, str) and not isinstance(high, str)
    if low is not None and high is not None and low > high:
        sink.error("E0305", f"the range {low}..{high} is empty", syntax.span, "low exceeds high")
        return None
    return Range(low, high)


def _bound(expr: ast.Expr | None, sink: Sink) -> Fraction | str | None:
    if expr is None:
        return None
    value = constant(expr)
    if value is None:
        if isinstance(expr, ast.Name) and expr.name == "inf":
            return None
        if isinstance(expr, ast.Unary) and isinstance(expr.operand, ast.Name):
            return None
        sink.error("E0305", "a range has constant bounds", expr.span, "not a number")
        return "bad"
    return value


def constant(expr: ast.Expr) -> Fraction | None:
    """The exact value of a constant expression of numbers, or None."""
    match expr:
        case ast.Number(value=value):
            return value
        case ast.Unary(op="-", operand=operand):
            inner = constant(operand)
            return None if inner is None else -inner
        case ast.Binary(op=op, left=left, right=right):
            a, b = constant(left), constant(right)
            if a is None or b is None:
                return None
            match op:
                case "+":
                    return a + b
                case "-":
                    return a - b
                case "*":
                    return a * b
                case "/" if b != 0:
                    return a / b
                case "^" if b.denominator == 1 and abs(b) <= 64 and (a != 0 or b >= 0):
                    return a ** int(b)
                case _:
                    return None
        case _:
            return None
