"""Claims: every form of the language, checked for names, types and shapes.

A checked claim is a list of core terms and a function that builds the lowered claim
(`gendsl.core.claim`) from the nodes of these terms: the lowering lowers the terms and calls it.
An expression that compares tensors means "everywhere".
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from gendsl.core import claim as lowered
from gendsl.core.align import align
from gendsl.core.check_expr import term
from gendsl.core.claim_laws import law, model_law, nll
from gendsl.core.context import Context, describe, poisoned
from gendsl.core.program import DimInfo
from gendsl.core.scope import FnEntity, ObjectiveEntity, ValueEntity
from gendsl.core.sizes import size
from gendsl.core.term import Bound, ExpectTerm, Poison, Term, WithTerm
from gendsl.diagnostics.suggest import did_you_mean
from gendsl.ir.graph import Node
from gendsl.shape.dim import Dim
from gendsl.shape.tensor_type import Bool, Fin, TensorType
from gendsl.source.text import Span
from gendsl.syntax import ast

Nodes = Sequence[Node]
Make = Callable[[Nodes], Any]


@dataclass
class Parts:
    """The terms of one claim, in slots that the builder functions refer to."""

    terms: list[Term] = field(default_factory=list)
    given: list[Make] = field(default_factory=list)
    variables: list[tuple[int, Dim | None, Dim | None]] = field(default_factory=list)
    any_nets: tuple[str, ...] = ()
    failed: bool = False

    def slot(self, value: Term) -> int:
        if poisoned(value):
            self.failed = True
        self.terms.append(value)
        return len(self.terms) - 1


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
        )

    return ClaimTerms(tuple(parts.terms), build)


def claim_term(expr: ast.Expr, ctx: Context) -> Term:
    """An expression of a claim: adds `with`, `E[eps](e)`, `nll(x, law)` to the language."""
    match expr:
        case ast.With(operand=operand, bindings=bindings):
            return _with(expr, claim_term(operand, ctx), bindings, ctx)
        case ast.Call(callee=ast.Bracket(base=ast.Name(name="E"), items=items), args=args) if (
            len(args) == 1
        ):
            return _expectation(expr, items, claim_term(args[0].value, ctx), ctx)
        case ast.Call(callee=ast.Name(name="nll"), args=(value, law_arg)):
            return nll(claim_term(value.value, ctx), law_arg.value, ctx, expr.span, claim_term)
        case ast.Binary(op="+" | "-" | "*" | "/"):
            from gendsl.core.check_expr import _ARITHMETIC, real_op

            return real_op(
                _ARITHMETIC[expr.op],
                (claim_term(expr.left, ctx), claim_term(expr.right, ctx)),
                ctx,
                expr,
            )
        case _:
            return term(expr, ctx)


def _with(expr: ast.With, value: Term, bindings: tuple[ast.Arg, ...], ctx: Context) -> Term:
    replaced: dict[str, Term] = {}
    for binding in bindings:
        name = binding.name.name if binding.name else ""
        entity = ctx.body.module.entities.get(name)
        bound = ctx.body.values.get(name)
        if not (isinstance(entity, ValueEntity) and entity.kind == "hyper") and not isinstance(
            bound, Bound
        ):
            names = [
                n
                for n, e in ctx.body.module.entities.items()
                if isinstance(e, ValueEntity) and e.kind == "hyper"
            ]
            return ctx.error(
                "E0601",
                f"`{name}` is not a hyperparameter",
                binding.name.span if binding.name else binding.span,
                "cannot be replaced",
                help=did_you_mean(name, names) or f"assume it instead: `given {name} == ...: ...`",
            )
        replaced[name] = claim_term(binding.value, ctx)
    if poisoned(value, *replaced.values()):
        return Poison(span=expr.span)
    return WithTerm(
        value, replaced, type=TensorType(value.type.items, value.type.elem), span=expr.span
    )


def _expectation(
    expr: ast.Expr, items: tuple[ast.SizeItem, ...], value: Term, ctx: Context
) -> Term:
    names: list[str] = []
    for item in items:
        ok = isinstance(item, ast.SizeAxis) and isinstance(item.size, ast.Name)
        if not ok or not isinstance(item, ast.SizeAxis) or not isinstance(item.size, ast.Name):
            return ctx.error("E0602", "`E[...]` names draws", item.span, "not a draw")
        if item.size.name not in ctx.body.draws:
            return ctx.error(
                "E0602",
                f"`{item.size.name}` is not a draw here",
                item.span,
                "not drawn",
                help=did_you_mean(item.size.name, ctx.body.draws)
                or f"drawn here: {', '.join(sorted(ctx.body.draws)) or 'nothing'}",
            )
        names.append(item.size.name)
    if poisoned(value):
        return value
    return ExpectTerm(value, tuple(names), type=TensorType(value.type.items), span=expr.span)


# ---- propositions ------------------------------------------------------------------------


def _prop(expr: ast.Expr, ctx: Context, parts: Parts) -> Make | None:
    match expr:
        case ast.Binary(op="and" | "or" as op, left=left, right=right):
            a, b = _prop(left, ctx, parts), _prop(right, ctx, parts)
            if a is None or b is None:
                return None
            kind = lowered.And if op == "and" else lowered.Or
            return lambda n: kind((a(n), b(n)))
        case ast.Unary(op="not", operand=operand):
            inner = _prop(operand, ctx, parts)
            return None if inner is None else lambda n: lowered.Not(inner(n))
        case ast.Compare(op=op, left=left, right=right):
            if _mentions(left, "grad") or _mentions(right, "grad"):
                return _gradients(expr, ctx, parts)
            if _mentions(left, "lipschitz"):
                return _lipschitz(expr, ctx, parts)
            return _comparison(op, claim_term(left, ctx), claim_term(right, ctx), expr, ctx, parts)
        case _:
            value = claim_term(expr, ctx)
            if not poisoned(value) and not isinstance(value.type.elem, Bool):
                ctx.error(
                    "E0603",
                    "a claim is true or false; this is a value",
                    expr.span,
                    describe(value),
                    help="compare it: `e == ...`, `e >= ...`",
                )
                return None
            slot = parts.slot(value)
            return lambda n: lowered.Holds(n[slot])


def _comparison(
    op: str, a: Term, b: Term, expr: ast.Expr, ctx: Context, parts: Parts
) -> Make | None:
    from gendsl.core.check_expr import as_index_like

    if poisoned(a, b):
        parts.failed = True
        return None
    a, b = as_index_like(a, b), as_index_like(b, a)
    if type(a.type.elem) is not type(b.type.elem):
        ctx.error("E0301", "the two sides are different kinds of values", expr.span, describe(a))
        return None
    aligned = align(ctx, (a, b), expr.span)
    if aligned is None:
        return None
    left, right = parts.slot(aligned[0]), parts.slot(aligned[1])
    return lambda n: lowered.Compare(op, n[left], n[right])


def _mentions(expr: ast.Expr, name: str) -> bool:
    match expr:
        case ast.Call(callee=ast.Name(name=callee)) if callee == name:
            return True
        case ast.Binary(left=left, right=right):
            return _mentions(left, name) or _mentions(right, name)
        case ast.Unary(operand=operand):
            return _mentions(operand, name)
        case _:
            return False


def _gradients(expr: ast.Compare, ctx: Context, parts: Parts) -> Make | None:
    """`grad(a, g) == 0`, `grad(a, g) == beta * grad(b, g) + grad(c, g)`."""
    if expr.op != "==":
        ctx.error(
            "E0604",
            "gradients are compared with `==`",
            expr.span,
            f"`{expr.op}`",
            help="gradients are tensors of the group's shapes; `grad(a, g) == 0` says all are zero",
        )
        return None
    left, right = _summands(expr.left, ctx, parts), _summands(expr.right, ctx, parts)
    if left is None or right is None:
        return None

    def side(
        entries: list[tuple[int, str, int | None]], nodes: Nodes
    ) -> tuple[lowered.GradTerm, ...]:
        return tuple(
            lowered.GradTerm(nodes[v], g, None if f is None else nodes[f]) for v, g, f in entries
        )

    return lambda n: lowered.GradEqual(side(left, n), side(right, n))


def _summands(
    expr: ast.Expr, ctx: Context, parts: Parts
) -> list[tuple[int, str, int | None]] | None:
    match expr:
        case ast.Number(value=value) if value == 0:
            return []
        case ast.Binary(op="+", left=left, right=right):
            a, b = _summands(left, ctx, parts), _summands(right, ctx, parts)
            return None if a is None or b is None else a + b
        case ast.Binary(op="*", left=left, right=ast.Call() as call):
            entry = grad_call(call, ctx, parts)
            return None if entry is None else [(*entry, parts.slot(claim_term(left, ctx)))]
        case ast.Call() as call:
            entry = grad_call(call, ctx, parts)
            return None if entry is None else [(*entry, None)]
        case _:
            ctx.error(
                "E0604",
                "a sum of `c * grad(value, group)` is wanted",
                expr.span,
                "not of this form",
            )
            return None


def grad_call(call: ast.Call, ctx: Context, parts: Parts) -> tuple[int, str] | None:
    """`grad(value, group)`: the slot of the scalar, and the group."""
    is_grad = (
        isinstance(call.callee, ast.Name) and call.callee.name == "grad" and len(call.args) == 2
    )
    group = call.args[1].value if is_grad else None
    if not is_grad or not isinstance(group, ast.Name):
        ctx.error("E0604", "`grad(value, group)` is wanted", call.span, "two arguments")
        return None
    if not is_group(group.name, ctx):
        ctx.error(
            "E0206",
            f"`{group.name}` is not a parameter group",
            group.span,
            "a net or a free parameter is wanted",
            help=did_you_mean(group.name, _groups(ctx)) or f"groups: {', '.join(_groups(ctx))}",
        )
        return None
    value = claim_term(call.args[0].value, ctx)
    if not poisoned(value) and value.type.items:
        ctx.error(
            "E0604",
            "the gradient of a scalar is wanted",
            call.args[0].span,
            describe(value, call.args[0].value),
            help="name a term of the objective, or reduce the value: `mean[..](...)`",
        )
        return None
    return parts.slot(value), group.name


def _groups(ctx: Context) -> list[str]:
    return [n for n in ctx.body.module.entities if is_group(n, ctx)]


def is_group(name: str, ctx: Context) -> bool:
    entity = ctx.body.module.entities.get(name)
    if isinstance(entity, ValueEntity):
        return entity.kind == "param"
    return isinstance(entity, FnEntity) and entity.decl.kind == "net"


def _lipschitz(expr: ast.Compare, ctx: Context, parts: Parts) -> Make | None:
    """`lipschitz(e, x, l2) <= bound`: e as a function of the bound variable x."""
    call = expr.left
    names = (
        [a.value.name for a in call.args if isinstance(a.value, ast.Name)]
        if isinstance(call, ast.Call)
        else []
    )
    if (
        not isinstance(call, ast.Call)
        or len(call.args) != 3
        or len(names) < 2
        or names[-1] not in ("l1", "l2", "max")
    ):
        ctx.error("E0605", "`lipschitz(e, x, l2)` is wanted", expr.left.span, "norms: l1, l2, max")
        return None
    variable = ctx.body.values.get(names[-2])
    if not isinstance(variable, Bound):
        ctx.error(
            "E0605",
            f"`{names[-2]}` is not a bound variable of the claim",
            call.args[1].span,
            "not bound",
            help=f"state it in claims about a function: `claims f({names[-2]}):`",
        )
        return None
    body, at = parts.slot(claim_term(call.args[0].value, ctx)), parts.slot(variable)
    bound = parts.slot(claim_term(expr.right, ctx))
    norm, op = names[-1], expr.op
    return lambda n: lowered.Lipschitz(n[body], n[at], norm, op, n[bound])


# ---- claim forms -------------------------------------------------------------------------


def _body(body: ast.ClaimBody, ctx: Context, parts: Parts) -> Make | None:
    match body:
        case ast.Proposition(value=value):
            prop = _prop(value, ctx, parts)
            return None if prop is None else lambda n: lowered.Plain(prop(n))
        case ast.Iff(left=left, right=right):
            a, b = _prop(left, ctx, parts), _prop(right, ctx, parts)
            return None if a is None or b is None else lambda n: lowered.Iff(a(n), b(n))
        case ast.Given(hypothesis=hypothesis, claim=inner):
            given = _prop(hypothesis, ctx, parts)
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
            parts.any_nets += tuple(n.name for n in nets)
            return _body(inner, ctx, parts)
        case ast.HasLaw(value=value, law=spec):
            return _has_law(value, spec, ctx, parts)
        case ast.Bounds():
            return _bounds(body, ctx, parts)
        case _:
            return _simple(body, ctx, parts)


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
    if isinstance(value, ast.Call) and _mentions(value, "grad"):
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
    """`iterate(step, x, t) has law ...`: t applications of the kernel `step(x, index)`."""
    values = [a.value for a in call.args]
    if (
        len(values) != 3
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
    step = term(ast.Call(values[0], args, call.span), ctx)
    made = None if poisoned(step) else law(spec, start.type, ctx, claim_term)
    if made is None:
        parts.failed = True
        return None
    s = [parts.slot(t) for t in (start, state, index, step, count)]
    slots = {key: parts.slot(t) for key, t in made.arguments.items()}
    return lambda n: lowered.IterateLaw(
        n[s[0]],
        n[s[1]],
        n[s[2]],
        n[s[3]],
        n[s[4]],
        lowered.LawSpec(made.dist, {k: n[i] for k, i in slots.items()}, made.batch_axes),
    )


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
