"""AST nodes compared as trees: without places, and without the spacing of claims' texts."""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from fractions import Fraction
from typing import Any

from gendsl.diagnostics.model import Sink
from gendsl.source.text import SourceFile
from gendsl.syntax import ast
from gendsl.syntax.parse import parse


def shape(value: Any) -> Any:
    """A nested tuple of a node's class names and fields."""
    if is_dataclass(value) and not isinstance(value, type):
        kept = [f.name for f in fields(value) if f.name not in ("span", "path", "source")]
        if isinstance(value, ast.DataDecl):
            kept.append("source")
        return (type(value).__name__, *((name, shape(getattr(value, name))) for name in kept))
    if isinstance(value, tuple):
        return tuple(shape(item) for item in value)
    assert value is None or isinstance(value, (str, bool, Fraction)), value
    return value


def parsed(text: str, path: str = "t.gml") -> ast.Module:
    """The module of a text that must have no errors."""
    sink = Sink()
    module = parse(SourceFile(path, text), sink)
    assert not sink.sorted(), [(d.code, d.message, d.primary) for d in sink.sorted()]
    return module


def errors(text: str) -> list[tuple[str, int]]:
    """(code, line) of every diagnostic of a text."""
    source = SourceFile("t.gml", text)
    sink = Sink()
    parse(source, sink)
    return [
        (d.code, source.position(d.primary.span.start)[0])
        for d in sink.sorted()
        if d.primary is not None
    ]
