"""What every checking function is given: the body's scope, the sink, the program's definitions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

import gendsl.ops  # noqa: F401  (fills the registry)
from gendsl.core.scope import Body, Condition, FnEntity, Module
from gendsl.core.show import show_type
from gendsl.core.term import FnDef, Poison, Signature, Term
from gendsl.diagnostics.model import Label, Sink
from gendsl.ir.op import REGISTRY, Op
from gendsl.shape.tensor_type import Elem, Fin, TensorType
from gendsl.source.text import Span
from gendsl.syntax import ast


class Definitions(Protocol):
    """The program checker, as expressions see it: definitions are checked on first use."""

    def signature(self, entity: FnEntity) -> Signature | None: ...

    def definition(self, entity: FnEntity) -> FnDef | None: ...

    def inherit(self, module: Module, conditions: list[Condition]) -> None:
        """Take over the size conditions of a module's declarations."""

    def exports(self, importer: Module) -> Mapping[str, frozenset[str]]:
        """By module of the standard library, what a program can import from it."""

    def size_places(self, names: frozenset[str]) -> tuple[Label, ...]:
        """Labels `this size` at the declarations of the named sizes."""


@dataclass(frozen=True)
class Context:
    """The scope and services for checking one body."""

    body: Body
    sink: Sink
    program: Definitions

    def error(
        self,
        code: str,
        message: str,
        span: Span,
        text: str = "",
        *,
        labels: tuple[Label, ...] = (),
        notes: tuple[str, ...] = (),
        help: str | None = None,
    ) -> Poison:
        """Report, and return the term that stands for the failed one."""
        self.sink.error(code, message, span, text, labels=labels, notes=notes, help=help)
        return Poison(span=span)


@dataclass(frozen=True)
class CallSyntax:
    """`name[items](args)`."""

    name: str
    items: tuple[ast.SizeItem, ...] | None
    args: tuple[ast.Arg, ...]
    span: Span

    @staticmethod
    def of(call: ast.Call) -> tuple[CallSyntax, Span] | None:
        """The parts of a call and the place of its name; None when no name is called."""
        callee: ast.Expr = call.callee
        items: tuple[ast.SizeItem, ...] | None = None
        if isinstance(callee, ast.Bracket):
            items, callee = callee.items, callee.base
        if not isinstance(callee, ast.Name):
            return None
        return CallSyntax(callee.name, items, call.args, call.span), callee.span

    def positional(self) -> tuple[ast.Arg, ...]:
        return tuple(a for a in self.args if a.name is None)

    def named(self, name: str) -> ast.Expr | None:
        return next((a.value for a in self.args if a.name and a.name.name == name), None)


Builtin = Callable[[Context, CallSyntax], Term]


def make_op(name: str, **attributes: object) -> Op:
    """An op of the registry by its text name."""
    op = REGISTRY[name](**attributes)
    assert isinstance(op, Op)
    return op


def poisoned(*terms: Term) -> bool:
    return any(isinstance(t, Poison) for t in terms)


def describe(term: Term, expr: ast.Expr | None = None) -> str:
    """`` `h` is [B, hidden] `` for labels."""
    subject = f"`{expr.name}`" if isinstance(expr, ast.Name) else "this"
    return f"{subject} is {_kind(term.type)}"


def as_real(elem: Elem) -> str:
    """How to compute with an index or a Boolean."""
    if isinstance(elem, Fin):
        return "`index(y)` is an index as a real, `one_hot[K](y)` a vector with one 1"
    return "choose by a Boolean: `where(condition, 1, 0)`"


def _kind(type_: TensorType) -> str:
    text = show_type(type_)
    return "a scalar" if text == "real" else text
