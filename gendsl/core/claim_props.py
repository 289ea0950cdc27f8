"""Expressions and propositions of claims: what a claim is made of before its form."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from gendsl.core import claim as lowered
from gendsl.core.align import align
from gendsl.core.check_expr import term
from gendsl.core.claim_laws import nll
from gendsl.core.context import Context, describe, poisoned
from gendsl.core.scope import FnEntity, ValueEntity
from gendsl.core.term import Bound, ExpectTerm, Poison, Term, WithTerm
from gendsl.diagnostics.suggest import did_you_mean
from gendsl.ir.graph import Node
from gendsl.shape.dim import Dim
from gendsl.shape.tensor_type import Bool, TensorType
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


def proposition(expr: ast.Expr, ctx: Context, parts: Parts) -> Make | None:
    match expr:
        case ast.Binary(op="and" | "or" as op, left=left, right=right):
            a, b = proposition(left, ctx, parts), proposition(right, ctx, parts)
            if a is None or b is None:
                return None
            kind = lowered.And if op == "and" else lowered.Or
            return lambda n: kind((a(n), b(n)))
        case ast.Unary(op="not", operand=operand):
            inner = proposition(operand, ctx, parts)
            return None if inner is None else lambda n: lowered.Not(inner(n))
        case ast.Compare(op=op, left=left, right=right):
            if mentions(left, "grad") or mentions(right, "grad"):
                return _gradients(expr, ctx, parts)
            if mentions(left, "lipschitz"):
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


def mentions(expr: ast.Expr, name: str) -> bool:
    match expr:
        case ast.Call(callee=ast.Name(name=callee)) if callee == name:
            return True
        case ast.Binary(left=left, right=right):
            return mentions(left, name) or mentions(right, name)
        case ast.Unary(operand=operand):
            return mentions(operand, name)
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
