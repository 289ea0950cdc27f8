"""Arguments of a call: each checked and assigned to its parameter."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from gendsl.core.context import CallSyntax, Context, poisoned
from gendsl.core.ranges import inside
from gendsl.core.scope import FnEntity
from gendsl.core.show import range_text, show_range, show_type
from gendsl.core.term import Flag, FnDef, Formal, Literal, Signature, Term
from gendsl.diagnostics.counted import counted
from gendsl.diagnostics.model import Label
from gendsl.diagnostics.suggest import did_you_mean
from gendsl.syntax import ast

Check = Callable[[ast.Expr, Context], Term]


@dataclass
class Arguments:
    """The checked arguments of one call, sorted by what they are."""

    tensors: dict[str, Term] = field(default_factory=dict)
    flags: dict[str, Term] = field(default_factory=dict)
    nets: dict[str, FnDef | str] = field(default_factory=dict)
    exprs: dict[str, ast.Expr] = field(default_factory=dict)
    bad: bool = False


def collect(signature: Signature, syntax: CallSyntax, ctx: Context, check: Check) -> Arguments:
    """Check every argument and assign it to its parameter."""
    result = Arguments()
    formals = {f.name: f for f in signature.formals}
    queue = list(signature.formals)
    given: set[str] = set()
    for arg in syntax.args:
        if arg.name is None:
            formal = next((f for f in queue if f.name not in given), None)
            if formal is None:
                ctx.error(
                    "E0308",
                    f"`{signature.name}` takes {counted(len(formals), 'argument')}",
                    arg.span,
                    "one too many",
                    labels=declared(signature),
                )
                result.bad = True
                continue
        else:
            formal = formals.get(arg.name.name)
            if formal is None or formal.name in given:
                what = "no parameter" if formal is None else "two values for"
                ctx.error(
                    "E0308",
                    f"`{signature.name}` has {what} `{arg.name.name}`",
                    arg.name.span,
                    "unknown" if formal is None else "given twice",
                    help=did_you_mean(arg.name.name, list(formals)),
                )
                result.bad = True
                continue
        given.add(formal.name)
        _assign(signature.name, formal, arg.value, result, ctx, check)
    for formal in signature.formals:
        if formal.name not in given and not _default(formal, result):
            if result.bad:  # a misspelt name, reported already, may be this one
                break
            ctx.error(
                "E0308",
                f"`{signature.name}` needs `{formal.name}`",
                syntax.span,
                f"`{formal.name}: {'net' if formal.net else show_type(formal.type)}` is missing",
                labels=declared(signature),
            )
            result.bad = True
    return result


def _assign(
    owner: str, formal: Formal, value: ast.Expr, result: Arguments, ctx: Context, check: Check
) -> None:
    result.exprs[formal.name] = value
    if formal.net is not None:
        net = _net_argument(formal, value, ctx)
        if net is None:
            result.bad = True
        else:
            result.nets[formal.name] = net
        return
    term = check(value, ctx)
    if poisoned(term):
        result.bad = True
    elif formal.flag:
        if not isinstance(term, Flag):
            ctx.error(
                "E0309",
                f"`{formal.name}` is a static flag",
                value.span,
                "`true`, `false` or a flag of the enclosing body is wanted",
            )
            result.bad = True
        result.flags[formal.name] = term
    else:
        if formal.type.range is not None and not inside(term.type.range, formal.type.range):
            ctx.error(
                "E0304",
                f"`{owner}` wants `{formal.name}` in {range_text(formal.type.range)}",
                value.span,
                show_range(term.type.range),
                labels=(Label(formal.span, "declared here"),),
                help="scale or `clamp` it, or declare the range of the value that it comes from",
            )
            result.bad = True
        result.tensors[formal.name] = term


def _net_argument(formal: Formal, value: ast.Expr, ctx: Context) -> FnDef | str | None:
    if isinstance(value, ast.Name):
        if value.name in ctx.body.nets:
            return value.name
        entity = ctx.body.module.entities.get(value.name)
        if isinstance(entity, FnEntity) and entity.decl.kind in ("net", "fn"):
            definition = ctx.program.definition(entity)
            if definition is None:
                return None
            want, have = formal.net, definition.signature
            assert want is not None
            rest = have.formals[len(want.formals) :]
            fits = len(want.formals) <= len(have.formals) and all(f.flag for f in rest)
            if fits and len(want.results) == len(have.results):
                return definition
            ctx.error(
                "E0310",
                f"`{value.name}` does not fit `{formal.name}`",
                value.span,
                have.describe(),
                labels=(Label(formal.span, "wanted here"),),
            )
            return None
    ctx.error(
        "E0310",
        f"`{formal.name}` wants a net",
        value.span,
        "not the name of a net",
        labels=(Label(formal.span, "declared here"),),
    )
    return None


def _default(formal: Formal, result: Arguments) -> bool:
    match formal.default:
        case None:
            return False
        case bool() as value:
            result.flags[formal.name] = Flag(None, value)
        case str():
            return False
        case value:
            result.tensors[formal.name] = Literal(value)
    return True


def declared(signature: Signature) -> tuple[Label, ...]:
    """The place of a declaration, with its signature."""
    return (Label(signature.span, signature.describe()),) if signature.span.end else ()
