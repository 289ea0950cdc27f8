"""Values over graph nodes as bytes, and back: the same nodes, with the same numbers.

In: a value of gendsl's own data classes, and the builders whose nodes it names. Out: bytes, from
which another process makes equal ones. Always: a builder comes back with every node it had, in the
order in which they were made, so that whatever is done with it then is what would have been done;
deep graphs need no deep recursion (the nodes are a list, and refer to each other by number); bytes
can name gendsl's data classes, fractions and plain containers, and nothing else.
"""

from __future__ import annotations

import io
import pickle
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import chain
from typing import Any

from gendsl.ir.graph import Builder, Node
from gendsl.ir.op import NodeType, Op
from gendsl.shape.dim import Dim
from gendsl.source.text import Span

_PLAIN = {("fractions", "Fraction"), ("builtins", "set"), ("builtins", "frozenset")}


@dataclass(frozen=True)
class _Table:
    """A builder: its nodes as rows that refer to nodes of all builders by place, in order."""

    rows: list[tuple[Op, list[int], NodeType]]
    spans: dict[int, Span]
    names: dict[int, str]


def pack(value: object, builders: Sequence[Builder]) -> bytes:
    """`value` as bytes. Each node in it is of one of `builders`."""
    interned = [list(builder._table.values()) for builder in builders]
    place = {node: i for i, node in enumerate(chain(*interned))}
    tables = [
        _Table(
            [(n.op, [place[source] for source in n.inputs], n.type) for n in nodes],
            {place[n]: span for n, span in builder.spans.items()},
            {place[n]: name for n, name in builder.names.items()},
        )
        for builder, nodes in zip(builders, interned, strict=True)
    ]
    stream = io.BytesIO()
    _Packer(stream, {}, ()).dump(tables)
    _Packer(stream, place, builders).dump(value)
    return stream.getvalue()


def unpack(content: bytes) -> Any:
    """What was packed. Raises `pickle.UnpicklingError` for bytes that name anything else."""
    stream = io.BytesIO(content)
    nodes: list[Node] = []
    builders: list[Builder] = []
    for table in _Unpacker(stream, nodes, []).load():
        builder = Builder()
        for i, (op, inputs, type_) in enumerate(table.rows):
            node = Node(i, op, tuple([nodes[k] for k in inputs]), type_)
            builder._table[op, tuple([source.id for source in node.inputs])] = node
            nodes.append(node)
        builder.spans |= {nodes[k]: span for k, span in table.spans.items()}
        builder.names |= {nodes[k]: name for k, name in table.names.items()}
        builders.append(builder)
    return _Unpacker(stream, nodes, builders).load()


class _Packer(pickle.Pickler):
    def __init__(
        self, stream: io.BytesIO, place: dict[Node, int], builders: Sequence[Builder]
    ) -> None:
        super().__init__(stream, protocol=5)
        self._place, self._builders = place, {id(b): i for i, b in enumerate(builders)}

    def persistent_id(self, value: object) -> int | None:
        if isinstance(value, Node):
            return self._place[value]
        return -1 - self._builders[id(value)] if isinstance(value, Builder) else None

    def reducer_override(self, value: object) -> Any:
        # By their parts alone: a size keeps its hash, and hashes differ between processes.
        if isinstance(value, Dim):
            return Dim, (value.terms,)
        if isinstance(value, Fraction):
            return Fraction, (value.numerator, value.denominator)
        return NotImplemented


class _Unpacker(pickle.Unpickler):
    def __init__(
        self, stream: io.BytesIO, nodes: Sequence[Node], builders: Sequence[Builder]
    ) -> None:
        super().__init__(stream)
        self._nodes, self._builders = nodes, builders

    def persistent_load(self, place: int) -> Node | Builder:
        return self._nodes[place] if place >= 0 else self._builders[-1 - place]

    def find_class(self, module: str, name: str) -> Any:
        if module.partition(".")[0] == "gendsl" or (module, name) in _PLAIN:
            found = super().find_class(module, name)
            if isinstance(found, type):
                return found
        raise pickle.UnpicklingError(f"{module}.{name} is not gendsl's")
