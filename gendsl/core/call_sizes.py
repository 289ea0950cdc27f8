"""Sizes of a call: brackets, defaults, asserted labels, inherited conditions, sizes of nets."""

from __future__ import annotations

from gendsl.core.call_arguments import declared
from gendsl.core.conditions import condition_text, decide, failure_text, repair
from gendsl.core.context import CallSyntax, Context
from gendsl.core.instantiate import sizes_of
from gendsl.core.matching import Match
from gendsl.core.program import DimInfo
from gendsl.core.scope import FnEntity
from gendsl.core.show import plain
from gendsl.core.sizes import axis_argument, items
from gendsl.core.term import AxisArg, FnDef, Signature
from gendsl.diagnostics.counted import counted
from gendsl.diagnostics.model import Label
from gendsl.shape.dim import Dim
from gendsl.source.text import Span
from gendsl.syntax import ast


def bind_brackets(
    signature: Signature,
    bracket: tuple[ast.SizeItem, ...] | None,
    match: Match,
    ctx: Context,
    span: Span,
) -> bool:
    """Explicit sizes `[O]`, `[hidden, k: 3]`, or the asserted labels of a spread `[B, P]`."""
    if signature.bracket_spread is not None:
        return True
    names = {plain(n): n for n, _ in signature.sizes}
    order = [n for n, _ in signature.sizes]
    for part in bracket or ():
        argument = axis_argument(part, ctx.body, ctx.sink)
        if argument is None:
            return False
        label = part.label.name if isinstance(part, ast.SizeAxis) and part.label else None
        if label in names:
            target: str | None = names[label]
        else:
            target = next((n for n in order if n not in match.dims), None)
        if target is None or target in match.dims:
            ctx.error(
                "E0408",
                f"`{signature.name}` takes {counted(len(order), 'size')} in brackets",
                part.span,
                "one too many",
                labels=declared(signature),
            )
            return False
        match.dims[target] = argument
    return True


def complete(signature: Signature, match: Match, ctx: Context, syntax: CallSyntax) -> bool:
    """Defaults for bracket sizes; every size and spread must be known; asserted labels agree."""
    for name, default in signature.sizes:
        if name not in match.dims and default is not None:
            value = default.substitute(sizes_of(match.dims))
            match.dims[name] = AxisArg(plain(value), value)
    missing = [plain(n) for n in match.locals if n not in match.dims]
    if missing:
        bracket = next((plain(n) for n, _ in signature.sizes if n not in match.dims), None)
        ctx.error(
            "E0407",
            f"`{signature.name}` needs the size `{bracket or missing[0]}`",
            syntax.span,
            "not given" if bracket else f"no argument has an axis for `{missing[0]}`",
            labels=declared(signature),
            help=f"write `{syntax.name}[{bracket}](...)`" if bracket else None,
        )
        return False
    for spread in signature.spreads:
        match.spreads.setdefault(spread, ())
    return _labels_asserted(signature, match, ctx, syntax)


def _labels_asserted(signature: Signature, match: Match, ctx: Context, syntax: CallSyntax) -> bool:
    """`mse[B, P, C](e, z)` says what `..s` is; it must be so."""
    if signature.bracket_spread is None:
        return True
    actual = match.spreads[signature.bracket_spread]
    shown = ", ".join(plain(i.label) for i in actual)
    if syntax.items is None:
        ctx.error(
            "E0409",
            f"`{signature.name}` wants the labels it reduces",
            syntax.span,
            "no brackets",
            help=f"write `{signature.name}[{shown}](...)`, or `[..]` for all",
        )
        return False
    if len(syntax.items) == 1:
        only = syntax.items[0]
        if isinstance(only, ast.SizeSpread) and only.name is None:
            return True
    stated = items(syntax.items, ctx.body, ctx.sink)
    if stated is None:
        return False
    if tuple(i.label for i in stated) != tuple(i.label for i in actual):
        ctx.error(
            "E0409",
            f"`{signature.name}` reduces [{shown}] here",
            syntax.span,
            f"[{', '.join(plain(i.label) for i in stated)}] is written",
            help=f"write `{signature.name}[{shown}](...)`",
        )
        return False
    return True


def conditions(target: FnDef | str, sizes: dict[str, Dim], ctx: Context, span: Span) -> bool:
    """Conditions of the callee at these sizes: decided now when constant, else inherited."""
    for kind, d0, e0, where in target.conditions if isinstance(target, FnDef) else ():
        d, e = d0.substitute(sizes), e0.substitute(sizes)
        verdict = decide(kind, d, e)
        if verdict is None:
            ctx.body.conditions.append((kind, d, e, span))
        if verdict is not False:
            continue
        assert isinstance(target, FnDef)
        if kind == "number":
            _not_a_number(target.name, e0, e, ctx, span)
        else:
            labels = (Label(where, f"needs {condition_text(kind, d0, e0)}"),)
            ctx.error(
                "E0410",
                f"`{target.name}` needs {condition_text(kind, d0, e0)}",
                span,
                failure_text(kind, d, e),
                labels=labels if where.end else (),
                help=repair(kind, d, e),
            )
        return False
    return True


def _not_a_number(callee: str, formal: Dim, actual: Dim, ctx: Context, span: Span) -> None:
    ctx.error(
        "E0415",
        f"`{callee}` needs a number for `{plain(formal)}`",
        span,
        f"`{plain(actual)}` is a size that is bound later",
        help="strides, kernel sizes and paddings shape the compiled program: write numbers",
    )


def own_conditions(ctx: Context) -> None:
    """Report the conditions of a body that fail for all sizes."""
    for kind, d, e, span in ctx.body.conditions:
        if kind != "number" and decide(kind, d, e) is False:
            text = failure_text(kind, d, e)
            ctx.error(
                "E0410", f"these sizes cannot be: {text}", span, text, help=repair(kind, d, e)
            )


def net_sizes(signature: Signature, sizes: dict[str, Dim], ctx: Context, span: Span) -> bool:
    """All calls of a net share its parameters: its sizes must agree, and not mention a batch."""
    entity = ctx.body.module.entities.get(signature.name)
    if signature.kind != "net" or not isinstance(entity, FnEntity):
        return True
    for name in signature.implicit:
        size = sizes[name]
        for used in size.names:
            info = ctx.body.module.entities.get(used)
            if isinstance(info, DimInfo) and info.kind == "batch":
                ctx.error(
                    "E0503",
                    f"`{plain(name)}` of net `{signature.name}` would be `{plain(size)}`",
                    span,
                    f"`{used}` counts examples, parameters cannot depend on it",
                )
                return False
        known = entity.net_dims.setdefault(name, (size, span))
        if known[0] != size:
            ctx.error(
                "E0411",
                f"net `{signature.name}` is called with two sizes of `{plain(name)}`",
                span,
                f"`{plain(size)}` here",
                labels=(Label(known[1], f"`{plain(known[0])}` here"),),
                help="all calls share the net's parameters; use two nets, or equal sizes",
            )
            return False
    return True
