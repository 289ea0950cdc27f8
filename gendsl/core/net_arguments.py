"""Nets passed to functions: the argument's signature must do what the parameter's asks.

By now the other arguments have solved the caller's sizes. The parameter's types, at these sizes,
are matched against the net's own signature as a call would be; leading axes stay abstract, so that
the function may call the net under any. What a direct call of the net would check is checked here:
its sizes agree with those of other calls, and its size conditions are inherited.
"""

from __future__ import annotations

from gendsl.core.call_arguments import Arguments
from gendsl.core.call_sizes import conditions, net_sizes
from gendsl.core.context import Context
from gendsl.core.instantiate import instantiate, sizes_of
from gendsl.core.matching import Match, same_size
from gendsl.core.ranges import inside
from gendsl.core.show import plain, range_text, show_type
from gendsl.core.term import FnDef, Signature
from gendsl.diagnostics.model import Label
from gendsl.shape.tensor_type import Spread, TensorType


def fit_nets(signature: Signature, arguments: Arguments, match: Match, ctx: Context) -> bool:
    """Check every net among the arguments of a call; reports what does not fit."""
    for formal in signature.formals:
        if formal.net is None or formal.name not in arguments.nets:
            continue
        given = arguments.nets[formal.name]
        have = given.signature if isinstance(given, FnDef) else ctx.body.nets[given]
        span = arguments.exprs[formal.name].span
        inner = Match(frozenset([*(n for n, _ in have.sizes), *have.implicit]))
        problem = _misfit(formal.net, have, match, inner)
        if problem is not None:
            ctx.error(
                "E0310",
                f"`{have.name}` does not fit `{formal.name}`",
                span,
                problem,
                labels=(Label(formal.span, "wanted here"), Label(have.span, have.describe())),
            )
            return False
        sizes = sizes_of(inner.dims)
        if not conditions(given, sizes, ctx, span):
            return False
        if isinstance(given, FnDef) and not net_sizes(have, sizes, ctx, span):
            return False
    return True


def _misfit(want: Signature, have: Signature, match: Match, inner: Match) -> str | None:
    """Why a net cannot stand for a parameter, or None; solves the net's sizes in `inner`."""
    if have.sizes or have.bracket_spread is not None:
        return "its sizes in brackets would have to be given"
    for asked, own in zip(want.formals, have.formals, strict=False):
        type_ = instantiate(asked.type, match.dims, {})
        if asked.flag != own.flag:
            return f"`{own.name}` is {'a' if own.flag else 'no'} flag"
        if not any(isinstance(i, Spread) for i in own.type.items) and any(
            isinstance(i, Spread) for i in type_.items
        ):
            return f"`{own.name}` has no leading axes"
        if own.type.range is not None and not inside(asked.type.range, own.type.range):
            return f"`{own.name}` has to be in {range_text(own.type.range)}"
        inner.add(own.name, own.type, type_)
    unset = [f for f in have.formals[len(want.formals) :] if f.default is None]
    if unset:
        return f"its flag `{unset[0].name}` has no default"
    inner.finish()
    if inner.problems:
        first = inner.problems[0]
        return f"`{first.formal}`: {first.reason}"
    missing = [n for n in have.implicit if n not in inner.source]
    if missing:
        return f"its size `{plain(missing[0])}` is no axis of its own of a parameter"
    for asked_result, own_result in zip(want.results, have.results, strict=True):
        expected = instantiate(asked_result, match.dims, {})
        made = instantiate(own_result, inner.dims, inner.spreads)
        if not _same(made, expected):
            return f"its result is {show_type(made)}, not {show_type(expected)}"
        if expected.range is not None and not inside(made.range, expected.range):
            return f"its result is not declared in {range_text(expected.range)}"
    return None


def _same(a: TensorType, b: TensorType) -> bool:
    """Equal elements and sizes, axis by axis."""
    same_rank = a.elem == b.elem and len(a.items) == len(b.items)
    return same_rank and all(same_size(x, y) for x, y in zip(a.items, b.items, strict=True))
