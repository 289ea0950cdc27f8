"""Resolve and check: from a parsed module to a checked `Program`.

All problems go to the sink, sorted by place; a declaration that fails yields poison, so one mistake
is one diagnostic. Definitions are checked on first use and once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from fractions import Fraction

from gendsl.core import check_fn
from gendsl.core.call_sizes import own_conditions
from gendsl.core.check_body import BodyResult, statements
from gendsl.core.check_train import recipe
from gendsl.core.conditions import decide
from gendsl.core.context import Context
from gendsl.core.declare import declare
from gendsl.core.lint import lint, walk
from gendsl.core.modules import Finder, Loader, needed
from gendsl.core.program import (
    CheckedClaim,
    DimInfo,
    FreeParam,
    Interface,
    Program,
    Recipe,
    SizeCondition,
)
from gendsl.core.scope import Body, Condition, FnEntity, Module, ObjectiveEntity, ValueEntity
from gendsl.core.show import plain
from gendsl.core.term import Bound, FnDef, GlobalTerm, ObjectiveDef, Poison, Signature, Term
from gendsl.diagnostics.counted import counted
from gendsl.diagnostics.model import Label, Sink
from gendsl.diagnostics.suggest import did_you_mean
from gendsl.shape.dim import ONE, Dim
from gendsl.shape.tensor_type import Axis, Fin, Item, Range, Spread, TensorType
from gendsl.source.text import SourceFile, Span
from gendsl.syntax import ast


@dataclass
class Checker:
    """Implements `Definitions`; holds what the program adds up to."""

    sink: Sink
    conditions: list[Condition] = field(default_factory=list)
    objectives: dict[str, ObjectiveDef] = field(default_factory=dict)
    objective_bodies: dict[str, Body] = field(default_factory=dict)
    main: Module | None = None
    exported: Callable[[Module], Mapping[str, frozenset[str]]] = lambda _: {}

    def exports(self, importer: Module) -> Mapping[str, frozenset[str]]:
        return self.exported(importer)

    def signature(self, entity: FnEntity) -> Signature | None:
        definition = self.definition(entity)
        return None if definition is None else definition.signature

    def definition(self, entity: FnEntity) -> FnDef | None:
        if entity.definition is None and not entity.broken:
            if entity.busy:
                self.sink.error(
                    "E0210",
                    f"`{entity.decl.name.name}` calls itself",
                    entity.decl.name.span,
                    "recursion is not part of the language",
                )
                entity.broken = True
                return None
            entity.busy = True
            made = check_fn.signature(entity, self.sink)
            if made is not None:
                entity.definition = check_fn.definition(entity, made[0], made[1], self.sink, self)
            entity.busy = False
            entity.broken = entity.definition is None
            if entity.definition is not None and self.main is not None:
                needed(entity.decl, entity.module, self.main, self.sink)
        return entity.definition

    def inherit(self, module: Module, conditions: list[Condition]) -> None:
        self.conditions.extend(conditions)

    def size_places(self, names: frozenset[str]) -> tuple[Label, ...]:
        labels = []
        for name in sorted(names):
            span = self.main.spans.get(name) if self.main else None
            if span is not None:
                labels.append(Label(span, f"size `{name}`"))
        return tuple(labels)


def check(
    source: SourceFile, name: str, sink: Sink, find: Finder, available: list[str]
) -> Program | None:
    """Check a program (or, with a `name`, a stdlib module on its own); None after errors."""
    checker = Checker(sink)
    loader = Loader(sink, find, lambda: available, lambda m: _declare(m, checker))
    checker.exported = loader.exports
    module = loader.main(source, name)
    checker.main = module
    if module.incomplete:
        return None
    for value, own in loader.values(module):
        needed(value, own, module, sink)
    for entity in list(module.entities.values()):
        if isinstance(entity, FnEntity) and entity.module is module:
            definition = checker.definition(entity)
            if definition is not None and entity.decl.kind == "sampler":
                checker.conditions.extend(_at_defaults(definition))
    for entity in list(module.entities.values()):
        if isinstance(entity, ObjectiveEntity):
            _objective(entity.decl, module, checker)
    made_recipe, schedules = _recipe(module, checker)
    claims = _claims(module, checker)
    if sink.has_errors:
        return None
    program = _program(module, checker, made_recipe, schedules, claims)
    lint(program, module, sink)
    return program


def _at_defaults(sampler: FnDef) -> list[Condition]:
    """A sampler's size conditions at its default sizes."""
    sizes = {n: d for n, d in sampler.signature.sizes if d is not None}
    return [
        (kind, d.substitute(sizes), e.substitute(sizes), span)
        for kind, d, e, span in sampler.conditions
    ]


def _declare(module: Module, checker: Checker) -> None:
    if checker.main is None and module.name == "":
        checker.main = module
    declare(module, checker.sink, checker)


def _objective(decl: ast.ObjectiveDecl, module: Module, checker: Checker) -> None:
    body = Body(module, decl.name.name, "objective")
    ctx = Context(body, checker.sink, checker)
    result = BodyResult()
    statements(decl.body, ctx, result)
    own_conditions(ctx)
    checker.objective_bodies[decl.name.name] = body
    parts = result.parts
    checker.conditions.extend(body.conditions)
    if parts.loss is None:
        optimizes = any(isinstance(s, ast.Optimize) for s in decl.body)
        if not optimizes:
            ctx.error(
                "E0504",
                f"`{decl.name.name}` optimises nothing",
                decl.name.span,
                "no `minimize`",
                help="end with `minimize a + beta * b`",
            )
        body.values[decl.name.name] = Poison(span=decl.span)
        return
    verb, loss, _ = parts.loss
    scope = {n: t for n, t in body.values.items() if not isinstance(t, Poison)}
    checker.objectives[decl.name.name] = ObjectiveDef(
        decl.name.name, verb, loss, parts.terms, scope, parts.shows, parts.updates, decl.span
    )


def _recipe(module: Module, checker: Checker) -> tuple[Recipe | None, dict[str, Term]]:
    blocks = [d for d in module.tree.declarations if isinstance(d, ast.TrainDecl)]
    if len(blocks) > 1:
        checker.sink.error(
            "E0508",
            "a program has one `train:` block",
            blocks[1].span,
            "the second",
            labels=(Label(blocks[0].span, "the first"),),
        )
    if not blocks:
        return None, {}
    body = Body(module, "train", "train")
    body.values["step"] = GlobalTerm(
        "step", "step", type=TensorType(range=Range(Fraction(0), None))
    )
    ctx = Context(body, checker.sink, checker)
    return recipe(blocks[0], ctx)


# ---- claims ------------------------------------------------------------------------------


def _claims(module: Module, checker: Checker) -> tuple[CheckedClaim, ...]:
    if not any(isinstance(d, ast.ClaimsDecl) for d in module.tree.declarations):
        return ()
    from gendsl.core.check_claim import check_claim  # a program without claims needs none of it

    result: list[CheckedClaim] = []
    seen: dict[str, Span] = {}
    for decl in module.tree.declarations:
        if not isinstance(decl, ast.ClaimsDecl):
            continue
        scope = _claim_scope(decl, module, checker)
        if scope is None:
            continue
        body, bound = scope
        ctx = Context(body, checker.sink, checker)
        subject = decl.subject.name if decl.subject else ""
        for claim in decl.claims:
            if claim.name.name in seen:
                ctx.error(
                    "E0610",
                    f"two claims are named `{claim.name.name}`",
                    claim.name.span,
                    "again",
                    labels=(Label(seen[claim.name.name], "first here"),),
                )
                continue
            seen[claim.name.name] = claim.name.span
            made = check_claim(claim, subject, bound, ctx)
            if made is not None:
                types = {b.name: b.type for b in bound}
                result.append(
                    CheckedClaim(claim.name.name, made, claim.source, subject, types, claim.span)
                )
    return tuple(result)


def _claim_scope(
    decl: ast.ClaimsDecl, module: Module, checker: Checker
) -> tuple[Body, tuple[Bound, ...]] | None:
    """The names that the claims of a block see."""
    body = Body(module, decl.subject.name if decl.subject else "claims", "claims", claim=True)
    for name, definition in checker.objectives.items():
        body.values[f"{name}.loss"] = definition.loss
        body.values[name] = definition.loss
        body.values |= {f"{name}.{n}": t for n, t in definition.scope.items()}
    if decl.subject is None:
        return body, ()
    entity = module.entities.get(decl.subject.name)
    if isinstance(entity, ObjectiveEntity):
        objective = checker.objectives.get(decl.subject.name)
        if objective is None:
            return None
        body.values |= objective.scope
        body.draws = checker.objective_bodies[decl.subject.name].draws
        return body, ()
    if isinstance(entity, FnEntity):
        return _function_scope(decl, entity, body, checker)
    known = [n for n, e in module.entities.items() if isinstance(e, FnEntity | ObjectiveEntity)]
    checker.sink.error(
        "E0206",
        f"no objective or function `{decl.subject.name}`",
        decl.subject.span,
        "unknown",
        help=did_you_mean(decl.subject.name, known),
    )
    return None


def _function_scope(
    decl: ast.ClaimsDecl, entity: FnEntity, body: Body, checker: Checker
) -> tuple[Body, tuple[Bound, ...]] | None:
    """`claims f(a, b):` binds a, b universally, with the parameter types of f: its local sizes stay
    symbolic, and a spread is one axis of symbolic size (any shape flattens to one)."""
    definition = checker.definition(entity)
    if definition is None:
        return None
    formals = definition.signature.formals
    if len(decl.params) > len(formals):
        checker.sink.error(
            "E0611",
            f"`{entity.decl.name.name}` has {counted(len(formals), 'parameter')}",
            decl.params[len(formals)].span,
            "one too many",
            labels=(Label(definition.signature.span, definition.signature.describe()),),
        )
        return None
    bound: list[Bound] = []
    for ident, formal in zip(decl.params, formals, strict=False):
        if formal.net is not None:
            if any(f.flag for f in formal.net.formals):  # opaque, and several functions in one
                checker.sink.error(
                    "E0310",
                    f"`{ident.name}` takes a flag: no claim is for any such net",
                    ident.span,
                    formal.net.describe(),
                    help="put what the flag changes into nets of their own",
                )
                return None
            body.nets[ident.name] = formal.net
            continue
        items = tuple(_plain_item(i) for i in formal.type.items)
        type_ = TensorType(items, formal.type.elem, formal.type.range)
        value = Bound(ident.name, type=type_, span=ident.span)
        bound.append(value)
        body.values[ident.name] = value
        sizes = [item.size for item in items if isinstance(item, Axis)]
        sizes += [type_.elem.bound] if isinstance(type_.elem, Fin) else []
        for name in {n: None for size in sizes for n in sorted(size.names)}:
            body.sizes.setdefault(plain(name), Dim.name(name))
    return body, tuple(bound)


def _plain_item(item: Item) -> Item:
    return Axis(item.name, Dim.name(f"{item.name}@spread")) if isinstance(item, Spread) else item


# ---- the program -------------------------------------------------------------------------


def _program(
    module: Module,
    checker: Checker,
    made_recipe: Recipe | None,
    schedules: dict[str, Term],
    claims: tuple[CheckedClaim, ...],
) -> Program:
    values = {n: e for n, e in module.entities.items() if isinstance(e, ValueEntity)}
    functions = {
        n: e for n, e in module.entities.items() if isinstance(e, FnEntity) and e.module is module
    }
    definitions = {n: e.definition for n, e in functions.items() if e.definition is not None}
    shapes = {
        n: d.signature.describe()
        for n, d in definitions.items()
        if d.signature.kind in ("net", "sampler")
    }
    interface = Interface(
        module.source.path,
        _dims(module, values),
        {n: e.hyper for n, e in values.items() if e.hyper is not None},
        {n: e.data for n, e in values.items() if e.data is not None},
        _conditions(checker),
        made_recipe,
        shapes,
    )
    return Program(
        interface=interface,
        functions=definitions,
        net_dims={n: {k: v[0] for k, v in e.net_dims.items()} for n, e in functions.items()},
        constants=_constants(values),
        params={
            n: FreeParam(n, e.type, e.positive, _value(e), e.span)
            for n, e in values.items()
            if e.kind == "param"
        },
        states={n: _value(e) for n, e in values.items() if e.kind == "state"},
        objectives=checker.objectives,
        samplers={n: d for n, d in definitions.items() if d.signature.kind == "sampler"},
        schedules=schedules,
        claims=claims,
        value_types={n: e.type for n, e in values.items()},
    )


def _value(entity: ValueEntity) -> Term:
    assert entity.value is not None
    return entity.value


def _dims(module: Module, values: Mapping[str, ValueEntity]) -> dict[str, DimInfo]:
    """The sizes; one without a default that no data field mentions has to be set."""
    types = [e.type for e in values.values() if e.data is not None]
    bound = {n for t in types for i in t.items if isinstance(i, Axis) for n in i.size.names}
    bound |= {n for t in types if isinstance(t.elem, Fin) for n in t.elem.bound.names}
    return {
        d.name: replace(d, kind="dim") if d.kind == "data" and d.name not in bound else d
        for d in module.dims()
    }


def _constants(values: Mapping[str, ValueEntity]) -> dict[str, Term]:
    """Every constant after those that it uses, in whatever order they were imported."""
    found: dict[str, Term] = {}

    def add(name: str) -> None:
        if name not in found:
            value = _value(values[name])
            for part in walk([value]):
                if isinstance(part, GlobalTerm) and part.kind == "const":
                    add(part.name)
            found[name] = value

    for name, entity in values.items():
        if entity.kind == "const":
            add(name)
    return found


def _conditions(checker: Checker) -> tuple[SizeCondition, ...]:
    """The conditions that are not evident, each once, over the program's own sizes."""
    seen: dict[tuple[str, Dim, Dim], Span] = {}
    for kind, d, e, span in checker.conditions:
        if kind == "number" or decide(kind, d, e) is True:
            continue
        seen.setdefault((kind, d if kind == "divides" else ONE, e), span)
    return tuple(SizeCondition(kind, d, e, span) for (kind, d, e), span in seen.items())
