"""What a loop over tiles carries: a running sum, product, maximum, or least entry with its place.

In: the values before an iteration and after it, with a mark for what was carried. Out: the value
after the loop. Always: the terms do not read what is carried; anything else raises `Unmodelled`.
"""

from __future__ import annotations

import ast
from typing import Any

from gendsl.validate import triton_values as tv
from gendsl.validate import value as v
from gendsl.validate import whole as w
from gendsl.validate.triton_values import Anything, Block, lift
from gendsl.validate.value import Value
from gendsl.validate.whole import Unit, Unmodelled, Whole


def holds(x: tv.Body, tag: int) -> bool:
    return isinstance(x, Value) and any(str(tag) == m.split(":")[0] for m in _carries(x))


def _carries(x: Value) -> set[str]:
    found: set[str] = set()
    seen: set[Value] = set()
    stack: list[Any] = [x]
    while stack:
        y = stack.pop()
        if isinstance(y, tuple):
            stack.extend(y)
        elif isinstance(y, Value) and y not in seen:
            seen.add(y)
            if y.kind == "carry":
                found.add(y.args[0])
            stack.extend(y.args)
        elif isinstance(y, Whole):
            stack.extend(u.args[0] for u in w.units_of(y) if u.kind == "get")
    return found


def accumulated(before: Block, after: Anything, mark: Value, t: Unit) -> Block:
    """What a running sum or maximum is after the loop."""
    made = tv.block(after)
    if not isinstance(made.body, Value):
        raise Unmodelled("a running value that becomes an integer")
    product = _product(made.body, mark, t)
    if product is not None and before.body is v.ONE:
        return Block(made.shape, made.lanes, product)
    kind, rest = _running(made.body, mark)
    if rest is None:
        return before
    if _carries(rest):
        raise Unmodelled("a term of a running sum that reads what the loop carries")
    if kind == "sum":
        added = Block(made.shape, made.lanes, v.total([t], rest))
        return lift(tv.BINARY["Add"], before, added)
    if before.body is not v.value("inf", -1 if kind == "max" else 1):
        raise Unmodelled("a running maximum that does not start at infinity")
    return Block(made.shape, made.lanes, v.value(kind, (t,), rest))


def whole_in(x: tv.Body) -> Whole:
    if not isinstance(x, Whole):
        raise Unmodelled("a place that is no integer")
    return x


def least_pair(body: list[ast.stmt]) -> tuple[str, str, ast.expr, ast.expr] | None:
    """(best, place, low, first) if a loop ends with `place = tl.where(low < best, first, place)`
    and `best = tl.where(low < best, low, best)`."""
    match body[-2:]:
        case [
            ast.Assign(
                targets=[ast.Name(place)],
                value=ast.Call(
                    args=[
                        ast.Compare(left=low, ops=[ast.Lt()], comparators=[ast.Name(best)]),
                        first,
                        ast.Name(old),
                    ]
                ) as one,
            ),
            ast.Assign(
                targets=[ast.Name(again)],
                value=ast.Call(args=[test, ast.Name(lower), ast.Name(kept)]) as two,
            ),
        ] if old == place and again == kept == best and ast.unparse(low) == lower:
            calls = [ast.unparse(c.func) for c in (one, two)]
            same = ast.unparse(test) == ast.unparse(one.args[0])
            if calls == ["tl.where", "tl.where"] and same:
                return best, place, low, first
        case _:
            pass
    return None


def _product(x: Value, mark: Value, t: Unit) -> Value | None:
    """x = mark * where(r <= i, entry, 1) with r the iteration: the cumulative product at i."""
    if x.kind != "op" or x.args[0].name != "mul" or mark not in x.args[1]:
        return None
    a, b = x.args[1]
    other = b if a is mark else a
    if other.kind != "where" or other.args[2] is not v.ONE or other.args[0].kind != "ge0":
        return None
    here = other.args[0].args[0] + w.of_unit(t)
    if t in w.units_of(here) or _carries(other):
        return None
    return v.value("fn", "cumprod", (here,), (((t,), other.args[1]),))


def _running(x: Value, mark: Value) -> tuple[str, Value | None]:
    """x = mark + rest, or max(mark, rest)."""
    if x is mark:
        return "sum", None
    if x.kind == "op" and x.args[0].name in ("maximum", "minimum") and mark in x.args[1]:
        a, b = x.args[1]
        return x.args[0].name[:3], b if a is mark else a
    if x.kind == "op" and x.args[0].name in ("add", "sub"):
        a, b = x.args[1]
        if _mentions(a, mark):
            kind, rest = _running(a, mark)
            if kind == "sum":
                other = b if x.args[0].name == "add" else tv.real(tv.negated(b))
                return "sum", other if rest is None else v.add(rest, other)
        elif x.args[0].name == "add":
            kind, rest = _running(b, mark)
            if kind == "sum":
                return "sum", a if rest is None else v.add(a, rest)
    raise Unmodelled(f"what a loop carries, in {v.show(x)[:80]}")


def _mentions(x: Value, mark: Value) -> bool:
    return mark.args[0] in _carries(x)
