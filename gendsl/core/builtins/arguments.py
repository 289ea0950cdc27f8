"""Shared argument handling of builtins: positional terms, labels in brackets, sizes as values."""

from __future__ import annotations

from gendsl.core.context import CallSyntax, Context, describe
from gendsl.core.show import plain
from gendsl.core.sizes import items, size
from gendsl.core.term import Poison, Term
from gendsl.diagnostics.counted import counted
from gendsl.shape.dim import Dim
from gendsl.shape.tensor_type import Spread
from gendsl.syntax import ast


def terms(
    ctx: Context, call: CallSyntax, count: int, named: tuple[str, ...] = ()
) -> tuple[Term, ...] | None:
    """Exactly `count` positional arguments as terms; other named arguments must be in `named`."""
    from gendsl.core.check_expr import term

    given = call.positional()
    extra = [a for a in call.args if a.name is not None and a.name.name not in named]
    if len(given) != count or extra:
        what = (
            f"unknown argument `{extra[0].name.name}`"
            if extra and extra[0].name
            else (f"{len(given)} given")
        )
        ctx.error(
            "E0308",
            f"`{call.name}` takes {counted(count, 'argument')}",
            call.span,
            what,
        )
        return None
    result = tuple(term(a.value, ctx) for a in given)
    return None if any(isinstance(t, Poison) for t in result) else result


def no_brackets(ctx: Context, call: CallSyntax) -> bool:
    if call.items is not None:
        ctx.error(
            "E0408",
            f"`{call.name}` works entry by entry",
            call.items[0].span.to(call.items[-1].span) if call.items else call.span,
            "nothing to say here",
            help=f"write `{call.name}(...)`",
        )
        return False
    return True


def item_positions(ctx: Context, call: CallSyntax, operand: Term) -> tuple[int, ...] | None:
    """The operand's items named in brackets; `[..]` is all of them."""
    if call.items is None:
        ctx.error(
            "E0413",
            f"`{call.name}` must say what it reduces",
            call.span,
            "no labels",
            help=f"write `{call.name}[{', '.join(plain(i.label) for i in operand.type.items)}]"
            "(...)`, or `[..]` for all axes",
        )
        return None
    if len(call.items) == 1 and isinstance(call.items[0], ast.SizeSpread):
        if call.items[0].name is None:
            return tuple(range(len(operand.type.items)))
    labels = [plain(i.label) for i in operand.type.items]
    result: list[int] = []
    for part in call.items:
        label = _label(part, ctx)
        if label is None:
            return None
        if label not in labels:
            ctx.error(
                "E0413",
                f"`{call.name}` finds no axis `{label}`",
                part.span,
                describe(operand),
                help=f"its axes: {', '.join(labels)}" if labels else "a scalar has no axes",
            )
            return None
        result.append(labels.index(label))
    return tuple(sorted(set(result)))


def one_item(ctx: Context, call: CallSyntax, operand: Term) -> int | None:
    """Exactly one axis named in brackets."""
    found = item_positions(ctx, call, operand)
    if found is None:
        return None
    if len(found) != 1 or isinstance(operand.type.items[found[0]], Spread):
        ctx.error(
            "E0413",
            f"`{call.name}` works along one axis",
            call.items[0].span.to(call.items[-1].span) if call.items else call.span,
            "name exactly one",
            help="join axes to one first: `rearrange x: [q, k] -> [(q k)]`",
        )
        return None
    return found[0]


def _label(part: ast.SizeItem, ctx: Context) -> str | None:
    match part:
        case ast.SizeAxis(label=None, size=ast.Name(name=name)):
            return name
        case ast.SizeSpread(name=name) if name is not None:
            return f"..{name.name}"
        case _:
            found = items((part,), ctx.body, ctx.sink)
            return plain(found[0].label) if found else None


def size_argument(
    ctx: Context, call: CallSyntax, expr: ast.Expr | None, default: Dim
) -> Dim | None:
    """A named argument that is a size (`stride = 2`), or its default."""
    return default if expr is None else size(expr, ctx.body, ctx.sink)
