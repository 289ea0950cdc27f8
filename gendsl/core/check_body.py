"""Statements: bodies of functions, nets, samplers and objectives.

A body becomes terms: each name stands for the term bound to it last. What only objectives have
(terms, shows, the optimised value, state updates) is collected in an `ObjectiveParts`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from gendsl.core.check_call import call_results
from gendsl.core.check_expr import term
from gendsl.core.context import CallSyntax, Context, describe, poisoned
from gendsl.core.distributions import sample
from gendsl.core.loops import loop
from gendsl.core.ranges import inside
from gendsl.core.scope import FnEntity, ValueEntity
from gendsl.core.show import plain, range_text, show_kind, show_range, show_type
from gendsl.core.sizes import tensor_type, value_range
from gendsl.core.term import Apply, Choose, Flag, Literal, OwnParam, Poison, ShowDef, Term
from gendsl.diagnostics.counted import counted
from gendsl.diagnostics.model import Label
from gendsl.shape.tensor_type import Fin, Range, Real, TensorType
from gendsl.source.text import Span
from gendsl.syntax import ast


@dataclass
class ObjectiveParts:
    """What the statements of an objective add up to."""

    terms: dict[str, Term] = field(default_factory=dict)
    shows: dict[str, ShowDef] = field(default_factory=dict)
    updates: dict[str, Term] = field(default_factory=dict)
    loss: tuple[str, Term, Span] | None = None


@dataclass
class BodyResult:
    """`returned` is the value of a `return`, None when there was none."""

    returned: Term | None = None
    parts: ObjectiveParts = field(default_factory=ObjectiveParts)


def statements(body: tuple[ast.Stmt, ...], ctx: Context, result: BodyResult) -> None:
    """Check the statements in order."""
    for stmt in body:
        if result.returned is not None:
            ctx.error("E0512", "nothing can follow `return`", stmt.span, "never reached")
            return
        _statement(stmt, ctx, result)


def _statement(stmt: ast.Stmt, ctx: Context, result: BodyResult) -> None:
    match stmt:
        case ast.Assign():
            _assign(stmt, ctx)
        case ast.DrawStmt():
            _draw(stmt, ctx)
        case ast.Return(value=value):
            ctx.body.binding = "out"
            result.returned = term(value, ctx)
        case ast.ParamDecl():
            _own_param(stmt, ctx)
        case ast.If():
            _if(stmt, ctx, result)
        case ast.For():
            loop(stmt, ctx, lambda inner, inside: statements(inner, inside, result))
        case ast.TermStmt() | ast.ShowStmt() | ast.Optimize() | ast.Update():
            if ctx.body.kind != "objective":
                word = type(stmt).__name__.removesuffix("Stmt").lower()
                word = stmt.verb if isinstance(stmt, ast.Optimize) else word
                ctx.error(
                    "E0505",
                    f"`{word}` stands only in objectives",
                    stmt.span,
                    f"this is in {show_kind(ctx.body.kind)}",
                    help="move it to the objective that uses this, under `term` or `minimize`",
                )
                return
            _objective_part(stmt, ctx, result.parts)


def bind(target: ast.Ident, value: Term, ctx: Context) -> None:
    """Bind a name, refusing to shadow a declaration."""
    entity = ctx.body.module.entities.get(target.name)
    visible_data = isinstance(entity, ValueEntity) and entity.kind == "data"
    hidden = visible_data and ctx.body.kind != "objective"
    if (entity is not None and not hidden) or target.name in ctx.body.sizes:
        span = ctx.body.module.spans.get(target.name)
        ctx.error(
            "E0205",
            f"`{target.name}` is already declared",
            target.span,
            "would shadow it",
            labels=(Label(span, "declared here"),) if span else (),
            help="choose another name",
        )
    ctx.body.values[target.name] = value
    ctx.body.value_spans[target.name] = target.span


def _assign(stmt: ast.Assign, ctx: Context) -> None:
    ctx.body.binding = stmt.targets[0].name
    if len(stmt.targets) == 1:
        if _binds_instance(stmt, ctx):
            return
        bind(stmt.targets[0], term(stmt.value, ctx), ctx)
        return
    value = stmt.value
    parts = CallSyntax.of(value) if isinstance(value, ast.Call) else None
    if parts is None:
        ctx.error(
            "E0307",
            f"{len(stmt.targets)} names for one value",
            stmt.targets[0].span.to(stmt.targets[-1].span),
            "only calls have several results",
        )
        _poison(stmt.targets, ctx)
        return
    syntax, place = parts
    results = call_results(syntax, place, ctx, term)
    if results is None:
        _poison(stmt.targets, ctx)
        return
    names = [n for n, _ in results]
    targets = [t.name for t in stmt.targets]
    if len(names) != len(targets):
        ctx.error(
            "E0307",
            f"`{syntax.name}` has {counted(len(names), 'result')}",
            stmt.targets[0].span.to(stmt.targets[-1].span),
            counted(len(targets), "name"),
            help=f"write `{', '.join(n or 'y' for n in names)} = {syntax.name}(...)`",
        )
        _poison(stmt.targets, ctx)
        return
    _in_order(syntax.name, stmt.targets, names, ctx)
    for target, (_, value_term) in zip(stmt.targets, results, strict=True):
        bind(target, value_term, ctx)


def _in_order(callee: str, targets: tuple[ast.Ident, ...], names: list[str], ctx: Context) -> None:
    """Results are taken by place; a name of another place is a mistake."""
    wrong = [(t, n) for t, n in zip(targets, names, strict=True) if t.name != n and t.name in names]
    if wrong:
        target, name = wrong[0]
        ctx.error(
            "E0312",
            f"the results of `{callee}` come in the order {', '.join(names)}",
            target.span,
            f"this is `{name}`",
            help=f"write `{', '.join(names)} = {callee}(...)`",
        )


def _poison(targets: tuple[ast.Ident, ...], ctx: Context) -> None:
    for target in targets:
        ctx.body.values[target.name] = Poison(span=target.span)


def _binds_instance(stmt: ast.Assign, ctx: Context) -> bool:
    """`block = dense[hidden]` names a layer instance to be shared."""
    value = stmt.value
    base = value.base if isinstance(value, ast.Bracket) else value
    if not isinstance(base, ast.Name) or not isinstance(value, ast.Bracket | ast.Name):
        return False
    entity = ctx.body.module.entities.get(base.name)
    if (
        not isinstance(entity, FnEntity)
        or entity.decl.kind != "layer"
        or base.name in ctx.body.values
    ):
        return False
    target = stmt.targets[0]
    if target.name in ctx.body.used_instances:
        ctx.error(
            "E0204",
            f"two layers are named `{target.name}`",
            target.span,
            "again",
            labels=(Label(ctx.body.used_instances[target.name], "first here"),),
        )
    ctx.body.used_instances[target.name] = stmt.span
    ctx.body.instances[target.name] = value
    return True


def _draw(stmt: ast.DrawStmt, ctx: Context) -> None:
    body = ctx.body
    body.binding = stmt.target.name
    if not body.may_draw:
        ctx.error(
            "E0502",
            f"{show_kind(body.kind)} does not draw",
            stmt.span,
            "a draw",
            help="declare it as `kernel`, or draw in the objective and pass the noise",
        )
    if stmt.target.name in body.draws:
        ctx.error(
            "E0509",
            f"two draws are named `{stmt.target.name}`",
            stmt.target.span,
            "again",
            labels=_first(stmt.target, ctx),
            help="give each draw a name of its own",
        )
    body.draws.add(stmt.target.name)
    type_ = tensor_type(stmt.type, body, ctx.sink)
    value = (
        Poison(span=stmt.span)
        if type_ is None
        else sample(stmt.target.name, type_, stmt.dist, ctx, stmt.span)
    )
    if type_ is not None:
        within(value, type_, f"the draw `{stmt.target.name}`", stmt.dist.span, ctx)
    bind(stmt.target, value, ctx)


def within(value: Term, type_: TensorType, what: str, span: Span, ctx: Context) -> None:
    """Report a value that may leave the range that is declared for it."""
    if poisoned(value) or type_.range is None or inside(value.type.range, type_.range):
        return
    ctx.error(
        "E0304",
        f"{what} is declared in {range_text(type_.range)}",
        span,
        show_range(value.type.range),
        help="leave out the range, or `clamp` the value",
    )


def unbounded(what: str, syntax: ast.TypeExpr, type_: TensorType, ctx: Context) -> None:
    """Report a range at what training changes."""
    if type_.range is not None:
        ctx.error(
            "E0305",
            f"{what} has no range",
            syntax.span,
            "training changes it",
            help="bound it where it is used, by `sigmoid` or `clamp`; a parameter may be `> 0`",
        )


def _first(name: ast.Ident, ctx: Context) -> tuple[Label, ...]:
    """Where the name was bound before."""
    span = ctx.body.value_spans.get(name.name)
    return (Label(span, "first here"),) if span else ()


def _own_param(stmt: ast.ParamDecl, ctx: Context) -> None:
    body = ctx.body
    if not body.may_own_parameters:
        ctx.error(
            "E0501",
            f"{show_kind(body.kind)} owns no parameters",
            stmt.span,
            "a parameter",
            help="declare it in a layer or net, or at the top level",
        )
        return
    type_ = tensor_type(stmt.type, body, ctx.sink)
    if type_ is None:
        bind(stmt.name, Poison(span=stmt.span), ctx)
        return
    if not isinstance(type_.elem, Real):
        ctx.error("E0301", "a parameter is real", stmt.span, show_type(type_))
        return
    unbounded(f"the parameter `{stmt.name.name}`", stmt.type, type_, ctx)
    init = initial(stmt.name.name, type_, stmt.init, ctx)
    bounds = positive_range() if stmt.positive else None
    own = OwnParam(
        stmt.name.name,
        init,
        stmt.positive,
        type=TensorType(type_.items, Real(), bounds),
        span=stmt.span,
    )
    body.params.append(own)
    bind(stmt.name, own, ctx)


def positive_range() -> Range:
    from fractions import Fraction

    return Range(Fraction(0), None)


def initial(name: str, type_: TensorType, init: ast.Expr | None, ctx: Context) -> Term:
    """The initial value: a distribution, an expression, or zero."""
    if init is None:
        from fractions import Fraction

        return Literal(Fraction(0))
    if isinstance(init, ast.Compare) and _names_a_law(init.left):
        return ctx.error(
            "E0116",
            f"the bound of `{name}` stands before `init`",
            init.span,
            "a comparison is no initial value",
            help=f"write `param {name}: [...] > 0 init ...`",
        )
    if _names_a_law(init):
        return sample(name, type_, init, ctx, init.span)
    value = term(init, ctx)
    if not poisoned(value) and value.type.items and value.type.labels != type_.labels:
        return ctx.error("E0402", "the initial value has another shape", init.span, describe(value))
    return value


def _names_a_law(expr: ast.Expr) -> bool:
    callee = expr.callee if isinstance(expr, ast.Call) else None
    return isinstance(callee, ast.Name) and callee.name in ("normal", "uniform")


def _if(stmt: ast.If, ctx: Context, result: BodyResult) -> None:
    condition = term(stmt.condition, ctx)
    if not isinstance(condition, Flag):
        if not isinstance(condition, Poison):
            static = _of_flags(condition)
            ctx.error(
                "E0309",
                "`if` chooses by a static flag",
                stmt.condition.span,
                "made of flags, and none itself"
                if static
                else f"{describe(condition)}, known only when the program runs",
                help="write the flag alone: for `not` swap the branches, for `and` put one `if` "
                "into the other"
                if static
                else "choose by value with `where(condition, a, b)`",
            )
        _poison(tuple(_assigned((*stmt.then, *stmt.otherwise))), ctx)
        if any(isinstance(s, ast.Return) for s in stmt.then):
            result.returned = Poison(span=stmt.span)
        return
    before = dict(ctx.body.values)
    branches: list[dict[str, Term]] = []
    returns: list[Term | None] = []
    for branch in (stmt.then, stmt.otherwise):
        ctx.body.values = dict(before)
        inner = BodyResult(parts=result.parts)
        statements(branch, ctx, inner)
        branches.append(ctx.body.values)
        returns.append(inner.returned)
    ctx.body.values = dict(before)
    then, otherwise = branches
    for name in then.keys() & otherwise.keys():
        if then[name] is not otherwise[name]:
            ctx.body.values[name] = _choose(
                condition, then[name], otherwise[name], stmt.condition.span, ctx
            )
    first, second = returns
    if first is not None and second is not None:
        result.returned = _choose(condition, first, second, stmt.condition.span, ctx)
    elif first is not None or second is not None:
        ctx.error("E0512", "both branches return, or neither", stmt.span, "one returns")


def _of_flags(condition: Term) -> bool:
    """Whether a condition is built from flags alone: `not train`."""
    if isinstance(condition, Apply):
        return all(_of_flags(part) for part in condition.args)
    return isinstance(condition, Flag)


def _assigned(body: tuple[ast.Stmt, ...]) -> Iterator[ast.Ident]:
    """The names that statements bind."""
    for stmt in body:
        match stmt:
            case ast.Assign(targets=targets):
                yield from targets
            case ast.DrawStmt(target=target) | ast.TermStmt(target=target):
                yield target
            case ast.If(then=then, otherwise=otherwise):
                yield from _assigned((*then, *otherwise))
            case _:
                pass


def _choose(flag: Flag, a: Term, b: Term, span: Span, ctx: Context) -> Term:
    if poisoned(a, b):
        return Poison(span=span)
    if a.type != b.type:
        return ctx.error(
            "E0402",
            "the branches give different types",
            span,
            "chosen here",
            labels=(Label(a.span, describe(a)), Label(b.span, describe(b))),
            help="a static choice keeps the shape",
        )
    if flag.name is None:
        return a if flag.value else b
    return Choose(flag, a, b, type=a.type, span=span)


# ---- objectives --------------------------------------------------------------------------


def _objective_part(
    stmt: ast.TermStmt | ast.ShowStmt | ast.Optimize | ast.Update,
    ctx: Context,
    parts: ObjectiveParts,
) -> None:
    ctx.body.binding = stmt.target.name if not isinstance(stmt, ast.Optimize) else stmt.verb
    value = term(stmt.value, ctx)
    match stmt:
        case ast.TermStmt(target=target):
            if target.name in parts.terms:
                ctx.error(
                    "E0511",
                    f"two terms are named `{target.name}`",
                    target.span,
                    "again",
                    labels=_first(target, ctx),
                    help="terms are logged by name: choose another",
                )
            if _scalar(value, f"the term `{target.name}`", ctx):
                parts.terms[target.name] = value
            else:
                value = Poison(span=value.span)
            bind(target, value, ctx)
        case ast.Optimize(verb=verb):
            if parts.loss is not None:
                ctx.error(
                    "E0504",
                    "an objective optimises one value",
                    stmt.span,
                    "the second",
                    labels=(Label(parts.loss[2], "the first"),),
                    help="add the terms up",
                )
            elif _scalar(value, "the objective", ctx):
                parts.loss = (verb, value, stmt.span)
        case ast.ShowStmt(target=target):
            bounds = value_range(stmt.range, ctx.sink) if stmt.range else value.type.range
            if not poisoned(value):
                parts.shows[target.name] = ShowDef(value, bounds)
        case ast.Update(target=target):
            _update(target, value, ctx, parts)


def _scalar(value: Term, what: str, ctx: Context) -> bool:
    if poisoned(value):
        return False
    if value.type.items:
        ctx.error(
            "E0510",
            f"{what} must be a scalar",
            value.span,
            describe(value),
            help=_reduced(value.type, ctx),
        )
        return False
    return True


def _reduced(type_: TensorType, ctx: Context) -> str:
    """Examples are averaged; whether coordinates are summed or averaged is the author's choice."""
    batches = {d.name for d in ctx.body.module.dims() if d.kind == "batch"}
    labels = [plain(i.label) for i in type_.items]
    rest = ", ".join(n for n in labels if n not in batches)
    examples = ", ".join(n for n in labels if n in batches)
    if not rest:
        return f"average over the examples: `mean[{examples}](...)`"
    inner = f"`sum[{rest}](...)` or `mean[{rest}](...)`"
    return f"reduce it: {inner}" + (f", then `mean[{examples}](...)`" if examples else "")


def _update(target: ast.Ident, value: Term, ctx: Context, parts: ObjectiveParts) -> None:
    entity = ctx.body.module.entities.get(target.name)
    if not isinstance(entity, ValueEntity) or entity.kind != "state":
        ctx.error(
            "E0513",
            f"`{target.name}` is not a state",
            target.span,
            "only states are updated",
            help="parameters change by gradients: name it in `step ... over ...`"
            if isinstance(entity, ValueEntity) and entity.kind == "param"
            else f"declare `state {target.name}: [...] = 0`",
        )
        return
    if poisoned(value):
        return
    same = len(value.type.items) == len(entity.type.items) and all(
        a == b for a, b in zip(value.type.items, entity.type.items, strict=True)
    )
    if not same or isinstance(value.type.elem, Fin):
        ctx.error(
            "E0402", f"`{target.name}` is {show_type(entity.type)}", value.span, describe(value)
        )
        return
    parts.updates[target.name] = value
