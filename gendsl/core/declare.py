"""Top-level declarations of one module, in the order of their dependence.

First sizes (batch, dim), then data (which may introduce sizes by naming them), then
hyperparameters, constants, parameters and states; functions and objectives are entered by name and
checked when needed.
"""

from __future__ import annotations

from gendsl.core.check_body import initial, positive_range, unbounded, within
from gendsl.core.check_expr import term
from gendsl.core.context import Context, Definitions, describe, poisoned
from gendsl.core.matching import same_size
from gendsl.core.program import DataField, DimInfo, HyperInfo
from gendsl.core.ranges import inside
from gendsl.core.scope import Body, Entity, FnEntity, Module, ObjectiveEntity, ValueEntity
from gendsl.core.show import range_text, show_number, show_type
from gendsl.core.sizes import constant, size, tensor_type, value_range
from gendsl.core.term import Poison, Term
from gendsl.diagnostics.model import Label, Sink
from gendsl.shape.dim import ONE
from gendsl.shape.tensor_type import Axis, Factor, Fin, Range, Real, TensorType
from gendsl.syntax import ast


def declare(module: Module, sink: Sink, program: Definitions) -> None:
    """Enter every declaration of `module` into its scope."""
    declarations = module.tree.declarations
    conditions = Body(module, module.name or "program", "program")
    ctx = Context(conditions, sink, program)
    for kind in (ast.BatchDecl | ast.DimDecl, ast.DataDecl, ast.HyperDecl):
        for decl in declarations:
            if isinstance(decl, kind):
                _simple(decl, ctx)
    for decl in declarations:
        if isinstance(decl, ast.FnDecl):
            enter(module, decl.name, FnEntity(decl, module), sink)
        elif isinstance(decl, ast.ObjectiveDecl):
            enter(module, decl.name, ObjectiveEntity(decl), sink)
    for decl in declarations:
        if isinstance(decl, ast.ConstDecl | ast.ParamDecl | ast.StateDecl):
            _tensor(decl, ctx)
    named = ast.HyperDecl | ast.DataDecl | ast.ConstDecl | ast.ParamDecl | ast.StateDecl
    module.broken |= {
        d.name.name
        for d in declarations
        if isinstance(d, named) and d.name.name not in module.entities
    }
    program.inherit(module, conditions.conditions)


def enter(module: Module, name: ast.Ident, entity: Entity, sink: Sink) -> bool:
    """Declare a name once."""
    if name.name in module.entities:
        span = module.spans.get(name.name)
        imported = name.name in module.imported
        sink.error(
            "E0205",
            f"`{name.name}` is already declared",
            name.span,
            "also imported, or from the prelude" if imported and span is None else "again",
            labels=(Label(span, "declared here"),) if span else (),
            help="choose another name",
        )
        return False
    module.entities[name.name] = entity
    module.spans[name.name] = name.span
    return True


def _simple(decl: ast.Decl, ctx: Context) -> None:
    body, sink = ctx.body, ctx.sink
    match decl:
        case ast.BatchDecl(name=name):
            enter(body.module, name, DimInfo(name.name, "batch", None, ONE, name.span), sink)
        case ast.DimDecl():
            _dim(decl, ctx)
        case ast.HyperDecl():
            _hyper(decl, ctx)
        case ast.DataDecl():
            _data(decl, ctx)
        case _:
            raise AssertionError(decl)


def _dim(decl: ast.DimDecl, ctx: Context) -> None:
    default = None
    if decl.default is not None:
        value = constant(decl.default)
        if value is None or value.denominator != 1 or value < 1:
            ctx.error(
                "E0403",
                "a size's default is a whole number >= 1",
                decl.default.span,
                "not one",
                help="derived sizes are written where they are used, as in `[B, 2*Z]`",
            )
            value = None
        default = None if value is None else int(value)
    bound = ONE if decl.at_least is None else size(decl.at_least, ctx.body, ctx.sink)
    if (
        bound is not None
        and default is not None
        and bound.constant is not None
        and default < bound.constant
    ):
        ctx.error(
            "E0403", f"the default {default} is below the bound {bound}", decl.span, "contradiction"
        )
    info = DimInfo(
        decl.name.name,
        "data" if decl.default is None else "dim",
        default,
        bound or ONE,
        decl.name.span,
    )
    enter(ctx.body.module, decl.name, info, ctx.sink)


def _hyper(decl: ast.HyperDecl, ctx: Context) -> None:
    default = constant(decl.default)
    bounds = Range(None, None) if decl.range is None else value_range(decl.range, ctx.sink)
    if default is None:
        ctx.error(
            "E0302", "a hyperparameter's default is a number", decl.default.span, "not a constant"
        )
        return
    if bounds is None:
        return
    if not inside(Range(default, default), bounds):
        ctx.error(
            "E0304",
            f"the default {show_number(default)} is not in {range_text(bounds)}",
            decl.default.span,
            "outside the range",
        )
    info = HyperInfo(decl.name.name, default, bounds, decl.name.span)
    type_ = TensorType((), Real(), bounds)
    enter(
        ctx.body.module,
        decl.name,
        ValueEntity("hyper", decl.name.name, type_, decl.name.span, hyper=info),
        ctx.sink,
    )


def _data(decl: ast.DataDecl, ctx: Context) -> None:
    """A data field; size names that nobody declared become sizes bound by the data."""
    body, module = ctx.body, ctx.body.module
    _introduce_sizes(decl.type, ctx)
    type_ = tensor_type(decl.type, body, ctx.sink)
    if type_ is None:
        return
    first = type_.items[0] if type_.items else None
    batch = first.size.as_name if isinstance(first, Axis) else None
    info = module.entities.get(batch or "")
    if not isinstance(info, DimInfo) or info.kind != "batch":
        ctx.error(
            "E0516",
            f"the data field `{decl.name.name}` has no batch axis",
            decl.type.span,
            "the first axis counts examples",
            help="declare `batch B` and write `[B, ...]`",
        )
        return
    factors: list[Factor] = []
    for item in type_.items[1:]:
        assert isinstance(item, Axis)
        factors.extend(item.factors or (Factor(item.label, item.size),))
    source = decl.source.name if decl.source else None
    field = DataField(
        decl.name.name,
        type_,
        batch or "",
        tuple(factors),
        type_.elem,
        type_.range,
        source,
        decl.name.span,
    )
    entity = ValueEntity("data", decl.name.name, type_, decl.name.span, data=field)
    enter(module, decl.name, entity, ctx.sink)


def _introduce_sizes(type_: ast.TypeExpr, ctx: Context) -> None:
    module = ctx.body.module
    parts: list[ast.SizeAxis] = []
    for item in type_.items or ():
        match item:
            case ast.SizeAxis():
                parts.append(item)
            case ast.SizeGroup(factors=factors):
                parts.extend(factors)
            case ast.SizeSpread():
                pass
    for part in parts:
        if isinstance(part.size, ast.Name) and part.size.name not in module.entities:
            name = part.size.name
            ident = ast.Ident(name, part.size.span)
            enter(module, ident, DimInfo(name, "data", None, ONE, part.size.span), ctx.sink)


def _tensor(decl: ast.ConstDecl | ast.ParamDecl | ast.StateDecl, ctx: Context) -> None:
    type_ = tensor_type(decl.type, ctx.body, ctx.sink)
    if type_ is None:
        return
    kind = {ast.ConstDecl: "const", ast.ParamDecl: "param", ast.StateDecl: "state"}[type(decl)]
    for item in type_.items:
        for used in item.size.names if isinstance(item, Axis) else ():
            info = ctx.body.module.entities.get(used)
            if isinstance(info, DimInfo) and info.kind == "batch":
                ctx.error(
                    "E0503",
                    f"`{decl.name.name}` cannot depend on the batch size `{used}`",
                    decl.type.span,
                    "counts examples",
                )
                return
    match decl:
        case ast.ConstDecl():
            value = _declared_value(term(decl.value, ctx), type_, ctx)
            within(value, type_, f"the constant `{decl.name.name}`", decl.value.span, ctx)
        case ast.ParamDecl():
            value = initial(decl.name.name, type_, decl.init, ctx)
            unbounded(f"the parameter `{decl.name.name}`", decl.type, type_, ctx)
            if decl.positive:
                type_ = TensorType(type_.items, Real(), positive_range())
        case ast.StateDecl():
            if isinstance(type_.elem, Fin):
                ctx.error("E0301", "a state is real or Boolean", decl.type.span, show_type(type_))
                return
            value = initial(decl.name.name, type_, decl.init, ctx)
            unbounded(f"the state `{decl.name.name}`", decl.type, type_, ctx)
    positive = isinstance(decl, ast.ParamDecl) and decl.positive
    entity = ValueEntity(kind, decl.name.name, type_, decl.name.span, value, positive)
    enter(ctx.body.module, decl.name, entity, ctx.sink)


def _declared_value(value: Term, want: TensorType, ctx: Context) -> Term:
    if poisoned(value):
        return value
    have = value.type
    scalar = not have.items and isinstance(have.elem, Real)
    same = len(have.items) == len(want.items) and all(
        same_size(a, b) for a, b in zip(have.items, want.items, strict=True)
    )
    if isinstance(have.elem, Fin) != isinstance(want.elem, Fin) or not (scalar or same):
        ctx.error(
            "E0401", f"the constant is declared as {show_type(want)}", value.span, describe(value)
        )
        return Poison(span=value.span)
    return value
