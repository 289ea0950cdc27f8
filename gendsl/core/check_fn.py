"""Function-like declarations: signatures, and bodies checked once with rigid sizes."""

from __future__ import annotations

from fractions import Fraction

from gendsl.core.call_sizes import own_conditions
from gendsl.core.check_body import BodyResult, statements
from gendsl.core.check_sampler import check_sampler, index_default
from gendsl.core.context import Context, Definitions, describe
from gendsl.core.matching import same_size
from gendsl.core.program import DimInfo
from gendsl.core.ranges import inside
from gendsl.core.scope import Body, FnEntity, ValueEntity
from gendsl.core.show import range_text, show_range, show_type
from gendsl.core.sizes import constant, size, tensor_type
from gendsl.core.term import Flag, FnDef, Formal, Literal, Local, Poison, Signature, Spreadout, Term
from gendsl.diagnostics.model import Label, Sink
from gendsl.diagnostics.suggest import nearest
from gendsl.shape.dim import Dim
from gendsl.shape.tensor_type import Fin, Range, Real, Spread, TensorType
from gendsl.source.text import Span
from gendsl.syntax import ast


def owner_name(entity: FnEntity) -> str:
    """What qualifies local sizes and draws: `encoder`, `nn.dense`."""
    name = entity.decl.name.name
    return name if entity.module.name == "" else f"{entity.module.name}.{name}"


def signature(entity: FnEntity, sink: Sink) -> tuple[Signature, Body] | None:
    """The signature, and the body scope with the parameters in it."""
    decl = entity.decl
    body = Body(entity.module, owner_name(entity), decl.kind)
    errors_before = sink.error_count
    sizes, bracket_spread = _size_parameters(decl, body, sink)
    formals = tuple(f for p in decl.params if (f := _formal(p, body, sink)) is not None)
    body.open_sizes = False
    if len(sink.sorted()) > errors_before:
        return None  # the results may use sizes that a broken parameter would introduce
    results = tuple(t for r in decl.result.types if (t := tensor_type(r, body, sink)) is not None)
    if sink.error_count > errors_before or len(results) != len(decl.result.types):
        return None
    _uncoupled(decl, formals, results, body, sink)
    explicit = {n for n, _ in sizes}
    implicit = tuple(d.as_name or "" for d in body.sizes.values() if d.as_name not in explicit)
    made = Signature(
        decl.name.name,
        decl.kind,
        sizes,
        bracket_spread,
        implicit,
        tuple(sorted(body.spreads)),
        formals,
        tuple(n.name for n in decl.result.names),
        results,
        decl.coupled,
        decl.name.span,
    )
    _enter(made, body, sink)
    if decl.kind == "sampler":
        check_sampler(decl, made, sink)
        if sink.error_count > errors_before:
            return None
    return made, body


def _uncoupled(
    decl: ast.FnDecl,
    formals: tuple[Formal, ...],
    results: tuple[TensorType, ...],
    body: Body,
    sink: Sink,
) -> None:
    """A net or layer that names the batch size must say that it mixes examples."""
    if decl.coupled or decl.kind not in ("net", "layer"):
        return
    spans = [p.type.span for p in decl.params if p.type is not None]
    for type_, span in zip([f.type for f in formals] + list(results), spans, strict=False):
        used = {n for i in type_.items if not isinstance(i, Spread) for n in i.size.names}
        for name in sorted(used):
            info = body.module.entities.get(name)
            if isinstance(info, DimInfo) and info.kind == "batch":
                sink.error(
                    "E0517",
                    f"{decl.kind} `{decl.name.name}` names the batch size `{name}`",
                    span,
                    "counts examples",
                    help=f"write `..b` for the leading axes; if it mixes examples on purpose, "
                    f"`coupled {decl.kind} {decl.name.name}`",
                )
                return


def _size_parameters(
    decl: ast.FnDecl, body: Body, sink: Sink
) -> tuple[tuple[tuple[str, Dim | None], ...], str | None]:
    """Bracket parameters: sizes with defaults, or one spread whose labels calls must state."""
    sizes: list[tuple[str, Dim | None]] = []
    spread = None
    for parameter in decl.sizes:
        if parameter.spread:
            spread = parameter.name.name
            body.spreads.add(spread)
            continue
        if isinstance(body.module.entities.get(parameter.name.name), DimInfo):
            sink.error(
                "E0205",
                f"`{parameter.name.name}` is already declared",
                parameter.span,
                "would shadow it",
                help="choose another name",
            )
        default = None if parameter.default is None else size(parameter.default, body, sink)
        sizes.append((body.local_dim(parameter.name.name).as_name or "", default))
    body.open_sizes = True
    return tuple(sizes), spread


def _formal(param: ast.ParamSig, body: Body, sink: Sink) -> Formal | None:
    name = param.name.name
    entity = body.module.entities.get(name)
    if entity is not None and not (isinstance(entity, ValueEntity) and entity.kind == "data"):
        sink.error(
            "E0205",
            f"`{name}` is already declared",
            param.name.span,
            "would shadow it",
            labels=(Label(body.module.spans[name], "declared here"),)
            if name in body.module.spans
            else (),
        )
        return None
    if isinstance(param.type, ast.NetTypeExpr):
        net = _net_signature(name, param.type, body, sink)
        return None if net is None else Formal(name, TensorType(), net=net, span=param.span)
    if param.type is None:
        return Formal(name, TensorType(), span=param.span)
    type_ = tensor_type(param.type, body, sink)
    if type_ is None:
        return None
    flag = param.type.elem == "bool" and param.type.items is None
    default: Fraction | bool | str | None = None
    if param.default is not None:
        match param.default:
            case ast.BoolLit(value=value) if flag:
                default = value
            case ast.Name(name="cycle"):
                default = "cycle"
            case other:
                default = constant(other)
                if default is None:
                    sink.error(
                        "E0302", "a default is a constant", param.default.span, "not a constant"
                    )
        _default_inside(name, default, type_, param.default.span, sink)
        if isinstance(default, Fraction) and isinstance(type_.elem, Fin):
            index_default(name, default, type_.elem, param.default.span, sink)
    return Formal(name, type_, default, flag, span=param.span)


def _default_inside(
    name: str, default: Fraction | bool | str | None, type_: TensorType, span: Span, sink: Sink
) -> None:
    bounds = type_.range
    if isinstance(default, Fraction) and bounds is not None:
        if not inside(Range(default, default), bounds):
            sink.error(
                "E0304",
                f"the default of `{name}` is not in {range_text(bounds)}",
                span,
                "outside the range",
            )


def _net_signature(name: str, syntax: ast.NetTypeExpr, body: Body, sink: Sink) -> Signature | None:
    formals = tuple(f for p in syntax.params if (f := _formal(p, body, sink)) is not None)
    results = tuple(t for r in syntax.result.types if (t := tensor_type(r, body, sink)) is not None)
    if len(formals) != len(syntax.params) or len(results) != len(syntax.result.types):
        return None
    return Signature(
        name,
        "net parameter",
        (),
        None,
        (),
        (),
        formals,
        tuple(n.name for n in syntax.result.names),
        results,
        False,
        syntax.span,
    )


def _enter(made: Signature, body: Body, sink: Sink) -> None:
    """The parameters as values of the body."""
    for formal in made.formals:
        if formal.name in body.values or formal.name in body.nets:
            sink.error("E0308", f"two parameters are named `{formal.name}`", formal.span, "again")
        if formal.net is not None:
            body.nets[formal.name] = formal.net
        elif formal.flag:
            body.values[formal.name] = Flag(formal.name, type=formal.type, span=formal.span)
        else:
            body.values[formal.name] = Local(formal.name, type=formal.type, span=formal.span)


def definition(
    entity: FnEntity, made: Signature, body: Body, sink: Sink, program: Definitions
) -> FnDef | None:
    """Check the body against its signature."""
    ctx = Context(body, sink, program)
    before = sink.error_count
    result = BodyResult()
    statements(entity.decl.body, ctx, result)
    own_conditions(ctx)
    outputs = _outputs(entity.decl, made, result.returned, ctx)
    if outputs is None or sink.error_count > before:
        return None
    return FnDef(
        made, outputs, tuple(dict.fromkeys(body.conditions)), dict(body.values), tuple(body.params)
    )


def _outputs(
    decl: ast.FnDecl, made: Signature, returned: Term | None, ctx: Context
) -> tuple[Term, ...] | None:
    """The results, each of the declared type."""
    if made.result_names:
        if returned is not None:
            ctx.error(
                "E0515",
                "named results are assigned, not returned",
                decl.name.span,
                ", ".join(made.result_names),
                help="drop the `return`",
            )
            return None
        terms = []
        for ident in decl.result.names:
            if ident.name not in ctx.body.values:
                near = nearest(ident.name, ctx.body.values, 1)
                ctx.error(
                    "E0515",
                    f"the result `{ident.name}` is never assigned",
                    ident.span,
                    "declared here",
                    help=f"`{near[0]}` is assigned: did you mean it?"
                    if near
                    else f"add `{ident.name} = ...`",
                )
                return None
            terms.append(ctx.body.values[ident.name])
    elif returned is None:
        ctx.error(
            "E0515", f"`{decl.name.name}` returns nothing", decl.name.span, "a `return` is missing"
        )
        return None
    else:
        terms = [returned]
    fitted = [_fit(t, w, ctx) for t, w in zip(terms, made.results, strict=True)]
    return None if any(isinstance(f, Poison) for f in fitted) else tuple(fitted)


def _fit(have: Term, want: TensorType, ctx: Context) -> Term:
    """A result as its declared type: same elements and sizes by position; scalars are broadcast."""
    if isinstance(have, Poison):
        return have
    if (
        isinstance(have, Literal | Local)
        and not have.type.items
        and want.items
        and isinstance(want.elem, Real)
    ):
        return Spreadout(have, (), type=want, span=have.span)
    same = have.type.elem == want.elem and len(have.type.items) == len(want.items)
    if not same or not all(
        same_size(a, b) for a, b in zip(have.type.items, want.items, strict=True)
    ):
        names = frozenset[str]()
        for item in (*have.type.items, *want.items):
            names |= frozenset() if isinstance(item, Spread) else item.size.names
        return ctx.error(
            "E0401",
            f"the result is declared as {show_type(want)}, this is {show_type(have.type)}",
            have.span,
            describe(have),
            labels=ctx.program.size_places(names),
        )
    if want.range is not None and not inside(have.type.range, want.range):
        return ctx.error(
            "E0304",
            f"the result is declared in {range_text(want.range)}",
            have.span,
            show_range(have.type.range),
            help=_into(have.type.range, want.range),
        )
    return have


def _into(have: Range | None, want: Range) -> str:
    """How to get a value into a range."""
    zero, one = Fraction(0), Fraction(1)
    if have == Range(-one, one) and want == Range(zero, one):
        return "scale it: `0.5 * (x + 1)`; or end with `sigmoid(...)`"
    if want == Range(zero, one):
        return "end with `sigmoid(...)`, or with `clamp(x, 0, 1)`"
    if want == Range(-one, one):
        return "end with `tanh(...)`, or with `clamp(x, -1, 1)`"
    return "end with `clamp(x, low, high)`"
