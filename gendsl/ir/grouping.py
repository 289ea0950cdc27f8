"""Which nodes make one call, and what each call reads: the first step towards a plan.

In: output nodes and the optimizer groups that are updated in place. Out: `Item`s, one per call,
without order. See `gendsl.ir.plan` for what a call is.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from gendsl.ir.graph import Node
from gendsl.ir.op import Op
from gendsl.ir.step import OptimizerGroup
from gendsl.ops.arithmetic import Add, StopGrad, StraightThrough
from gendsl.ops.arity import Binary, Compare, Logic, Unary
from gendsl.ops.broadcast import Broadcast, Sum
from gendsl.ops.compare import ToReal, Where, Widen
from gendsl.ops.contract import Contract
from gendsl.ops.conv import Conv2d, Conv2dWeightGrad, ConvTranspose2d
from gendsl.ops.leaf import Const, Draw, Index, Input, Iota, SizeValue, Truth
from gendsl.ops.loop import Loop, LoopBody, LoopIndex, Placeholder
from gendsl.ops.movement import Reshape, Slice, Transpose
from gendsl.ops.reduce import Reduction
from gendsl.ops.select import IndexAffine
from gendsl.ops.symbolic import Pi

Key = Node | int
POINTWISE = (Unary, Binary, Compare, Logic, Where, ToReal, Widen)
# Results that share their operand's memory: they cost no bytes and keep the operand alive.
VIEWS = (Broadcast, Reshape, Transpose, Slice, Widen)
# What most of a plan's work is in. Their operands are values of their own: nothing is gained by
# computing them inside.
CONTRACTIONS = (Contract, Conv2d, ConvTranspose2d, Conv2dWeightGrad)
# Leaves that a plan is given, not computes.
LEAVES = (Input, Placeholder)
HOST_LEAVES = (Const, Truth, SizeValue, Index, Pi)
HOST_INPUTS = ("hyper", "step")
# How much one expression may hold before its parts get lines of their own, and what ops count that
# are more than arithmetic.
_EXPRESSION = 6
_KERNEL = 2


def pointwise(op: Op) -> bool:
    return isinstance(op, POINTWISE)


@dataclass
class Cut:
    """The outputs' graph, where the results of in-place updates have the update as only operand."""

    outputs: Mapping[str, Node]
    groups: tuple[OptimizerGroup, ...]

    @cached_property
    def updated(self) -> dict[Node, int]:
        """The number of the group that makes a node."""
        return {n: i for i, g in enumerate(self.groups) for row in g.after for n in row}

    @cached_property
    def maker(self) -> dict[Node, Key]:
        """The call that makes a node, for those that are not the end of an expression: the
        number of an update, or the first of the results of one loop."""
        table: dict[Node, Key] = dict(self.updated)
        leaders: dict[tuple[LoopBody, tuple[Node, ...]], Node] = {}
        for node in self.nodes:
            if isinstance(node.op, Loop):
                table[node] = leaders.setdefault((node.op.body, node.inputs), node)
        return table

    def operands(self, node: Node) -> tuple[Node, ...]:
        if node in self.updated:
            return group_operands(self.groups[self.updated[node]])
        return node.inputs

    @cached_property
    def nodes(self) -> list[Node]:
        seen: dict[Node, None] = {}
        grouped: set[int] = set()  # all nodes of a group have the same operands, very many
        stack = list(self.outputs.values())
        while stack:
            node = stack.pop()
            if node not in seen:
                seen[node] = None
                group = self.updated.get(node)
                if group is None or group not in grouped:
                    stack.extend(self.operands(node))
                if group is not None:
                    grouped.add(group)
        return sorted(seen, key=lambda n: n.id)


def group_operands(group: OptimizerGroup) -> tuple[Node, ...]:
    """What an update kernel reads."""
    count = () if group.count is None else (group.count,)
    return (*group.gradients, group.lr, *count, *(n for row in group.before for n in row))


def host_nodes(nodes: Iterable[Node], given: Iterable[Node] = ()) -> set[Node]:
    """What needs no device, among nodes given operands first: numbers (those `given` are), and
    tensors that hold one number everywhere."""
    host: set[Node] = set(given)
    for node in nodes:
        match node.op:
            case Const() | Truth() | SizeValue() | Index() | Pi() | LoopIndex():
                host.add(node)
            case Input(kind=kind):
                if kind in HOST_INPUTS:
                    host.add(node)
            case op if pointwise(op) or isinstance(op, (IndexAffine, Broadcast)):
                if all(source in host for source in node.inputs):
                    host.add(node)
            case _:
                pass
    return host


@dataclass
class Grouping:
    """Which nodes are part of which call. `owner` maps a node to the root of its expression;
    `repeated` are the nodes that every reader repeats."""

    cut: Cut
    named: Mapping[Node, str]
    host: set[Node]
    owner: dict[Node, Node] = field(default_factory=dict)
    repeated: set[Node] = field(default_factory=set)

    def run(self) -> None:
        kept = set(self.cut.outputs.values()) | set(self.cut.maker)
        for group in self.cut.groups:
            kept.update(n for n in group_operands(group) if not self._costs_nothing(n))
        sites: dict[Node, list[Node]] = {n: [] for n in self.cut.nodes}
        sizes: dict[Node, int] = {}
        anchors: dict[Node, Node] = {}  # the contraction of an expression, which has at most one
        for node in reversed(self.cut.nodes):
            readers = sites[node]
            if isinstance(node.op, LEAVES) or self.cut.maker.get(node, node) is not node:
                continue
            if node not in kept and self._costs_nothing(node):
                self.repeated.add(node)
                for source in node.inputs:
                    sites[source].extend(readers)
                continue
            root = node
            if node not in kept and len(readers) == 1 and self._joins(node, readers[0]):
                above = self.owner[readers[0]]
                free = not _anchor(node) or anchors.get(above, readers[0]) is readers[0]
                if free and sizes[above] + _weight(node) <= _EXPRESSION:
                    root = above
            self.owner[node] = root
            sizes[root] = sizes.get(root, 0) + _weight(node)
            if _anchor(node):
                anchors[root] = node
            for source in node.inputs:
                sites[source].append(node)

    def _costs_nothing(self, node: Node) -> bool:
        return isinstance(node.op, (*HOST_LEAVES, Broadcast))

    def _joins(self, node: Node, reader: Node) -> bool:
        """Whether `node` may be written inside its only reader's expression."""
        if node in self.named or isinstance(node.op, (Draw, Iota)) or isinstance(reader.op, Loop):
            return False
        if node in self.host:
            return True
        if pointwise(node.op):
            return not isinstance(reader.op, CONTRACTIONS)
        return pointwise(reader.op)


def _anchor(node: Node) -> bool:
    """A contraction, or the sum of one and a bias: what a kernel computes first."""
    if isinstance(node.op, CONTRACTIONS):
        return True
    return isinstance(node.op, Add) and any(
        isinstance(main.op, CONTRACTIONS) and isinstance(bias.op, Broadcast)
        for main, bias in (node.inputs, node.inputs[::-1])
    )


def _weight(node: Node) -> int:
    """How much a node adds to an expression; a comparison belongs to the choice that reads it."""
    if isinstance(node.op, Compare):
        return 0
    return 1 if pointwise(node.op) or isinstance(node.op, VIEWS) else _KERNEL


@dataclass
class Item:
    """A call before it has a place: its root (or group), and the roots it waits for."""

    key: Key
    nodes: tuple[Node, ...]
    reads: tuple[Node, ...]
    waits: set[Key] = field(default_factory=set)


def items(grouping: Grouping) -> list[Item]:
    """Every call, with the values it reads."""
    cut = grouping.cut
    members: dict[Node, list[Node]] = {}
    for node in cut.nodes:
        if node in grouping.owner:
            members.setdefault(grouping.owner[node], []).append(node)
    found = []
    for root, nodes in members.items():
        operands = [source for node in nodes for source in node.inputs]
        found.append(_item(grouping, root, nodes, operands))
    for number, group in enumerate(cut.groups):
        found.append(_item(grouping, number, (), group_operands(group)))
    return found


def _item(grouping: Grouping, key: Key, nodes: Iterable[Node], operands: Iterable[Node]) -> Item:
    """The call that computes `nodes`: with what it repeats, and what it reads."""
    inside: set[Node] = set(nodes)
    reads: dict[Node, None] = {}
    stack = list(operands)[::-1]
    while stack:
        source = stack.pop()
        if source in inside:
            continue
        if source in grouping.repeated:
            inside.add(source)
            stack.extend(reversed(source.inputs))
        else:
            reads[source] = None
    return Item(key, tuple(sorted(inside, key=lambda n: n.id)), tuple(reads))


def base_of(node: Node, made: Container[Node] = ()) -> Node:
    """The node whose memory `node` may show; nodes in `made` have memory of their own."""
    while node not in made:
        match node.op:
            case StraightThrough():
                node = node.inputs[1]
            case op if isinstance(op, (*VIEWS, StopGrad)):
                node = node.inputs[0]
            case Sum(axes=()) | Reduction(axes=()):
                node = node.inputs[0]
            case _:
                break
    return node
