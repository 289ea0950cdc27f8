"""`for (t, s) in descending(T, S) carrying x:`: bounded loops with carried state.

Iterables: `descending(T, S)` gives S pairs of fin[T + 1]: the first t is T, each s is the next t,
the last s is 0 (it needs S <= T); `steps(n)` gives the one index 0, 1, ..., n - 1 of fin[n].
The body sees the carried names and re-binds them; everything else that it binds ends with it.
"""

from __future__ import annotations

from collections.abc import Callable

from gendsl.core.conditions import decide
from gendsl.core.context import Context, describe, poisoned
from gendsl.core.show import show_kind, show_type
from gendsl.core.sizes import size
from gendsl.core.term import Local, LoopDef, LoopResultTerm, LoopSequence, Poison, Term
from gendsl.shape.dim import ONE, Dim
from gendsl.shape.tensor_type import Fin, TensorType
from gendsl.source.text import Span
from gendsl.syntax import ast

Statements = Callable[[tuple[ast.Stmt, ...], Context], None]


def loop(stmt: ast.For, ctx: Context, check: Statements) -> None:
    """Check a loop and bind the carried names to its results."""
    body = ctx.body
    if body.kind != "sampler":
        ctx.error(
            "E0514",
            f"`for` stands in samplers; this is {show_kind(body.kind)}",
            Span(stmt.span.path, stmt.span.start, stmt.iterable.span.end),
            "a loop",
            help="networks repeat by naming layers; sums and products are reductions",
        )
        return
    sequence = _sequence(stmt, ctx)
    initial = [_carried(name, ctx) for name in stmt.carrying]
    if sequence is None or any(t is None for t in initial):
        return
    count, elem, kinds = sequence
    tag = f"loop{stmt.span.start}"
    outside = dict(body.values)
    index_names = tuple(f"{i.name}@{tag}" for i in stmt.indices)
    for ident, name in zip(stmt.indices, index_names, strict=True):
        body.values[ident.name] = Local(name, type=TensorType(elem=elem), span=ident.span)
    carried = tuple(f"{i.name}@{tag}" for i in stmt.carrying)
    starts = tuple(t for t in initial if t is not None)
    for ident, name, start in zip(stmt.carrying, carried, starts, strict=True):
        type_ = TensorType(start.type.items, start.type.elem)
        body.values[ident.name] = Local(name, type=type_, span=ident.span)
    check(stmt.body, ctx)
    after = [body.values[i.name] for i in stmt.carrying]
    body.values = outside
    if not _fits(stmt, starts, after, ctx):
        return
    sequences = tuple(LoopSequence(k, count, elem) for k in kinds)
    definition = LoopDef(
        tag, count, index_names, sequences, carried, starts, tuple(after), stmt.span
    )
    for place, (ident, start) in enumerate(zip(stmt.carrying, starts, strict=True)):
        type_ = TensorType(start.type.items, start.type.elem)
        body.values[ident.name] = LoopResultTerm(definition, place, type=type_, span=stmt.span)


def _sequence(stmt: ast.For, ctx: Context) -> tuple[Dim, Fin, tuple[str, ...]] | None:
    """Number of iterations, element type of the indices, and the kind of each index sequence."""
    call = stmt.iterable
    name = (
        call.callee.name if isinstance(call, ast.Call) and isinstance(call.callee, ast.Name) else ""
    )
    if not isinstance(call, ast.Call) or name not in ("descending", "steps"):
        ctx.error(
            "E0514", "a loop runs over `descending(T, S)` or `steps(n)`", call.span, "not iterable"
        )
        return None
    sizes = [size(a.value, ctx.body, ctx.sink) for a in call.args]
    known = [s for s in sizes if s is not None]
    wanted = 2 if name == "descending" else 1
    if len(known) != len(sizes) or len(known) != wanted or len(stmt.indices) != wanted:
        ctx.error(
            "E0514",
            f"`{name}` takes {wanted} size(s) and gives {wanted} index(es)",
            stmt.span,
            f"{len(sizes)} given, {len(stmt.indices)} bound",
        )
        return None
    if name == "steps":
        return known[0], Fin(known[0]), ("ascending",)
    total, count = known
    if decide("positive", ONE, total - count + 1) is None:
        ctx.body.conditions.append(("positive", ONE, total - count + 1, call.span))
    return count, Fin(total + 1), ("descending", "descending_next")


def _carried(name: ast.Ident, ctx: Context) -> Term | None:
    value = ctx.body.values.get(name.name)
    if value is None:
        ctx.error(
            "E0201",
            f"unknown name `{name.name}`",
            name.span,
            "carried, but not bound before the loop",
        )
        return None
    return None if isinstance(value, Poison) else value


def _fits(stmt: ast.For, before: tuple[Term, ...], after: list[Term], ctx: Context) -> bool:
    for ident, start, end in zip(stmt.carrying, before, after, strict=True):
        if poisoned(end):
            return False
        if end.type != start.type:
            ctx.error(
                "E0402",
                f"`{ident.name}` changes its type in the loop",
                end.span,
                describe(end),
                help=f"it starts as {show_type(start.type)}",
            )
            return False
    return True
