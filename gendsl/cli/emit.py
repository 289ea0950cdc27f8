"""`--emit ast|core|graph`: a stage of the front half as text.

The graph has a text form of its own that reads back, the checked program one in let-form; syntax is
printed as an indented tree of its data, without places.
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
        from gendsl.core.print import program_text

        return None if analysis.program is None else program_text(analysis.program)
    from gendsl.ir.text import graph_text

    return None if analysis.graph is None else graph_text(analysis.graph)


def tree(value: object) -> str:
    """Any data of the front half as an indented tree. A part that occurs several times is printed
    once, below, and referred to by its number."""
    return _Printer(value).text(value)


class _Printer:
    """Prints one value; `shared` numbers the parts that occur in more than one place."""

    def __init__(self, root: object) -> None:
        self._short: dict[int, str] = {}
        self.shared: dict[int, int] = {}
        seen: set[int] = set()
        stack = [root]
        while stack:
            value = stack.pop()
            if _atom(value) is not None:
                continue
            if id(value) in seen:
                if is_dataclass(value) and _parts(value):
                    self.shared.setdefault(id(value), len(self.shared) + 1)
                continue
            seen.add(id(value))
            stack.extend(part for _, part in reversed(_parts(value)))

    def text(self, root: object) -> str:
        """The root, then every shared part."""
        lines = list(self._lines(root, 0))
        for value in self._shared_parts(root):
            first, *rest = self._lines(value, 0)
            lines += [f"#{self.shared[id(value)]} = {first}", *rest]
        return "\n".join(lines) + "\n"

    def _shared_parts(self, root: object) -> list[object]:
        found: dict[int, object] = {}
        seen: set[int] = set()
        stack = [root]
        while stack:
            value = stack.pop()
            if id(value) in seen:
                continue
            seen.add(id(value))
            if id(value) in self.shared:
                found[self.shared[id(value)]] = value
            stack.extend(part for _, part in _parts(value))
        return [found[number] for number in sorted(found)]

    def _lines(self, value: object, depth: int) -> Iterator[str]:
        pad = "  " * depth
        short = self._whole(value)
        if len(pad) + len(short) <= _ROOM:
            yield pad + short
            return
        yield pad + _title(value)
        for name, part in _parts(value):
            brief = self._brief(part)
            lead = f"{pad}  {name} = " if name else f"{pad}  "
            if len(lead) + len(brief) <= _ROOM or not _parts(part):
                yield lead + brief
            else:
                first, *rest = self._lines(part, depth + 1)
                yield lead + first.strip()
                yield from rest

    def _brief(self, value: object) -> str:
        """The value on one line; a shared one by its number."""
        number = self.shared.get(id(value))
        return self._whole(value) if number is None else f"#{number}"

    def _whole(self, value: object) -> str:
        atom = _atom(value)
        if atom is not None:
            return atom
        if id(value) not in self._short:
            self._short[id(value)] = self._compose(value)
        return self._short[id(value)]

    def _compose(self, value: object) -> str:
        parts = _parts(value)
        if isinstance(value, Mapping):
            return "{" + ", ".join(f"{k}: {self._brief(v)}" for k, v in parts) + "}"
        if isinstance(value, tuple | list):
            return "[" + ", ".join(self._brief(v) for _, v in parts) + "]"
        if is_dataclass(value):
            inner = ", ".join(f"{k} = {self._brief(v)}" for k, v in parts)
            return f"{type(value).__name__}({inner})"
        return repr(value)


def _title(value: object) -> str:
    if is_dataclass(value):
        return str(type(value).__name__)
    return "()" if isinstance(value, tuple | list) else type(value).__name__


def _parts(value: object) -> list[tuple[str, object]]:
    """The named parts of a value that has any worth showing."""
    if isinstance(value, Mapping):
        return [(_key(k), v) for k, v in value.items()]
    if isinstance(value, tuple | list):
        return [("", v) for v in value]
    if _atom(value) is None and is_dataclass(value):
        return [
            (f.name, part)
            for f in fields(value)
            if f.repr and not isinstance(part := getattr(value, f.name), Span)
        ]
    return []


def _key(key: object) -> str:
    return key if isinstance(key, str) else _atom(key) or repr(key)


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
