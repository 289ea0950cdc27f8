"""Claims: every form of the language, checked for names, types and shapes.

A checked claim is a list of core terms and a function that builds the lowered claim
(`gendsl.core.claim`) from the nodes of these terms: the lowering lowers the terms and calls it.
An expression that compares tensors means "everywhere".
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from gendsl.core import claim as lowered
from gendsl.core.align import align
from gendsl.core.check_expr import term
from gendsl.core.claim_laws import law, model_law
from gendsl.core.claim_props import (
    Make,
    Nodes,
    Parts,
    claim_term,
    grad_call,
    is_group,
    mentions,
    proposition,
)
from gendsl.core.context import Context, poisoned
from gendsl.core.lint import walk
from gendsl.core.program import DimInfo
from gendsl.core.scope import FnEntity, ObjectiveEntity
from gendsl.core.sizes import size
from gendsl.core.term import Bound, Draw, FnDef, OwnParam, Term
from gendsl.diagnostics.suggest import did_you_mean
from gendsl.shape.dim import Dim
from gendsl.shape.tensor_type import Fin, TensorType
from gendsl.source.text import Span
from gendsl.syntax import ast


@dataclass(frozen=True)
class ClaimTerms:
    """A checked claim: lower `terms`, then call `build` with their nodes."""

    terms: tuple[Term, ...]
    build: Callable[[Nodes], lowered.Claim]


def check_claim(
    claim: ast.Claim, subject: str, bound: tuple[Bound, ...], ctx: Context
) -> ClaimTerms | None:
    """Check one claim; `bound` are the universally bound arguments of its block."""
    parts = Parts()
    slots = [parts.slot(b) for b in bound]
    make = _body(claim.body, ctx, parts)
    if make is None or parts.failed:
        return None
    ranges = [b.type.range for b in bound]

    def build(nodes: Nodes) -> lowered.Claim:
        variables = [
            lowered.Variable(nodes[s], r.low if r else None, r.high if r else None)
            for s, r in zip(slots, ranges, strict=True)
        ]
        variables += [lowered.Variable(nodes[s], low, high) for s, low, high in parts.variables]
        body = make(nodes)
        given = tuple(g(nodes) for g in parts.given)
        return lowered.Claim(
            claim.name.name,
            body,
            claim.source,
            claim.span,
            given,
            tuple(variables),
            parts.any_nets,
            subject,
            () if claim.alias is None else (claim.alias.name,),
        )

    return ClaimTerms(tuple(parts.terms), build)


# ---- claim forms -------------------------------------------------------------------------


def _body(body: ast.ClaimBody, ctx: Context, parts: Parts) -> Make | None:
    match body:
        case ast.Proposition(value=value):
            prop = proposition(value, ctx, parts)
            return None if prop is None else lambda n: lowered.Plain(prop(n))
        case ast.Iff(left=left, right=right):
            a, b = proposition(left, ctx, parts), proposition(right, ctx, parts)
            return None if a is None or b is None else lambda n: lowered.Iff(a(n), b(n))
        case ast.Given(hypothesis=hypothesis, claim=inner):
            given = proposition(hypothesis, ctx, parts)
            if given is None:
                return None
            parts.given.append(given)
            return _body(inner, ctx, parts)
        case ast.ForAll():
            return _for_all(body, ctx, parts)
        case ast.ForAny(claim=inner, nets=nets):
            for net in nets:
                if not is_group(net.name, ctx) and net.name not in ctx.body.nets:
                    ctx.error("E0206", f"`{net.name}` is not a net", net.span, "unknown")
                    return None
                if not _is_one_function(net, ctx):
                    return None
            parts.any_nets += tuple(n.name for n in nets)
            return _body(inner, ctx, parts)
        case ast.HasLaw(value=value, law=spec):
            return _has_law(value, spec, ctx, parts)
        case ast.Bounds():
            return _bounds(body, ctx, parts)
        case _:
            return _simple(body, ctx, parts)


def _is_one_function(net: ast.Ident, ctx: Context) -> bool:
    """An opaque net is one function of its tensors; one with a flag is several, and one that draws
    gives another value at each call."""
    entity = ctx.body.module.entities.get(net.name)
    definition = ctx.program.definition(entity) if isinstance(entity, FnEntity) else None
    if definition is None:
        return True
    flag = any(f.flag for f in definition.signature.formals)
    if not flag and not _draws(definition):
        return True
    ctx.error(
        "E0310",
        f"`{net.name}` {'takes a flag' if flag else 'draws'}: no claim is for any such net",
        net.span,
        definition.signature.describe(),
        help="put what the flag changes into nets of their own"
        if flag
        else "draw outside of the net, and pass it the noise",
    )
    return False


def _draws(definition: FnDef) -> bool:
    """Whether a body draws, other than the initial values of its parameters."""
    parts = list(walk(list(definition.outputs)))
    starts = [p.init for p in parts if isinstance(p, OwnParam) and p.init is not None]
    initial = {id(p) for p in walk(starts)}
    return any(isinstance(p, Draw) and id(p) not in initial for p in parts)


def _simple(body: ast.ClaimBody, ctx: Context, parts: Parts) -> Make | None:
    match body:
        case ast.Monotone(value=value, direction=direction, variable=variable):
            at, what = (
                parts.slot(term(ast.Name(variable.name, variable.span), ctx)),
                claim_term(value, ctx),
            )
            slot = parts.slot(what)
            return lambda n: lowered.Monotone(n[slot], n[at], direction)
        case ast.InRange(value=value, range=bounds):
            slot = parts.slot(claim_term(value, ctx))
            low = (
                None
                if bounds.low is None or _infinite(bounds.low)
                else parts.slot(claim_term(bounds.low, ctx))
            )
            high = (
                None
                if bounds.high is None or _infinite(bounds.high)
                else parts.slot(claim_term(bounds.high, ctx))
            )
            return lambda n: lowered.InRange(
                n[slot], None if low is None else n[low], None if high is None else n[high]
            )
        case ast.Independent(value=value, variable=variable):
            return _independent(value, variable, ctx, parts)
        case ast.Leaves(objective=objective, group=group):
            known = isinstance(ctx.body.module.entities.get(objective.name), ObjectiveEntity)
            if not known or not is_group(group.name, ctx):
                ctx.error(
                    "E0206",
                    "an objective and a parameter group are wanted",
                    body.span,
                    f"`{objective.name}`" if not known else f"`{group.name}`",
                )
                return None
            return lambda n: lowered.Leaves(objective.name, group.name)
        case ast.RepeatInvariant(value=value):
            slot, batch = parts.slot(claim_term(value, ctx)), _batch(ctx, body.span)
            return None if batch is None else lambda n: lowered.RepeatInvariant(n[slot], batch)
        case ast.Separable(value=value, axis=axis):
            slot = parts.slot(claim_term(value, ctx))
            info = ctx.body.module.entities.get(axis.name)
            if not isinstance(info, DimInfo) or info.kind != "batch":
                batches = [f"`{d.name}`" for d in ctx.body.module.dims() if d.kind == "batch"]
                ctx.error(
                    "E0606",
                    f"`{axis.name}` does not count examples",
                    axis.span,
                    "not a batch axis",
                    help=f"write {batches[0]}" if batches else "declare `batch B`",
                )
                return None
            return lambda n: lowered.Separable(n[slot], axis.name)
        case ast.UpTo():
            return _up_to(body, ctx, parts)
        case _:
            raise AssertionError(body)


def _infinite(expr: ast.Expr) -> bool:
    inner = expr.operand if isinstance(expr, ast.Unary) else expr
    return isinstance(inner, ast.Name) and inner.name == "inf"


def _independent(value: ast.Expr, variable: ast.Ident, ctx: Context, parts: Parts) -> Make | None:
    at = parts.slot(term(ast.Name(variable.name, variable.span), ctx))
    if isinstance(value, ast.Call) and mentions(value, "grad"):
        entry = grad_call(value, ctx, parts)
        if entry is None:
            return None
        slot, group = entry
        return lambda n: lowered.Independent(n[slot], group, n[at])
    slot = parts.slot(claim_term(value, ctx))
    return lambda n: lowered.Independent(n[slot], None, n[at])


def _batch(ctx: Context, span: Span) -> str | None:
    names = [d.name for d in ctx.body.module.dims() if d.kind == "batch"]
    if len(names) != 1:
        ctx.error("E0606", "the program has no batch axis", span, "declare `batch B`")
        return None
    return names[0]


def _up_to(body: ast.UpTo, ctx: Context, parts: Parts) -> Make | None:
    for group in body.groups:
        if not is_group(group.name, ctx):
            ctx.error("E0206", f"`{group.name}` is not a parameter group", group.span, "unknown")
            return None
    left, right = claim_term(body.left, ctx), claim_term(body.right, ctx)
    if poisoned(left, right):
        parts.failed = True
        return None
    aligned = align(ctx, (left, right), body.span)
    if aligned is None:
        return None
    a, b = parts.slot(aligned[0]), parts.slot(aligned[1])
    groups = tuple(g.name for g in body.groups)
    return lambda n: lowered.UpTo(n[a], n[b], body.scale, body.constant, groups)


def _for_all(body: ast.ForAll, ctx: Context, parts: Parts) -> Make | None:
    low: Dim | None = None
    high: Dim | None = None
    if body.fin_bound is not None:
        bound = size(body.fin_bound, ctx.body, ctx.sink)
    else:
        assert body.range is not None
        low = _end(body.range.low, ctx)
        high = _end(body.range.high, ctx)
        bound = None if high is None else high + 1
    if bound is None:
        return None
    variable = Bound(body.variable.name, type=TensorType(elem=Fin(bound)), span=body.variable.span)
    saved = ctx.body.values.get(body.variable.name)
    ctx.body.values[body.variable.name] = variable
    parts.variables.append((parts.slot(variable), low, high))
    make = _body(body.claim, ctx, parts)
    del ctx.body.values[body.variable.name]
    if saved is not None:
        ctx.body.values[body.variable.name] = saved
    return make


def _end(expr: ast.Expr | None, ctx: Context) -> Dim | None:
    if isinstance(expr, ast.Number) and expr.value == 0:
        return Dim.of(0)
    return None if expr is None else size(expr, ctx.body, ctx.sink)


def _has_law(value: ast.Expr, spec: ast.Expr, ctx: Context, parts: Parts) -> Make | None:
    if (
        isinstance(value, ast.Call)
        and isinstance(value.callee, ast.Name)
        and value.callee.name == "iterate"
    ):
        return _iterate(value, spec, ctx, parts)
    what = claim_term(value, ctx)
    made = None if poisoned(what) else law(spec, what.type, ctx, claim_term)
    if made is None:
        parts.failed = True
        return None
    slot = parts.slot(what)
    slots = {key: parts.slot(t) for key, t in made.arguments.items()}
    return lambda n: lowered.HasLaw(
        n[slot], lowered.LawSpec(made.dist, {k: n[s] for k, s in slots.items()}, made.batch_axes)
    )


def _iterate(call: ast.Call, spec: ast.Expr, ctx: Context, parts: Parts) -> Make | None:
    """`iterate(step, x, t, a, ...) has law ...`: t applications of the kernel
    `step(x, index, a, ...)`."""
    values = [a.value for a in call.args]
    if (
        len(values) < 3
        or not isinstance(values[0], ast.Name)
        or not isinstance(values[2], ast.Name)
    ):
        ctx.error(
            "E0607",
            "`iterate(step, x, t)` is wanted",
            call.span,
            "a kernel, a value, a bound index",
            help="`for all t in 0..T: iterate(step, x, t) has law ...`",
        )
        return None
    start, count = claim_term(values[1], ctx), ctx.body.values.get(values[2].name)
    if poisoned(start) or not isinstance(count, Bound) or not isinstance(count.type.elem, Fin):
        ctx.error(
            "E0607",
            f"`{values[2].name}` is not a bound index",
            values[2].span,
            "use `for all t in 0..T`",
        )
        return None
    state = Bound("iterate.state", type=TensorType(start.type.items), span=call.span)
    index = Bound("iterate.index", type=TensorType(elem=count.type.elem), span=call.span)
    ctx.body.values |= {"iterate.state": state, "iterate.index": index}
    args = tuple(
        ast.Arg(None, ast.Name(n, call.span), call.span) for n in ("iterate.state", "iterate.index")
    )
    args += call.args[3:]
    held = [_held(a.value, ctx) for a in call.args[3:]]
    step = term(ast.Call(values[0], args, call.span), ctx)
    made = None if poisoned(step) else law(spec, start.type, ctx, claim_term)
    if made is None:
        parts.failed = True
        return None
    s = [parts.slot(t) for t in (start, state, index, step, count)]
    slots = {key: parts.slot(t) for key, t in made.arguments.items()}
    kept = [parts.slot(t) for t in held if t is not None and not poisoned(t)]
    return lambda n: lowered.IterateLaw(
        n[s[0]],
        n[s[1]],
        n[s[2]],
        n[s[3]],
        n[s[4]],
        lowered.LawSpec(made.dist, {k: n[i] for k, i in slots.items()}, made.batch_axes),
        tuple(n[i] for i in kept),
    )


def _held(expr: ast.Expr, ctx: Context) -> Term | None:
    """A tensor that every step of an iteration is given (None for a net, a flag)."""
    if isinstance(expr, ast.Name) and expr.name not in ctx.body.values:
        return None
    found = claim_term(expr, ctx)
    return found if isinstance(found.type, TensorType) else None


def _bounds(body: ast.Bounds, ctx: Context, parts: Parts) -> Make | None:
    """`e bounds nll(x) under z: PRIOR, x given z: LIKELIHOOD, posterior LAW`."""
    target_expr = body.target
    match target_expr:
        case ast.Call(callee=ast.Name(name="nll"), args=(ast.Arg(name=None, value=inner),)):
            target_expr = inner
        case _:
            ctx.error(
                "E0608",
                "a bound is on `nll(x)`",
                target_expr.span,
                "the negative log-likelihood of data is wanted",
                help="write `... bounds nll(x) under z: ..., x given z: ..., posterior ...`",
            )
            parts.failed = True
            return None
    latent = ctx.body.values.get(body.prior.variable.name)
    target = term(target_expr, ctx)
    batch = _batch(ctx, body.span)
    if latent is None or poisoned(target, latent) or batch is None:
        if latent is None:
            ctx.error(
                "E0608",
                f"`{body.prior.variable.name}` is not a value of the objective",
                body.prior.variable.span,
                "the latent variable",
                help=did_you_mean(body.prior.variable.name, ctx.body.values)
                or f"drawn here: {', '.join(sorted(ctx.body.draws)) or 'nothing'}",
            )
        parts.failed = True
        return None
    made = [
        model_law(body.prior.law, latent.type, ctx, claim_term),
        model_law(body.likelihood.law, target.type, ctx, claim_term),
        model_law(body.posterior, latent.type, ctx, claim_term),
    ]
    if any(m is None for m in made):
        parts.failed = True
        return None
    value, x, z = (parts.slot(t) for t in (claim_term(body.value, ctx), target, latent))
    specs = [(m.dist, {k: parts.slot(t) for k, t in m.arguments.items()}) for m in made if m]

    def build(n: Nodes) -> object:
        prior, likelihood, posterior = (
            lowered.LawSpec(dist, {k: n[i] for k, i in slots.items()}) for dist, slots in specs
        )
        return lowered.Bounds(n[value], n[x], n[z], prior, likelihood, posterior, batch)

    return build
