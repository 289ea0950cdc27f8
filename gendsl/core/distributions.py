"""Draws from named distributions, as standard draws and arithmetic.

`normal(mean = m, var = v)` is m + sqrt(v) * eps with a standard normal eps; `uniform(a, b)` is
a + (b - a) * u; `uniform(a..b)` on an index is inclusive on both ends; `bernoulli(probs = p)` is
u < p. Keywords of `normal` are mandatory: half of the field writes standard deviations.
"""

from __future__ import annotations

from gendsl.core.align import align
from gendsl.core.builtins.pointwise import apply_op
from gendsl.core.conditions import decide
from gendsl.core.context import Context, make_op, poisoned
from gendsl.core.show import plain, show_type
from gendsl.core.sizes import size
from gendsl.core.term import Apply, Draw, Literal, Poison, Term
from gendsl.diagnostics.suggest import did_you_mean
from gendsl.shape.dim import ONE
from gendsl.shape.tensor_type import Bool, Fin, Range, Real, TensorType
from gendsl.source.text import Span
from gendsl.syntax import ast

NAMES = ("normal", "uniform", "bernoulli")

_GAUSSIAN = "write `normal(mean = ..., var = ...)`"
_ELSEWHERE = {"gaussian": _GAUSSIAN, "randn": _GAUSSIAN, "rand": "write `uniform(0, 1)`"}


def sample(name: str, type_: TensorType, dist: ast.Expr, ctx: Context, span: Span) -> Term:
    """The term of a value of `type_` drawn from `dist`; the draw itself is called `name`."""
    if not isinstance(dist, ast.Call) or not isinstance(dist.callee, ast.Name):
        return ctx.error(
            "E0507",
            "a distribution is wanted after `~`",
            dist.span,
            "not a distribution",
            help="`normal(mean = 0, var = 1)`, `uniform(0, 1)`, `bernoulli(probs = p)`",
        )
    kind = dist.callee.name
    if kind not in NAMES:
        return ctx.error(
            "E0507",
            f"unknown distribution `{kind}`",
            dist.callee.span,
            "one of " + ", ".join(NAMES),
            help=_ELSEWHERE.get(kind) or did_you_mean(kind, list(NAMES)),
        )
    if isinstance(type_.elem, Fin):
        return _index(name, type_, type_.elem, dist, ctx, span)
    arguments = _arguments(kind, dist, ctx)
    if arguments is None:
        return Poison(span=span)
    if kind == "bernoulli":
        return _bernoulli(name, type_, arguments["probs"], ctx, span)
    if not isinstance(type_.elem, Real):
        return ctx.error("E0507", f"`{kind}` gives reals, not {show_type(type_)}", dist.span, "")
    bounds = None if kind == "normal" else _unit()
    standard: Term = Draw(name, kind, type=TensorType(type_.items, Real(), bounds), span=span)
    if kind == "normal":
        scale = arguments["var"]
        if not _is(scale, 1):
            scale = apply_op("sqrt", (scale,), dist.span)
            standard = _combine("mul", scale, standard, type_, ctx, span)
        return _shift(arguments["mean"], standard, type_, ctx, span)
    low, high = arguments["low"], arguments["high"]
    if not (_is(low, 0) and _is(high, 1)):
        width = align(ctx, (high, low), span)
        if width is None:
            return Poison(span=span)
        standard = _combine("mul", apply_op("sub", width, span), standard, type_, ctx, span)
    return _shift(low, standard, type_, ctx, span)


def _unit() -> Range:
    from fractions import Fraction

    return Range(Fraction(0), Fraction(1))


def _is(term: Term, value: int) -> bool:
    return isinstance(term, Literal) and term.value == value


def _shift(offset: Term, value: Term, type_: TensorType, ctx: Context, span: Span) -> Term:
    return value if _is(offset, 0) else _combine("add", offset, value, type_, ctx, span)


def _combine(op: str, a: Term, b: Term, type_: TensorType, ctx: Context, span: Span) -> Term:
    if poisoned(a, b):
        return Poison(span=span)
    aligned = align(ctx, (a, b), span)
    if aligned is None:
        return Poison(span=span)
    if len(aligned[0].type.items) != len(type_.items):
        return ctx.error(
            "E0402",
            f"the law has axes that {show_type(type_)} lacks",
            span,
            f"its arguments are {show_type(aligned[0].type)}",
            help=f"declare it as {show_type(aligned[0].type)}, or reduce the arguments",
        )
    return apply_op(op, aligned, span)


def _arguments(kind: str, dist: ast.Call, ctx: Context) -> dict[str, Term] | None:
    from gendsl.core.check_expr import term

    wanted = {"normal": ("mean", "var"), "uniform": ("low", "high"), "bernoulli": ("probs",)}[kind]
    given: dict[str, Term] = {}
    for place, arg in enumerate(dist.args):
        if arg.name is None and kind == "uniform" and isinstance(arg.value, ast.RangeValue):
            bounds = arg.value.range
            if bounds.low is None or bounds.high is None:
                ctx.error("E0507", "a uniform law needs two finite ends", arg.span, "infinite")
                return None
            given |= {"low": term(bounds.low, ctx), "high": term(bounds.high, ctx)}
            continue
        if arg.name is None and kind != "uniform":
            ctx.error(
                "E0507",
                f"the arguments of `{kind}` are named",
                arg.span,
                "which one is this?",
                help=f"write `{kind}({', '.join(f'{w} = ...' for w in wanted)})`",
            )
            return None
        key = arg.name.name if arg.name else wanted[min(place, 1)]
        if key not in wanted or key in given:
            ctx.error(
                "E0507",
                f"`{kind}` has no argument `{key}`",
                arg.span,
                f"it takes {', '.join(wanted)}",
                help="`var` is a variance: `var = square(std)`"
                if key in ("std", "sd", "scale")
                else did_you_mean(key, list(wanted)),
            )
            return None
        given[key] = term(arg.value, ctx)
    missing = [w for w in wanted if w not in given]
    if missing:
        ctx.error(
            "E0507",
            f"`{kind}` needs `{missing[0]}`",
            dist.span,
            "missing",
            help=f"write `{kind}({', '.join(f'{w} = ...' for w in wanted)})`",
        )
        return None
    return None if poisoned(*given.values()) else given


def _bernoulli(name: str, type_: TensorType, probs: Term, ctx: Context, span: Span) -> Term:
    noise = Draw(name, "uniform", type=TensorType(type_.items, Real(), _unit()), span=span)
    aligned = align(ctx, (noise, probs), span)
    if aligned is None:
        return Poison(span=span)
    success = Apply(make_op("less"), aligned, type=TensorType(type_.items, Bool()), span=span)
    if isinstance(type_.elem, Bool):
        return success
    return Apply(
        make_op("to_real"), (success,), type=TensorType(type_.items, Real(), _unit()), span=span
    )


def _index(
    name: str, type_: TensorType, elem: Fin, dist: ast.Call, ctx: Context, span: Span
) -> Term:
    """`t: [B] of fin[T + 1] ~ uniform(1..T)`."""
    only = dist.args[0].value if len(dist.args) == 1 else None
    if not isinstance(only, ast.RangeValue) or only.range.low is None or only.range.high is None:
        return ctx.error(
            "E0507", "an index is drawn from `uniform(a..b)`", dist.span, "both ends included"
        )
    low, high = size(only.range.low, ctx.body, ctx.sink), size(only.range.high, ctx.body, ctx.sink)
    if low is None or high is None:
        return Poison(span=span)
    for kind, room in (("positive", elem.bound - high), ("positive", high - low + 1)):
        verdict = decide(kind, ONE, room)
        if verdict is False:
            return ctx.error(
                "E0311",
                f"{plain(low)}..{plain(high)} is not inside fin[{plain(elem.bound)}]",
                only.span,
                f"fin[{plain(elem.bound)}] is 0..{plain(elem.bound - 1)}",
                help=f"draw from `0..{plain(elem.bound - 1)}`, or an index of "
                f"`fin[{plain(high + 1)}]`",
            )
        if verdict is None:
            ctx.body.conditions.append((kind, ONE, room, only.span))
    return Draw(name, "bits", high - low + 1, low, type=type_, span=span)
