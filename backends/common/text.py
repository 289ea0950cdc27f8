"""Writes source text and remembers which graph nodes each line comes from.

In: lines, each with the nodes it computes. Out: `Source`, whose text compiles and whose line
numbers (from 1) lead back to nodes, so that an error or a profile of generated code names the
program.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from gendsl.ir.graph import Node

WIDTH = 100


@dataclass(frozen=True)
class Source:
    """Generated text with the nodes of each of its lines."""

    text: str
    nodes: Mapping[int, tuple[Node, ...]]

    def at(self, line: int) -> tuple[Node, ...]:
        """The nodes that line `line` computes; none for headings and bookkeeping."""
        return self.nodes.get(line, ())


class Writer:
    """Collects lines at a current depth of indentation."""

    def __init__(self, indent: str = "    ") -> None:
        self._indent = indent
        self._depth = 0
        self._lines: list[str] = []
        self._nodes: dict[int, tuple[Node, ...]] = {}

    @property
    def room(self) -> int:
        """How many characters a line can take at this depth."""
        return WIDTH - len(self._indent) * self._depth

    def line(self, text: str = "", nodes: Iterable[Node] = ()) -> None:
        """One line; `text` has no newline."""
        self._lines.append(self._indent * self._depth + text if text else "")
        made = tuple(nodes)
        if made:
            self._nodes[len(self._lines)] = made

    def statement(self, text: str, nodes: Iterable[Node] = ()) -> None:
        """An assignment, over several lines where one is too short for it."""
        name, _, value = text.partition(" = ")
        if len(text) <= self.room:
            self.line(text, nodes)
            return
        opening = value.find("(") + 1
        whole_call = opening and unbracketed(value[opening - 1 :]) == value[opening:-1]
        head, inner = (value[:opening], value[opening:-1]) if whole_call else ("(", value)
        made = tuple(nodes)
        with self.block(f"{name} = {head}", made):
            self.line(inner, made)
        self.line(")", made)

    @contextmanager
    def block(self, heading: str, nodes: Iterable[Node] = ()) -> Iterator[None]:
        """`heading` and, indented below it, what is written inside the `with`."""
        self.line(heading, nodes)
        self._depth += 1
        yield
        self._depth -= 1

    def source(self) -> Source:
        return Source("\n".join(self._lines) + "\n", dict(self._nodes))


def unbracketed(text: str) -> str:
    """`text` without one pair of round brackets around all of it."""
    if not (text.startswith("(") and text.endswith(")")):
        return text
    depth = 0
    for place, char in enumerate(text):
        depth += (char == "(") - (char == ")")
        if depth == 0 and place < len(text) - 1:
            return text
    return text[1:-1]
