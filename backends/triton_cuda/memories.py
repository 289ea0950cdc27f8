"""The memories of a plan under construction: names, keys, and what of a graph lies where.

In: nodes as they are given places. Out: `Memory`s by name, the host's numbers, draw keys. Always:
names are identifiers, distinct, and neither sizes nor words of the language.
"""

from __future__ import annotations

import keyword
from collections.abc import Mapping
from dataclasses import dataclass, field

from backends.triton_cuda.launch import DrawKeys, Memory
from gendsl.ir.graph import Node
from gendsl.ir.op import NodeType
from gendsl.ops.leaf import Const, Draw, Input
from gendsl.shape.dim import Dim
from gendsl.shape.tensor_type import Fin, Real

_WORDS = (*keyword.kwlist, "tl", "triton", "pid", "host", "step", "range", "float", "int", "loop")
_GIVEN = ("data", "argument", "param", "slot", "state", "ema")


@dataclass
class Memories:
    """See the module."""

    sizes: Mapping[str, int]
    named: dict[Node, str]
    table: dict[str, Memory] = field(default_factory=dict)
    placed: dict[Node, str] = field(default_factory=dict)
    host: dict[Node, int] = field(default_factory=dict)
    draws: dict[tuple[str, tuple[int, ...]], DrawKeys] = field(default_factory=dict)
    pinned: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self._taken = {*_WORDS, *self.sizes}

    def name(self, wish: str) -> str:
        """A name of its own, like `wish`."""
        text = "".join(c if c.isalnum() and c.isascii() else "_" for c in wish).strip("_") or "v"
        text = text if text[0].isalpha() else f"v{text}"
        found, count = text, 1
        while found in self._taken:
            count += 1
            found = f"{text}_{count}"
        self._taken.add(found)
        return found

    def add(self, wish: str, type_: NodeType, role: str, key: str = "") -> str:
        """A new memory."""
        name = self.name(wish)
        shape = tuple(d.size(self.sizes) for d in type_.shape)
        self.table[name] = Memory(name, shape, type_.elem, role, key=key)
        return name

    def given(self, node: Node) -> str:
        """The memory of an input, made when it is first asked for."""
        if node not in self.placed:
            op = node.op
            assert isinstance(op, Input) and op.kind in _GIVEN
            wish = op.key if op.kind in ("data", "argument", "param") else f"{op.kind}_{op.key}"
            key = f"{op.kind}:{op.key}"
            self.placed[node] = self.add(wish, node.type, op.kind, key)
        return self.placed[node]

    def slot(self, node: Node) -> int:
        """The place of a number that the host computes."""
        return self.host.setdefault(node, len(self.host))

    def keys(self, node: Node) -> str:
        """The memory with a draw's key words."""
        op = node.op
        assert isinstance(op, Draw)
        bounds = []
        for source in node.inputs:
            assert isinstance(source.type.elem, Fin)
            bounds.append(source.type.elem.bound)
        loops = tuple(b.size(self.sizes) for b in bounds)
        found = self.draws.get((op.path, loops))
        if found is None:
            type_ = NodeType((*bounds, Dim.of(2)), Fin(Dim.of(2**31 - 1)))
            memory = self.add(f"key_{op.path.rpartition('.')[2]}", type_, "host")
            found = self.draws[op.path, loops] = DrawKeys(memory, op.path, loops)
        return found.memory

    def finish(self) -> None:
        """Make the memories that hold the host's numbers and the step, where they are used."""
        if self.host:
            self.table["host"] = Memory("host", (len(self.host),), Real(), "host")
        if self.draws:
            bound = Fin(Dim.of(2**31 - 1))
            self.table["step"] = Memory("step", (3,), bound, "step")

    def wish(self, node: Node) -> str:
        """What to call a node."""
        if node in self.named:
            return self.named[node].replace(".", "_")
        match node.op:
            case Input(key=key):
                return key.rpartition(":")[2].replace(".", "_")
            case Draw(path=path):
                return path.rpartition(".")[2].partition("#")[0]
            case op:
                return op.name


def is_number(node: Node) -> bool:
    """Whether the host can hold a node's value as one float."""
    real = isinstance(node.type.elem, Real)
    return real and not node.type.shape and not isinstance(node.op, Const)
