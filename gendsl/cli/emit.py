"""`--emit ast|core|graph`: a stage of the front half as text.

The graph has a text form of its own that reads back; syntax and core are printed as indented
trees of their data, without places.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from enum import Enum
from fractions import Fraction

from gendsl.driver import Analysis
from gendsl.shape.dim import Dim
from gendsl.shape.tensor_type import Bool, Fin, Range, Real, TensorType
from gendsl.source.text import Span
from gendsl.syntax.ast import Ident

_ROOM = 100


def stage_text(analysis: Analysis, stage: str) -> str | None:
    """The text of a stage, ending with a newline; None when the analysis did not come so far."""
    if stage == "ast":
        from gendsl.diagnostics.model import Sink
        from gendsl.syntax.parse import parse

        if analysis.source is None:
            return None
        return tree(parse(analysis.source, Sink()))
    if stage == "core":
        return None if analysis.program is None else tree(analysis.program)
    from gendsl.ir.text import graph_text

    return None if analysis.graph is None else graph_text(analysis.graph)


def tree(value: object) -> str:
    """Any data of the front half as an indented tree."""
    return "\n".join(_lines(value, 0)) + "\n"


def _lines(value: object, depth: int) -> Iterator[str]:
    pad = "  " * depth
    short = _short(value)
    if len(pad) + len(short) <= _ROOM:
        yield pad + short
        return
    yield pad + _title(value)
    for name, part in _parts(value):
        brief = _short(part)
        lead = f"{pad}  {name} = " if name else f"{pad}  "
        if len(lead) + len(brief) <= _ROOM or not _parts(part):
            yield lead + brief
        else:
            first, *rest = _lines(part, depth + 1)
            yield lead + first.strip()
            yield from rest


def _title(value: object) -> str:
    if is_dataclass(value):
        return str(type(value).__name__)
    return "()" if isinstance(value, tuple | list) else type(value).__name__


def _parts(value: object) -> list[tuple[str, object]]:
    """The named parts of a value that has any worth showing."""
    if isinstance(value, Mapping):
        return [(_short(k), v) for k, v in value.items()]
    if isinstance(value, tuple | list):
        return [("", v) for v in value]
    if _atom(value) is None and is_dataclass(value):
        return [
            (f.name, part)
            for f in fields(value)
            if f.repr and not isinstance(part := getattr(value, f.name), Span)
        ]
    return []


def _atom(value: object) -> str | None:
    """Values that print themselves."""
    match value:
        case Ident():
            return value.name
        case Dim() | TensorType() | Real() | Fin() | Bool() | Range() | Fraction():
            return str(value)
        case Enum():
            return value.value if isinstance(value.value, str) else value.name
        case None | bool() | int() | float():
            return str(value)
        case str():
            return repr(value)
        case _:
            return None


def _short(value: object) -> str:
    """The value on one line."""
    atom = _atom(value)
    if atom is not None:
        return atom
    parts = _parts(value)
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{k}: {_short(v)}" for k, v in parts) + "}"
    if isinstance(value, tuple | list):
        return "[" + ", ".join(_short(v) for _, v in parts) + "]"
    if is_dataclass(value):
        return f"{type(value).__name__}({', '.join(f'{k} = {_short(v)}' for k, v in parts)})"
    return repr(value)
