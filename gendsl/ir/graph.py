"""Hash-consed graph nodes, and the graph of a program.

Nodes are created only through a `Builder`, which interns them: within one builder, equal op and
equal inputs give the *same object*, so `is` is equality and common subexpressions are shared by
construction. Sizes and hyperparameters stay symbolic. Spans and the names of net results live in
side tables: they are not part of a node's identity, nor of the content hash.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction

from gendsl.ir.op import NodeType, Op
from gendsl.shape.dim import Dim
from gendsl.shape.tensor_type import Range
from gendsl.source.text import Span


@dataclass(frozen=True, eq=False)
class Node:
    """One value: `op` applied to `inputs`. `id` is the creation order in its builder, so every
    node has a larger id than its inputs."""

    id: int
    op: Op
    inputs: tuple[Node, ...]
    type: NodeType

    def __repr__(self) -> str:
        return f"%{self.id}:{self.op.name}"


class Builder:
    """Interns nodes. One builder per program; passes may add nodes to it."""

    def __init__(self) -> None:
        self._table: dict[tuple[Op, tuple[int, ...]], Node] = {}
        self.spans: dict[Node, Span] = {}
        self.names: dict[Node, str] = {}

    def __len__(self) -> int:
        return len(self._table)

    def apply(self, op: Op, *inputs: Node, span: Span | None = None) -> Node:
        """The node `op(inputs)`: the existing one if there is one."""
        key = (op, tuple(n.id for n in inputs))
        node = self._table.get(key)
        if node is None:
            type_ = op.infer([n.type for n in inputs])
            node = Node(len(self._table), op, inputs, type_)
            self._table[key] = node
            if span is not None:
                self.spans[node] = span
        return node

    def inherit(self, new: Node, old: Node) -> None:
        """The new node's place and name are the old one's, unless it has its own."""
        if old in self.spans:
            self.spans.setdefault(new, self.spans[old])
        if old in self.names:
            self.names.setdefault(new, self.names[old])


def reachable(roots: Iterable[Node]) -> list[Node]:
    """All nodes below `roots`, inputs before users (by id: a topological order)."""
    seen: set[int] = set()
    found: list[Node] = []
    stack = list(roots)
    while stack:
        node = stack.pop()
        if node.id not in seen:
            seen.add(node.id)
            found.append(node)
            stack.extend(node.inputs)
    found.sort(key=lambda n: n.id)
    return found


def postorder(roots: Iterable[Node]) -> list[Node]:
    """All nodes below `roots`, inputs before users, in an order that depends on the roots and the
    structure below them alone (not on ids)."""
    done: set[Node] = set()
    order: list[Node] = []
    for root in roots:
        stack = [root]
        while stack:
            node = stack[-1]
            if node in done:
                stack.pop()
                continue
            todo = [source for source in node.inputs if source not in done]
            if todo:
                stack.extend(reversed(todo))
            else:
                done.add(node)
                order.append(node)
                stack.pop()
    return order


@dataclass(frozen=True)
class ParamInfo:
    """A trainable tensor. `path` is "encoder.h.w"; `group` the parameter group ("encoder", or the
    free parameter's own name). A `positive` one is stored as its logarithm."""

    path: str
    group: str
    shape: tuple[Dim, ...]
    positive: bool


@dataclass(frozen=True)
class Show:
    """A tensor to draw or save: values in `range`; `image` are the sizes (C, H, W) of one example
    when the type says so (an axis group of three factors, or three axes after the example axis)."""

    node: Node
    range: Range | None
    image: tuple[Dim, Dim, Dim] | None


@dataclass(frozen=True)
class ObjectiveGraph:
    """An objective: `loss` is a scalar; `terms` are the named scalars; `scope` every named value
    (for claims); `updates` the after-step values of states; `sense` "minimize" or "maximize"."""

    name: str
    loss: Node
    sense: str
    terms: Mapping[str, Node]
    scope: Mapping[str, Node]
    shows: Mapping[str, Show]
    updates: Mapping[str, Node]


@dataclass(frozen=True)
class SamplerGraph:
    """A sampler: `size` is the name of its example axis (bound when it runs), `inputs` its
    arguments by name, `outputs` by result name ("" for the unnamed one). `defaults` are the
    arguments' defaults (a number, or "cycle" for 0, 1, 2, ... along an index argument); `sizes` all
    bracket sizes with their defaults, the example axis first; `ranges` are those that the arguments
    declare."""

    name: str
    size: str
    default_size: int
    inputs: Mapping[str, Node]
    outputs: Mapping[str, Show]
    defaults: Mapping[str, Fraction | str] = field(default_factory=dict)
    sizes: Mapping[str, Dim] = field(default_factory=dict)
    ranges: Mapping[str, Range] = field(default_factory=dict)

    def bound(self, sizes: Mapping[str, int], count: int) -> dict[str, int]:
        """All sizes for `count` examples, given the program's: its own ones at their defaults."""
        own = {name: default.size(sizes) for name, default in self.sizes.items()}
        return {**sizes, **own, self.size: count}


@dataclass(frozen=True)
class Graph:
    """A lowered program: entries over one builder.

    `params` maps every parameter path to its declaration and `inits` to the node of its initial
    *stored* value (draws of stream "init"); `states` likewise maps a state to its initial value.
    `schedules` maps a hyperparameter (or "lr") to a scalar over the step input.
    """

    builder: Builder = field(repr=False)
    objectives: Mapping[str, ObjectiveGraph]
    samplers: Mapping[str, SamplerGraph]
    params: Mapping[str, ParamInfo] = field(default_factory=dict)
    inits: Mapping[str, Node] = field(default_factory=dict)
    states: Mapping[str, Node] = field(default_factory=dict)
    schedules: Mapping[str, Node] = field(default_factory=dict)
    constants: Mapping[str, Node] = field(default_factory=dict)

    def roots(self) -> Iterator[Node]:
        """Every node that an entry names, in a fixed order."""
        for objective in self.objectives.values():
            yield objective.loss
            yield from objective.terms.values()
            yield from objective.updates.values()
            for show in objective.shows.values():
                yield show.node
        for sampler in self.samplers.values():
            for output in sampler.outputs.values():
                yield output.node


def users(nodes: Sequence[Node]) -> dict[Node, list[Node]]:
    """For each node, the nodes among `nodes` that read it, in order."""
    table: dict[Node, list[Node]] = {n: [] for n in nodes}
    for node in nodes:
        for source in node.inputs:
            if source in table:
                table[source].append(node)
    return table
