"""Calls of functions, kernels, layers, nets and net parameters, and indexing."""

from __future__ import annotations

from fractions import Fraction

from gendsl.core.align import broadcast_to
from gendsl.core.call_arguments import Arguments, Check, collect
from gendsl.core.call_sizes import bind_brackets, complete, conditions, net_sizes
from gendsl.core.context import CallSyntax, Context, describe, poisoned
from gendsl.core.instantiate import instantiate, repeated_label, sizes_of
from gendsl.core.matching import Match, positions
from gendsl.core.net_arguments import fit_nets
from gendsl.core.ranges import inside, result_range
from gendsl.core.scope import FnEntity
from gendsl.core.show import plain, show_axis, show_kind, show_type
from gendsl.core.sizes import is_size, size
from gendsl.core.term import (
    CallResult,
    FnDef,
    Formal,
    GatherTerm,
    Invoke,
    Literal,
    Poison,
    Signature,
    SizeTerm,
    Spreadout,
    Term,
)
from gendsl.core.unknown import advice, functions
from gendsl.diagnostics.model import Label
from gendsl.shape.dim import ONE, Dim
from gendsl.shape.tensor_type import Axis, Fin, Item, Spread, TensorType
from gendsl.source.text import Span
from gendsl.syntax import ast


def call(syntax: CallSyntax, callee: Span, ctx: Context, check: Check) -> Term:
    """A call with one result."""
    results = call_results(syntax, callee, ctx, check)
    if results is None:
        return Poison(span=syntax.span)
    if len(results) != 1:
        names = ", ".join(f"`{n}`" for n, _ in results)
        return ctx.error(
            "E0307",
            f"`{syntax.name}` has {len(results)} results: {names}",
            syntax.span,
            "one value is wanted here",
            help=f"bind them first: `{', '.join(n for n, _ in results)} = {syntax.name}(...)`",
        )
    return results[0][1]


def call_results(
    syntax: CallSyntax, callee: Span, ctx: Context, check: Check
) -> list[tuple[str, Term]] | None:
    """All results of a call, with their names, or None after an error."""
    resolved = _resolve(syntax, callee, ctx)
    if resolved is None:
        return None
    signature, target, bracket, instance = resolved
    arguments = collect(signature, syntax, ctx, check)
    match = Match(frozenset([*(n for n, _ in signature.sizes), *signature.implicit]))
    if not bind_brackets(signature, bracket, match, ctx, syntax.span) or arguments.bad:
        return None
    for formal in signature.formals:
        if formal.name in arguments.tensors:
            match.add(formal.name, formal.type, arguments.tensors[formal.name].type)
    match.finish()
    if match.problems:
        _report(signature, match, arguments, ctx, syntax)
        return None
    for solution in match.solved_by_division:
        for factor, divisor, dividend in solution.divisibility:
            ctx.body.conditions.append(("divides", divisor * factor, dividend, syntax.span))
    if ctx.body.claim and isinstance(target, str):
        _flattened(signature, match)
    if not complete(signature, match, ctx, syntax) or not fit_nets(
        signature, arguments, match, ctx
    ):
        return None
    return _invoke(signature, target, instance, arguments, match, ctx, syntax)


def _flattened(signature: Signature, match: Match) -> None:
    """In claims the leading axes of a net's argument are one, also where it is given scalars."""
    types = [f.type for f in signature.formals] + list(signature.results)
    for item in [i for t in types for i in t.items if isinstance(i, Spread)]:
        match.spreads.setdefault(item.name, (Axis(item.name, Dim.name(f"{item.name}@spread")),))


# ---- who is called -----------------------------------------------------------------------

_Resolved = tuple[Signature, FnDef | str, tuple[ast.SizeItem, ...] | None, str | None]


def _resolve(syntax: CallSyntax, callee: Span, ctx: Context) -> _Resolved | None:
    """Signature and definition, bracket arguments, and the instance name of a layer call."""
    body = ctx.body
    name, bracket = syntax.name, syntax.items
    if name in body.nets:
        return body.nets[name], name, bracket, None
    bound = body.instances.get(name)
    if bound is not None:
        base, bracket = (
            (bound.base, bound.items) if isinstance(bound, ast.Bracket) else (bound, None)
        )
        assert isinstance(base, ast.Name)
        name = base.name
    entity = body.module.entities.get(name)
    if not isinstance(entity, FnEntity):
        _not_a_function(name, callee, ctx)
        return None
    if not _may_call(entity, ctx, callee):
        return None
    definition = ctx.program.definition(entity)
    if definition is None:
        return None
    instance = None
    if entity.decl.kind == "layer":
        instance = syntax.name if bound is not None else _claim_instance(ctx, callee)
    return definition.signature, definition, bracket, instance


def _not_a_function(name: str, callee: Span, ctx: Context) -> None:
    from gendsl.core.builtins import BUILTINS

    body = ctx.body
    if name in body.module.broken and name not in body.values:
        return
    if name in body.values or name in body.module.entities:
        value = body.values.get(name)
        if not isinstance(value, Poison):
            help = f"`{name}[...]` looks up entries" if value and value.type.items else None
            ctx.error("E0303", f"`{name}` cannot be called", callee, "not a function", help=help)
        return
    help = advice(name, [*functions(body.module), *BUILTINS], ctx)
    body.module.broken.add(name)
    ctx.error("E0203", f"unknown function `{name}`", callee, "not in scope", help=help)


def _may_call(entity: FnEntity, ctx: Context, span: Span) -> bool:
    kind, body = entity.decl.kind, ctx.body
    if kind == "layer" and not body.may_own_parameters:
        ctx.error(
            "E0501",
            f"`{entity.decl.name.name}` is a layer: only nets and layers own parameters",
            span,
            f"called in {show_kind(body.kind)}",
            help="put the call into a `net` and call that",
        )
        return False
    if kind == "kernel" and not (body.may_draw or body.kind == "claims"):
        ctx.error(
            "E0502",
            f"`{entity.decl.name.name}` may draw: {show_kind(body.kind)} may not call it",
            span,
            "a kernel",
            help="declare the caller as `kernel`",
        )
        return False
    if kind == "sampler":
        ctx.error("E0303", "a sampler is not called in a program", span, "runs after training")
        return False
    return True


def _claim_instance(ctx: Context, callee: Span) -> str:
    """The name of an anonymous layer call's parameters; reports a collision."""
    name = ctx.body.binding
    earlier = ctx.body.used_instances.get(name)
    if earlier is not None and earlier != callee:
        ctx.error(
            "E0204",
            f"two layers of `{ctx.body.owner}` would both be named `{name}`",
            callee,
            f"`{name}` again",
            labels=(Label(earlier, f"`{name}` first here"),),
            help="bind each to a name of its own, or share one: `block = dense[O]`",
        )
    ctx.body.used_instances[name] = callee
    return name


# ---- building the call -------------------------------------------------------------------


def _invoke(
    signature: Signature,
    target: FnDef | str,
    instance: str | None,
    arguments: Arguments,
    match: Match,
    ctx: Context,
    syntax: CallSyntax,
) -> list[tuple[str, Term]] | None:
    body = ctx.body
    sizes = sizes_of(match.dims)
    try:
        args = {
            f.name: _fit(arguments.tensors[f.name], f, match)
            for f in signature.formals
            if f.name in arguments.tensors
        }
        types = [instantiate(t, match.dims, match.spreads) for t in _results(target, signature)]
        allowed = conditions(target, sizes, ctx, syntax.span)
    except ValueError as problem:
        ctx.error(
            "E0404", f"a size of `{signature.name}` has no exact value", syntax.span, plain(problem)
        )
        return None
    if not allowed or not net_sizes(signature, sizes, ctx, syntax.span):
        return None
    if not all(_distinct_labels(type_, signature, ctx, syntax) for type_ in types):
        return None
    occurrence = f"{body.binding}.{signature.name}"
    count = body.occurrences.get(occurrence, 0)
    body.occurrences[occurrence] = count + 1
    invoke = Invoke(
        target,
        sizes,
        dict(match.spreads),
        args,
        {f.name: arguments.flags[f.name] for f in signature.formals if f.name in arguments.flags},
        arguments.nets,
        instance,
        occurrence if count == 0 else f"{occurrence}#{count + 1}",
        syntax.span,
    )
    names = signature.result_names or ("",)
    if isinstance(target, FnDef):
        known = {name: value.type.range for name, value in args.items()}
        types = [
            TensorType(t.items, t.elem, result_range(target, i, known)) for i, t in enumerate(types)
        ]
    return [
        (n, CallResult(invoke, i, type=t, span=syntax.span))
        for i, (n, t) in enumerate(zip(names, types, strict=True))
    ]


def _distinct_labels(
    type_: TensorType, signature: Signature, ctx: Context, syntax: CallSyntax
) -> bool:
    label = repeated_label(type_.items)
    if label is not None:
        ctx.error(
            "E0406",
            f"the result of `{signature.name}` has two axes `{plain(label)}`",
            syntax.span,
            show_type(type_),
            help=f"label the new axis: `{syntax.name}[f: {plain(label)}](...)`",
        )
    return label is None


def _results(target: FnDef | str, signature: Signature) -> list[TensorType]:
    """The result types; where no range is declared, the one that the body was seen to have."""
    if isinstance(target, str):
        return list(signature.results)
    return [
        TensorType(declared.items, declared.elem, declared.range or output.type.range)
        for declared, output in zip(signature.results, target.outputs, strict=True)
    ]


def _fit(term: Term, formal: Formal, match: Match) -> Term:
    """The argument broadcast to the instantiated parameter type (scalars and leading axes)."""
    want = instantiate(formal.type, match.dims, match.spreads)
    have = term.type.items
    if len(have) == len(want.items):
        return term
    if not have:
        return broadcast_to(term, want.items, ())
    at = next(i for i, p in enumerate(formal.type.items) if isinstance(p, Spread))
    spread = formal.type.items[at]
    assert isinstance(spread, Spread)
    full = match.spreads[spread.name]
    tail = len(formal.type.items) - at - 1
    middle: tuple[Item, ...] = have[at : len(have) - tail]
    inner = positions(middle, full)
    assert inner is not None
    places = (
        *range(at),
        *(at + p for p in inner),
        *range(at + len(full), at + len(full) + tail),
    )
    return Spreadout(
        term, places, type=TensorType(want.items, term.type.elem, term.type.range), span=term.span
    )


# ---- errors ----------------------------------------------------------------------------


def _report(
    signature: Signature, match: Match, arguments: Arguments, ctx: Context, syntax: CallSyntax
) -> None:
    """One diagnostic per argument that does not fit."""
    seen: set[str] = set()
    for problem in match.problems:
        if problem.formal in seen:
            continue
        seen.add(problem.formal)
        formal = next(f for f in signature.formals if f.name == problem.formal)
        term = arguments.tensors[problem.formal]
        expr = arguments.exprs.get(problem.formal)
        labels = ctx.program.size_places(problem.names)
        if problem.other in arguments.tensors and problem.other in arguments.exprs:
            other = arguments.exprs[problem.other]
            labels += (Label(other.span, describe(arguments.tensors[problem.other], other)),)
        ctx.error(
            "E0401",
            f"`{signature.name}` wants {formal.name}: {show_type(formal.type)}, "
            f"got {show_type(term.type)}",
            expr.span if expr else syntax.span,
            f"{describe(term, expr)}: {problem.reason}",
            labels=(*labels, *_declared(syntax.name, ctx)),
            help=_candidates(formal, match, term, ctx),
        )


def _declared(name: str, ctx: Context) -> tuple[Label, ...]:
    """The place of a function of this file."""
    entity, span = (ctx.body.module.entities.get(name), ctx.body.module.spans.get(name))
    own = isinstance(entity, FnEntity) and entity.module is ctx.body.module
    return (Label(span, f"`{name}` is declared here"),) if own and span is not None else ()


def _candidates(formal: Formal, match: Match, found: Term, ctx: Context) -> str | None:
    """Names in scope that would fit, a transposition, or a missing axis of size 1."""

    def fits(type_: TensorType) -> bool:
        trial = Match(match.locals, dict(match.dims))
        trial.add(formal.name, formal.type, type_)
        trial.finish()
        return not trial.problems

    items_ = found.type.items
    if len(items_) > 1:
        swapped = TensorType((*items_[:-2], items_[-1], items_[-2]), found.type.elem)
        if fits(swapped):
            source = ", ".join(show_axis(i) for i in items_)
            target = ", ".join(show_axis(i) for i in swapped.items)
            return f"transpose it: `rearrange x: [{source}] -> [{target}]`"
    opened = tuple(part for item in items_ for part in _opened(item))
    if len(opened) > len(items_) and fits(TensorType(opened, found.type.elem)):
        source = ", ".join(show_axis(i) for i in items_)
        target = ", ".join(show_axis(i) for i in opened)
        return f"open the group: `rearrange x: [{source}] -> [{target}]`"
    column = (*items_, Axis("1", ONE))
    if items_ and fits(TensorType(column, found.type.elem)):
        source = ", ".join(show_axis(i) for i in items_)
        return f"it lacks an axis of size 1: `expand x: [{source}] -> [{source}, 1]`"
    fitting = [
        name
        for name, value in ctx.body.values.items()
        if value.type.items
        and not isinstance(value, Poison)
        and fits(value.type)
        and (formal.type.range is None or inside(value.type.range, formal.type.range))
    ]
    if formal.name in fitting:
        fitting = [formal.name]
    if not fitting:
        return None
    verb = "fits" if len(fitting) == 1 else "fit"
    return f"{', '.join(f'`{n}`' for n in fitting[-3:])} {verb} here"


def _opened(item: Item) -> tuple[Item, ...]:
    """The axes of a group `(C H W)`, or the axis itself."""
    if isinstance(item, Spread) or not item.factors:
        return (item,)
    return tuple(Axis(factor.label, factor.size) for factor in item.factors)


# ---- indexing ----------------------------------------------------------------------------


def indexing(expr: ast.Bracket, ctx: Context, check: Check) -> Term:
    """`codebook[k]`: the first axis of the table is indexed; the index's axes come first."""
    table = check(expr.base, ctx)
    if poisoned(table):
        return table
    if len(expr.items) != 1 or not isinstance(expr.items[0], ast.SizeAxis):
        return ctx.error("E0311", "one index is wanted", expr.span, "`table[index]`")
    syntax = expr.items[0].size
    if not table.type.items or isinstance(table.type.items[0], Spread):
        return ctx.error("E0311", "this cannot be indexed", expr.span, describe(table, expr.base))
    axis = table.type.items[0]
    index = _index_term(syntax, axis.size, ctx, check)
    if poisoned(index):
        return index
    if not isinstance(index.type.elem, Fin) or index.type.elem.bound != axis.size:
        return ctx.error(
            "E0311",
            f"the axis `{plain(axis.label)}` wants an index of fin[{plain(axis.size)}]",
            syntax.span,
            describe(index, syntax),
            labels=(Label(expr.base.span, describe(table, expr.base)),),
            help="`widen(k)` is `k` as an index of a bound larger by one"
            if isinstance(index.type.elem, Fin) and index.type.elem.bound + 1 == axis.size
            else None,
        )
    rest = (*index.type.items, *table.type.items[1:])
    if repeated_label(rest) is not None:
        return ctx.error(
            "E0406",
            f"two axes `{repeated_label(rest)}` after indexing",
            expr.span,
            f"{show_type(table.type)} at {show_type(index.type)}",
        )
    type_ = TensorType(rest, table.type.elem, table.type.range)
    return GatherTerm(table, index, 0, type=type_, span=expr.span)


def _index_term(syntax: ast.Expr, bound: Dim, ctx: Context, check: Check) -> Term:
    from gendsl.core.check_expr import as_index_like
    from gendsl.core.conditions import decide

    index: Term
    if is_size(syntax, ctx.body):
        dim = size(syntax, ctx.body, ctx.sink)
        if dim is None:
            return Poison(span=syntax.span)
        index = SizeTerm(dim, span=syntax.span)
    else:
        index = check(syntax, ctx)
    index = as_index_like(index, Literal(Fraction(0), type=TensorType(elem=Fin(bound))))
    if isinstance(index, SizeTerm) and isinstance(index.type.elem, Fin):
        verdict = decide("positive", Dim.of(1), bound - index.dim)
        if verdict is False:
            return ctx.error(
                "E0311",
                f"the index {plain(index.dim)} is out of range",
                syntax.span,
                f"the axis has {plain(bound)} entries, the last is {plain(bound - 1)}",
            )
        if verdict is None:
            ctx.body.conditions.append(("positive", Dim.of(1), bound - index.dim, syntax.span))
    return index
