"""Lints (W08xx): things that are legal and almost never meant."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields

from gendsl.core.program import Program
from gendsl.core.scope import FnEntity, Module
from gendsl.core.term import FnDef, GlobalTerm, Invoke, LoopDef, Term
from gendsl.diagnostics.model import Sink


def lint(program: Program, module: Module, sink: Sink) -> None:
    """Report what the program declares and never uses where it matters."""
    used_in_losses = _globals(o.loss for o in program.objectives.values())
    used_in_updates = _globals(t for o in program.objectives.values() for t in o.updates.values())
    used_anywhere = used_in_losses | _globals(
        t for o in program.objectives.values() for t in (*o.scope.values(), *o.updates.values())
    )
    if program.objectives:
        for name, hyper in program.interface.hypers.items():
            if name not in used_in_losses | used_in_updates:
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
    called = _called(program)
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


def _globals(terms: Iterator[Term] | list[Term]) -> set[str]:
    return {t.name for t in walk(terms) if isinstance(t, GlobalTerm)}


def _called(program: Program) -> set[str]:
    found: set[str] = set()
    roots = [o.loss for o in program.objectives.values()]
    for part in _parts(roots):
        if isinstance(part, Invoke):
            if isinstance(part.target, FnDef):
                found.add(part.target.name)
            found |= {n.name for n in part.nets.values() if isinstance(n, FnDef)}
    return found


def walk(roots: Iterator[Term] | list[Term]) -> Iterator[Term]:
    """Every term below `roots`, through calls into the called bodies."""
    return (p for p in _parts(list(roots)) if isinstance(p, Term))


def _parts(roots: list[Term]) -> Iterator[object]:
    seen: set[int] = set()
    stack: list[object] = list(roots)
    while stack:
        part = stack.pop()
        if id(part) in seen:
            continue
        seen.add(id(part))
        if isinstance(part, Term | Invoke | LoopDef):
            yield part
            stack.extend(getattr(part, f.name) for f in fields(part))
        elif isinstance(part, FnDef):
            stack.extend(part.outputs)
        elif isinstance(part, tuple | list):
            stack.extend(part)
        elif isinstance(part, dict):
            stack.extend(part.values())
