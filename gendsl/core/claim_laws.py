"""Laws in claims: `normal(mean = m, var = v)`, `bernoulli(logits = l)`, and `nll(x, law)`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction

from gendsl.core.align import align
from gendsl.core.builtins.pointwise import apply_op
from gendsl.core.context import Context, describe, poisoned
from gendsl.core.program import DimInfo
from gendsl.core.show import show_type
from gendsl.core.term import Literal, PiTerm, Poison, Reduce, Term
from gendsl.diagnostics.suggest import did_you_mean
from gendsl.shape.tensor_type import Axis, TensorType
from gendsl.source.text import Span
from gendsl.syntax import ast

Check = Callable[[ast.Expr, Context], Term]

_FORMS: dict[str, tuple[tuple[str, ...], ...]] = {
    "normal": (("mean", "var"), ("mean", "cov")),
    "bernoulli": (("logits",), ("mean",)),
    "uniform": (("low", "high"),),
    "categorical": (("logits",),),
}


@dataclass(frozen=True)
class Spec:
    """A law with its arguments as terms, each of the value's shape (except `cov`)."""

    dist: str
    arguments: Mapping[str, Term]
    batch_axes: int = 0


def law(expr: ast.Expr, of: TensorType, ctx: Context, check: Check) -> Spec | None:
    """A law for a value of type `of`; keywords are mandatory."""
    name = (
        expr.callee.name if isinstance(expr, ast.Call) and isinstance(expr.callee, ast.Name) else ""
    )
    if not isinstance(expr, ast.Call) or name not in _FORMS:
        ctx.error(
            "E0609",
            f"`{name}` is not a law" if name else "a law is wanted",
            expr.span,
            "one of " + ", ".join(_FORMS),
            help=did_you_mean(name, list(_FORMS)),
        )
        return None
    given = {a.name.name: a.value for a in expr.args if a.name is not None}
    positional = [a.value for a in expr.args if a.name is None]
    if len(positional) == 1 and name in ("bernoulli", "categorical") and not given:
        given = {"logits": positional[0]}
        positional = []
    if positional or set(given) not in [set(form) for form in _FORMS[name]]:
        forms = [f"`{name}({', '.join(f'{k} = ...' for k in f)})`" for f in _FORMS[name]]
        unknown = [k for k in given if not any(k in form for form in _FORMS[name])]
        deviation = any(k in ("std", "sd", "scale", "stddev") for k in unknown)
        ctx.error(
            "E0609",
            f"`{name}` has no argument `{unknown[0]}`"
            if unknown
            else f"the arguments of `{name}` are named",
            expr.span,
            f"write {' or '.join(forms)}",
            help="`var` is a variance: `var = square(std)`" if deviation else None,
        )
        return None
    arguments: dict[str, Term] = {}
    for key, value in given.items():
        term = check(value, ctx)
        if poisoned(term):
            return None
        if key != "cov":
            fitted = _fit(term, of, ctx, value.span)
            if fitted is None:
                return None
            term = fitted
        arguments[key] = term
    batch = 0
    if "cov" in arguments:
        batch = sum(1 for i in of.items if isinstance(i, Axis) and _is_batch(i, ctx))
    return Spec(name, arguments, batch)


def _is_batch(axis: Axis, ctx: Context) -> bool:
    info = ctx.body.module.entities.get(axis.size.as_name or "")
    return isinstance(info, DimInfo) and info.kind == "batch"


def _fit(term: Term, of: TensorType, ctx: Context, span: Span) -> Term | None:
    anchor = Literal(Fraction(0), type=TensorType(of.items), span=span)
    aligned = align(ctx, (anchor, term), span)
    if aligned is None:
        return None
    if len(aligned[1].type.items) != len(of.items):
        ctx.error("E0609", f"the value is {show_type(of)}", span, describe(term))
        return None
    return aligned[1]


model_law = law


def nll(value: Term, spec: ast.Expr, ctx: Context, span: Span, check: Check) -> Term:
    """Negative log-likelihood in nats: summed over all axes but the batch axis, averaged there."""
    if poisoned(value):
        return value
    made = law(spec, value.type, ctx, check)
    if made is None:
        return Poison(span=span)
    if made.dist == "normal" and "var" in made.arguments:
        density = _normal(value, made.arguments["mean"], made.arguments["var"], span)
    elif made.dist == "bernoulli" and "logits" in made.arguments:
        logits = made.arguments["logits"]
        inner = apply_op("mul", (logits, value), span)
        density = apply_op("sub", (apply_op("softplus", (logits,), span), inner), span)
    else:
        return ctx.error(
            "E0609", "`nll` knows normal(mean, var) and bernoulli(logits)", span, made.dist
        )
    items = value.type.items
    batch = tuple(
        i for i, item in enumerate(items) if isinstance(item, Axis) and _is_batch(item, ctx)
    )
    rest = tuple(i for i in range(len(items)) if i not in batch)
    kept = tuple(item for i, item in enumerate(items) if i in batch)
    total = Reduce("sum", density, rest, type=TensorType(kept), span=span) if rest else density
    if not batch:
        return total
    return Reduce("mean", total, tuple(range(len(kept))), type=TensorType(), span=span)


def _log_two_pi(span: Span) -> Term:
    product = apply_op("mul", (Literal(Fraction(2)), PiTerm(span=span)), span)
    return apply_op("log", (product,), span)


def _normal(x: Term, mean: Term, var: Term, span: Span) -> Term:
    """(log(2 pi) + log v + (x - m)^2 / v) / 2, entry by entry."""
    from gendsl.core.align import broadcast_to

    squared = apply_op("square", (apply_op("sub", (x, mean), span),), span)
    quadratic = apply_op("div", (squared, var), span)
    with_log = apply_op("add", (apply_op("log", (var,), span), quadratic), span)
    constant = broadcast_to(_log_two_pi(span), x.type.items, ())
    half = broadcast_to(Literal(Fraction(1, 2)), x.type.items, ())
    return apply_op("mul", (half, apply_op("add", (constant, with_log), span)), span)
