"""Text to `ast.Module`.

In: a `SourceFile` and a `Sink`. Out: the module. Always: `parse` raises nothing for any text; when
the module is not the whole file, an error is in the sink; every node has a span. The plain parse
runs first; only after a failure does the recovering one (`recover`) run, which reports every
syntax error once.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields

from gendsl.diagnostics.model import Diagnostic, Sink
from gendsl.source.text import SourceFile, Span
from gendsl.syntax import ast, near_miss, table
from gendsl.syntax.build import Builder
from gendsl.syntax.lalr import Failure, Machine
from gendsl.syntax.lexer import Lexed, lex
from gendsl.syntax.recover import Broken, recover

MAX_DEPTH = 100


@dataclass(frozen=True)
class Parsed:
    """A module with its tokens; `soft_names` are the places of keywords used as names."""

    module: ast.Module
    lexed: Lexed
    soft_names: frozenset[int]


def parse(source: SourceFile, sink: Sink) -> ast.Module:
    """The module of a file, without the declarations that have errors."""
    return parse_tokens(source, sink).module


def parse_tokens(source: SourceFile, sink: Sink) -> Parsed:
    """The module of a file and its tokens."""
    lexed = lex(source, sink)
    builder = Builder(source)
    machine = Machine(table.load(), builder)
    value = machine.run("module", lexed.tokens)
    found: tuple[ast.Decl, ...]
    if isinstance(value, Failure) or lexed.broken:
        builder.problems.clear()

        def report(broken: Broken) -> None:
            sink.report(near_miss.explain(source, broken))

        found = tuple(recover(lexed, machine, report))
    else:
        found = value
    builder.check_withs(found)
    problems = list(builder.problems)
    if lexed.longest > MAX_DEPTH:
        problems += [p for decl in found if (p := _too_deep(decl)) is not None]
    for problem in problems:
        sink.report(problem)
    good = tuple(decl for decl in found if not _holds_any(decl.span, problems))
    return Parsed(ast.Module(source.path, good), lexed, frozenset(builder.soft_names))


def _holds_any(span: Span, problems: list[Diagnostic]) -> bool:
    places = [p.primary.span.start for p in problems if p.primary is not None]
    return any(span.start <= place < span.end for place in places)


def _too_deep(decl: ast.Decl) -> Diagnostic | None:
    """An error for the first expression that is nested deeper than later stages recurse."""
    stack: list[tuple[object, int]] = [(decl, 0)]
    while stack:
        node, depth = stack.pop()
        if depth > MAX_DEPTH:
            return near_miss.too_deep(decl.span, MAX_DEPTH)
        stack.extend((child, depth + 1) for child in _children(node))
    return None


def _children(node: object) -> Iterator[object]:
    """The nodes directly in a node."""
    for item in fields(node):  # type: ignore[arg-type]
        value = getattr(node, item.name)
        for child in value if isinstance(value, tuple) else (value,):
            if hasattr(child, "span"):
                yield child
