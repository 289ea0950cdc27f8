"""Lints (W08xx): things that are legal and almost never meant."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields

from gendsl.core.program import Program
from gendsl.core.scope import FnEntity, Module
from gendsl.core.term import Apply, FnDef, GlobalTerm, Invoke, LoopDef, Term
from gendsl.diagnostics.model import Sink
from gendsl.source.text import Span


def lint(program: Program, module: Module, sink: Sink) -> None:
    """Report what the program declares and never uses where it matters."""
    used_in_losses = _globals(o.loss for o in program.objectives.values())
    used_in_updates = _globals(t for o in program.objectives.values() for t in o.updates.values())
    used_anywhere = used_in_losses | _globals(
        t for o in program.objectives.values() for t in (*o.scope.values(), *o.updates.values())
    )
    if program.objectives:
        training = used_in_losses | used_in_updates
        scheduled = program.schedules.items()
        training |= _globals(term for name, term in scheduled if name in training | {"lr"})
        for name, hyper in program.interface.hypers.items():
            if name not in training:
                sink.error(
                    "W0801",
                    f"hyperparameter `{name}` does not reach an objective",
                    hyper.span,
                    "changing it changes nothing",
                    help=f"weigh a term by it: `minimize ... + {name} * ...`; or remove it",
                )
        for name, data in program.interface.data.items():
            if name not in used_anywhere:
                sink.error(
                    "W0802",
                    f"data field `{name}` is never used",
                    data.span,
                    "loaded for nothing",
                    help="use it in an objective, or remove it",
                )
        for name, param in program.params.items():
            if name not in used_in_losses:
                sink.error(
                    "W0803",
                    f"parameter `{name}` does not reach an objective",
                    param.span,
                    "it would never be trained",
                    help="use it in an objective, or remove it",
                )
    called = _called([o.loss for o in program.objectives.values()])
    for name, entity in module.entities.items():
        if isinstance(entity, FnEntity) and entity.decl.kind == "net" and entity.module is module:
            if program.objectives and name not in called:
                sink.error(
                    "W0804",
                    f"net `{name}` is never called by an objective",
                    entity.decl.name.span,
                    "it would never be trained",
                    help="use it in an objective, or remove it",
                )
    _untrained(program, module, sink)


def _untrained(program: Program, module: Module, sink: Sink) -> None:
    """Groups that get a gradient, and that no step of the recipe moves. A group that is used under
    `stop_grad` only is fixed on purpose."""
    recipe = program.interface.recipe
    if recipe is None:
        return
    stepped = {group for step in recipe.steps_lines for group in step.groups}
    losses = [o.loss for o in program.objectives.values()]
    parts = [p for p in _parts(losses, through_stops=False) if isinstance(p, Term | Invoke)]
    called = {n for p in parts if isinstance(p, Invoke) for n in _nets_of(p)}
    read = {p.name for p in parts if isinstance(p, GlobalTerm)}
    for name, entity in module.entities.items():
        if not isinstance(entity, FnEntity) or entity.module is not module:
            continue
        if entity.decl.kind == "net" and name in called - stepped:
            if entity.definition is not None and _owns_parameters(entity.definition):
                _not_stepped("net", name, entity.decl.name.span, sink)
    for name, param in program.params.items():
        if name in read - stepped:
            _not_stepped("parameter", name, param.span, sink)


def _not_stepped(kind: str, name: str, span: Span, sink: Sink) -> None:
    sink.error(
        "W0805",
        f"no step of `train:` trains {kind} `{name}`",
        span,
        "it keeps its initial values",
        help=f"add it to a step: `step ... over ..., {name} with ...`",
    )


def _owns_parameters(definition: FnDef) -> bool:
    """Whether a net or a layer that it calls has parameters."""
    if definition.params:
        return True
    calls = (p for p in _parts(list(definition.outputs)) if isinstance(p, Invoke))
    return any(isinstance(p.target, FnDef) and p.target.params for p in calls)


def _globals(terms: Iterator[Term] | list[Term]) -> set[str]:
    return {t.name for t in walk(terms) if isinstance(t, GlobalTerm)}


def _called(losses: list[Term]) -> set[str]:
    return {name for p in _parts(losses) if isinstance(p, Invoke) for name in _nets_of(p)}


def _nets_of(call: Invoke) -> set[str]:
    """What a call calls: its target, and the nets among its arguments."""
    found = {call.target.name} if isinstance(call.target, FnDef) else set[str]()
    return found | {n.name for n in call.nets.values() if isinstance(n, FnDef)}


def walk(roots: Iterator[Term] | list[Term]) -> Iterator[Term]:
    """Every term below `roots`, through calls into the called bodies."""
    return (p for p in _parts(list(roots)) if isinstance(p, Term))


def _parts(roots: list[Term], through_stops: bool = True) -> Iterator[object]:
    """Every term and call below `roots`; without `through_stops`, not what is under `stop_grad`."""
    seen: set[int] = set()
    stack: list[object] = list(roots)
    while stack:
        part = stack.pop()
        if id(part) in seen:
            continue
        seen.add(id(part))
        if isinstance(part, Apply) and part.op.name == "stop_grad" and not through_stops:
            continue
        if isinstance(part, Term | Invoke | LoopDef):
            yield part
            stack.extend(getattr(part, f.name) for f in fields(part))
        elif isinstance(part, FnDef):
            stack.extend(part.outputs)
        elif isinstance(part, tuple | list):
            stack.extend(part)
        elif isinstance(part, dict):
            stack.extend(part.values())
