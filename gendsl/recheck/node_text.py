"""Graph nodes from their text form, interned: equal op, attributes and operands are one node.

In: the `nodes` text of a certificate or of a `.graph` file. Out: a `Nodes` table. A line is

    %5 = sum(axes = [1]) %4 : real[B]

and is read again here, without the reader of gendsl. Written types are taken as they are; the
evaluator finds out when a value does not have the shape that its type says.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from .sizes import Malformed, Size, read_size

_LINE = re.compile(r"%(\d+) = (\w+)\((.*)\)((?: %\d+)*) : (.*)$")
_TYPE = re.compile(r"(real|bool|fin\[(.*?)\])\[(.*)\]$")


@dataclass(frozen=True)
class Type:
    """elem is "real", "bool" or "fin"; `bound` is that of a fin."""

    elem: str
    bound: Size | None
    shape: tuple[Size, ...]


@dataclass(frozen=True)
class Op:
    """An op with its attributes, each as read: a size, a string, a list, true, false or none."""

    name: str
    text: str  # the attributes as written, normalised
    attributes: Mapping[str, Any] = field(compare=False, hash=False)

    def __getitem__(self, key: str) -> Any:
        return self.attributes[key]


@dataclass(frozen=True, eq=False)
class Node:
    number: int
    op: Op
    inputs: tuple[Node, ...]
    type: Type

    @property
    def key(self) -> str | None:
        """The name of an input or a draw."""
        if self.op.name == "input":
            return f"{self.op['kind']}:{self.op['key']}"
        return f"draw:{self.op['path']}" if self.op.name == "draw" else None


class Nodes:
    """The interning table."""

    def __init__(self) -> None:
        self._table: dict[tuple[Op, tuple[int, ...], Type], Node] = {}

    def make(self, op: Op, inputs: tuple[Node, ...], type_: Type) -> Node:
        key = (op, tuple(x.number for x in inputs), type_)
        found = self._table.get(key)
        if found is None:
            found = self._table[key] = Node(len(self._table), op, inputs, type_)
        return found

    def read(self, text: str) -> tuple[dict[int, Node], dict[str, Node], list[str]]:
        """(nodes by the number in the text, outputs by name, the lines that are neither)."""
        own: dict[int, Node] = {}
        outputs: dict[str, Node] = {}
        rest: list[str] = []
        for line in text.splitlines():
            found = _LINE.match(line)
            if found is None:
                named = re.match(r"output (\w+) = %(\d+)$", line)
                if named:
                    outputs[named[1]] = own[int(named[2])]
                else:
                    rest.append(line)
                continue
            number, name, attributes, operands, type_ = found.groups()
            inputs = tuple(own[int(x[1:])] for x in operands.split())
            op = Op(name, attributes, read_attributes(attributes))
            own[int(number)] = self.make(op, inputs, read_type(type_))
        return own, outputs, rest

    def replaced(self, root: Node, old: Node, new: Node) -> Node:
        """The node with `new` for `old` everywhere below it."""
        memo: dict[Node, Node] = {old: new}
        for x in below([root]):
            if x not in memo:
                memo[x] = self.make(x.op, tuple(memo[y] for y in x.inputs), x.type)
        return memo[root]

    def leaf(self, name: str, attributes: str, type_: Type) -> Node:
        return self.make(Op(name, attributes, read_attributes(attributes)), (), type_)


def below(roots: list[Node]) -> list[Node]:
    """The nodes below, operands first."""
    found: set[Node] = set()
    stack = list(roots)
    while stack:
        x = stack.pop()
        if x not in found:
            found.add(x)
            stack.extend(x.inputs)
    return sorted(found, key=lambda x: x.number)


def read_type(text: str) -> Type:
    found = _TYPE.match(text)
    if found is None:
        raise Malformed(f"no type: {text!r}")
    shape = tuple(read_size(d) for d in found[3].split(",")) if found[3] else ()
    bound = None if found[2] is None else read_size(found[2])
    return Type("fin" if bound is not None else found[1], bound, shape)


def read_attributes(text: str) -> dict[str, Any]:
    """`axes = [1], start = N / 2` by name."""
    found: dict[str, Any] = {}
    for part in split(text):
        key, sign, value = part.partition(" = ")
        if not sign or key in found:
            raise Malformed(f"no attributes: {text!r}")
        found[key.strip()] = read_value(value.strip())
    return found


def read_value(text: str) -> Any:
    if text.startswith('"'):
        return json.loads(text)
    if text.startswith("[") and text.endswith("]"):
        return [read_value(x.strip()) for x in split(text[1:-1])]
    if text in ("true", "false", "none"):
        return {"true": True, "false": False, "none": None}[text]
    if text.startswith("@") or re.match(r"(real|bool|fin\[.*\])$", text):
        return text
    return read_size(text)


def split(text: str) -> list[str]:
    """The parts between commas that are not inside brackets or quotes."""
    parts, depth, quoted, start = [], 0, False, 0
    k = 0
    while k < len(text):
        c = text[k]
        if quoted:
            k += 1 if c == "\\" else 0
            quoted = c != '"'
        elif c == '"':
            quoted = True
        elif c in "[(":
            depth += 1
        elif c in "])":
            depth -= 1
        elif c == "," and depth == 0:
            parts.append(text[start:k])
            start = k + 1
        k += 1
    if text[start:].strip():
        parts.append(text[start:])
    return parts
