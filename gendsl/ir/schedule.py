"""Makes a `Plan`: groups nodes into calls, orders them, and finds each buffer's last use.

See `gendsl.ir.plan` for what holds of the result. The order is by node id among the calls whose
operands exist, which keeps a program's own order: forward, backward, update.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from math import prod

from gendsl.ir.graph import Node
from gendsl.ir.op import Op
from gendsl.ir.plan import AnyCall, Buffer, Call, Plan, UpdateCall, width
from gendsl.ir.step import OptimizerGroup
from gendsl.ops.arity import Binary, Compare, Logic, Unary
from gendsl.ops.broadcast import Broadcast
from gendsl.ops.compare import ToReal, Where, Widen
from gendsl.ops.contract import Contract
from gendsl.ops.conv import Conv2d, Conv2dWeightGrad, ConvTranspose2d
from gendsl.ops.leaf import Const, Draw, Index, Input, Iota, SizeValue, Truth
from gendsl.ops.movement import Reshape, Slice, Transpose
from gendsl.ops.select import IndexAffine
from gendsl.shape.dim import Dim

POINTWISE = (Unary, Binary, Compare, Logic, Where, ToReal, Widen)
# Results that share their operand's memory: they cost no bytes and keep the operand alive.
VIEWS = (Broadcast, Reshape, Transpose, Slice, Widen)
_HOST_LEAVES = (Const, Truth, SizeValue, Index)
_HOST_INPUTS = ("hyper", "step")
# How many ops one expression may hold before its parts get lines of their own.
_EXPRESSION = 6


def pointwise(op: Op) -> bool:
    return isinstance(op, POINTWISE)


@dataclass
class _Cut:
    """The outputs' graph, where the results of in-place updates have the update as only operand."""

    outputs: Mapping[str, Node]
    groups: tuple[OptimizerGroup, ...]

    @cached_property
    def producer(self) -> dict[Node, int]:
        """The number of the group that makes a node."""
        return {n: i for i, g in enumerate(self.groups) for row in g.after for n in row}

    def operands(self, node: Node) -> tuple[Node, ...]:
        if node in self.producer:
            return group_operands(self.groups[self.producer[node]])
        return node.inputs

    @cached_property
    def nodes(self) -> list[Node]:
        seen: dict[Node, None] = {}
        stack = list(self.outputs.values())
        while stack:
            node = stack.pop()
            if node not in seen:
                seen[node] = None
                stack.extend(self.operands(node))
        return sorted(seen, key=lambda n: n.id)


def group_operands(group: OptimizerGroup) -> tuple[Node, ...]:
    """What an update kernel reads."""
    count = () if group.count is None else (group.count,)
    return (*group.gradients, group.lr, *count, *(n for row in group.before for n in row))


def host_nodes(nodes: Iterable[Node]) -> set[Node]:
    """The scalars that need no device, among nodes given operands first."""
    host: set[Node] = set()
    for node in nodes:
        if node.type.rank:
            continue
        match node.op:
            case Const() | Truth() | SizeValue() | Index():
                host.add(node)
            case Input(kind=kind):
                if kind in _HOST_INPUTS:
                    host.add(node)
            case op if pointwise(op) or isinstance(op, IndexAffine):
                if all(source in host for source in node.inputs):
                    host.add(node)
            case _:
                pass
    return host


@dataclass
class _Grouping:
    """Which nodes are part of which call. `owner` maps a node to the root of its expression;
    `repeated` are the nodes that every reader repeats."""

    cut: _Cut
    named: Mapping[Node, str]
    host: set[Node]
    owner: dict[Node, Node] = field(default_factory=dict)
    repeated: set[Node] = field(default_factory=set)

    def run(self) -> None:
        kept = set(self.cut.outputs.values()) | set(self.cut.producer)
        for group in self.cut.groups:
            kept.update(group_operands(group))
        sites: dict[Node, list[Node]] = {n: [] for n in self.cut.nodes}
        sizes: dict[Node, int] = {}
        for node in reversed(self.cut.nodes):
            readers = sites[node]
            if node in self.cut.producer or isinstance(node.op, Input):
                continue
            if node not in kept and self._costs_nothing(node):
                self.repeated.add(node)
                for source in node.inputs:
                    sites[source].extend(readers)
                continue
            root = node
            if node not in kept and len(readers) == 1 and self._joins(node, readers[0]):
                above = self.owner[readers[0]]
                if sizes[above] < _EXPRESSION:
                    root = above
                    sizes[above] += 1
            self.owner[node] = root
            sizes.setdefault(root, 1)
            for source in node.inputs:
                sites[source].append(node)

    def _costs_nothing(self, node: Node) -> bool:
        return isinstance(node.op, (*_HOST_LEAVES, Broadcast))

    def _joins(self, node: Node, reader: Node) -> bool:
        """Whether `node` may be written inside its only reader's expression."""
        if node in self.named or isinstance(node.op, (Draw, Iota)):
            return False
        if node in self.host:
            return True
        return pointwise(node.op) or pointwise(reader.op)


@dataclass
class _Item:
    """A call before it has a place: its root (or group), and the roots it waits for."""

    key: Node | int
    nodes: tuple[Node, ...]
    reads: tuple[Node, ...]
    waits: set[Node | int] = field(default_factory=set)


class _Cycle(Exception):
    """Old and new values of a group are needed together."""

    def __init__(self, groups: set[int]) -> None:
        super().__init__(str(groups))
        self.groups = groups


def _items(grouping: _Grouping) -> list[_Item]:
    """Every call, with the values it reads."""
    cut = grouping.cut
    members: dict[Node, list[Node]] = {}
    for node in cut.nodes:
        if node in grouping.owner:
            members.setdefault(grouping.owner[node], []).append(node)
    items = []
    for root, nodes in members.items():
        inside: set[Node] = set(nodes)
        reads: dict[Node, None] = {}
        stack = [s for n in reversed(nodes) for s in reversed(n.inputs)]
        while stack:
            source = stack.pop()
            if source in grouping.repeated:
                if source not in inside:
                    inside.add(source)
                    stack.extend(reversed(source.inputs))
            elif source not in inside:
                reads[source] = None
        ordered = tuple(sorted(inside, key=lambda n: n.id))
        items.append(_Item(root, ordered, tuple(reads)))
    for number, group in enumerate(cut.groups):
        items.append(_Item(number, (), tuple(dict.fromkeys(group_operands(group)))))
    return items


def base_of(node: Node, made: Mapping[Node, int]) -> Node:
    """The node whose memory `node` shows."""
    while isinstance(node.op, VIEWS) and node not in made:
        node = node.inputs[0]
    return node


def _wait(items: Sequence[_Item], cut: _Cut) -> None:
    """Fill `waits`: for operands, and of updates for all other readers of the old values."""
    touching: dict[Node, set[Node | int]] = {}
    for item in items:
        for node in item.reads:
            if node in cut.producer:
                item.waits.add(cut.producer[node])
            elif not isinstance(node.op, Input):
                item.waits.add(node)
            touching.setdefault(base_of(node, cut.producer), set()).add(item.key)
    for item in items:
        if isinstance(item.key, int):
            for row in cut.groups[item.key].before:
                for node in row:
                    item.waits.update(touching.get(node, set()) - {item.key})


def _ordered(items: Sequence[_Item]) -> list[_Item]:
    """A topological order; the smallest node id first among those ready."""
    table = {item.key: item for item in items}
    pending = {item.key: len(item.waits) for item in items}
    blocks: dict[Node | int, list[Node | int]] = {}
    for item in items:
        for key in item.waits:
            blocks.setdefault(key, []).append(item.key)

    def rank(item: _Item) -> int:
        return max(n.id for n in (item.nodes or item.reads))

    ready = [(rank(table[key]), n, key) for n, (key, k) in enumerate(pending.items()) if not k]
    heapq.heapify(ready)
    order: list[_Item] = []
    while ready:
        _, _, key = heapq.heappop(ready)
        order.append(table[key])
        for blocked in blocks.get(key, ()):
            pending[blocked] -= 1
            if not pending[blocked]:
                heapq.heappush(ready, (rank(table[blocked]), len(order) + len(items), blocked))
    if len(order) < len(items):
        raise _Cycle({key for key, k in pending.items() if k and isinstance(key, int)})
    return order


def _overwritten_output(cut: _Cut) -> set[int]:
    """Groups whose old values are also an output (kept by name after the step)."""
    bases = {base_of(node, cut.producer) for node in cut.outputs.values()}
    return {i for i, g in enumerate(cut.groups) if any(n in bases for row in g.before for n in row)}


def make_plan(
    name: str,
    outputs: Mapping[str, Node],
    sizes: Mapping[str, int],
    *,
    names: Mapping[Node, str] | None = None,
    groups: Sequence[OptimizerGroup] = (),
    fusable: Callable[[OptimizerGroup], bool] = lambda group: False,
) -> Plan:
    """The plan of `outputs` at `sizes`. `names` are readable names of nodes (`Builder.names`);
    `fusable` says which optimizer groups the target updates in place."""
    named = names or {}
    kept = tuple(g for g in groups if g.after and fusable(g))
    while True:
        cut = _Cut(outputs, kept)
        bad = _overwritten_output(cut)
        if not bad:
            grouping = _Grouping(cut, named, host_nodes(cut.nodes))
            grouping.run()
            items = _items(grouping)
            _wait(items, cut)
            try:
                order = _ordered(items)
            except _Cycle as cycle:
                bad = cycle.groups
                if not bad:
                    raise AssertionError(f"plan {name}: the graph has a cycle") from cycle
            else:
                return _finish(name, sizes, cut, grouping, order, named)
        kept = tuple(g for i, g in enumerate(kept) if i != max(bad))


# ---- buffers -----------------------------------------------------------------------------


class _Names:
    """Distinct identifiers."""

    def __init__(self) -> None:
        self._taken: set[str] = set()
        self._counts: dict[str, int] = {}

    def give(self, wish: str, *, numbered: bool) -> str:
        text = "".join(c if c.isalnum() and c.isascii() else "_" for c in wish) or "v"
        text = f"v_{text}" if text[0].isdigit() else text
        name = text
        while numbered or name in self._taken:
            self._counts[text] = self._counts.get(text, 0) + 1
            name = f"{text}_{self._counts[text]}"
            if name not in self._taken:
                break
        self._taken.add(name)
        return name


def _finish(
    name: str,
    sizes: Mapping[str, int],
    cut: _Cut,
    grouping: _Grouping,
    order: Sequence[_Item],
    named: Mapping[Node, str],
) -> Plan:
    buffers = _buffers(sizes, cut, grouping, order, named)
    frees, peak = _lifetimes(cut, order, buffers)
    calls: list[AnyCall] = []
    for item, freed in zip(order, frees, strict=True):
        reads = tuple(buffers[n].name for n in item.reads)
        if isinstance(item.key, int):
            group = cut.groups[item.key]
            results = tuple(tuple(buffers[n] for n in row) for row in group.after)
            work = 12 * sum(prod(row[0].shape) for row in results)
            calls.append(UpdateCall(group, results, reads, freed, work))
        else:
            work = sum(flops(node, sizes) for node in item.nodes)
            calls.append(Call(buffers[item.key], item.nodes, reads, freed, work))
    return Plan(name, dict(sizes), tuple(calls), buffers, dict(cut.outputs), peak)


def _buffers(
    sizes: Mapping[str, int],
    cut: _Cut,
    grouping: _Grouping,
    order: Sequence[_Item],
    named: Mapping[Node, str],
) -> dict[Node, Buffer]:
    give = _Names()
    table: dict[Node, Buffer] = {}
    outputs = set(cut.outputs.values())

    def add(node: Node, wish: str, kind: str, base: str | None = None) -> None:
        shape = tuple(d.size(sizes) for d in node.type.shape)
        own = 0 if kind in ("view", "host") else prod(shape) * width(node.type.elem)
        label = give.give(wish, numbered=wish == node.op.name)
        table[node] = Buffer(label, node, shape, kind, own, base)

    for node in cut.nodes:
        if isinstance(node.op, Input):
            add(node, node.op.key if node.op.kind != "step" else "step", "input")
    for item in order:
        if isinstance(item.key, int):
            group = cut.groups[item.key]
            for before, after in zip(group.before, group.after, strict=True):
                for old, new in zip(before, after, strict=True):
                    table[new] = replace(table[old], node=new, kind="view", bytes=0)
            continue
        node = item.key
        base = base_of(node, cut.producer)
        kind = "temporary"
        if node in grouping.host:
            kind = "host"
        elif base is not node and base in table:
            kind = "view"
        elif node in outputs:
            kind = "output"
        wish = named.get(node) or node.op.name
        add(node, wish, kind, table[base].name if kind == "view" else None)
    return table


def _lifetimes(
    cut: _Cut, order: Sequence[_Item], buffers: Mapping[Node, Buffer]
) -> tuple[list[tuple[str, ...]], int]:
    """What each call frees, and the most bytes of temporaries and outputs alive at once."""
    last: dict[Node, int] = {}
    for place, item in enumerate(order):
        for node in item.reads:
            last[node] = place
            base = base_of(node, cut.producer)
            last[base] = place
        if not isinstance(item.key, int):
            last.setdefault(item.key, place)
    kept = {base_of(n, cut.producer) for n in cut.outputs.values()} | set(cut.outputs.values())
    frees: list[list[str]] = [[] for _ in order]
    ends: list[int] = [0 for _ in order]
    for node, place in last.items():
        buffer = buffers.get(node)
        if buffer is None or isinstance(node.op, Input) or node in kept or node in cut.producer:
            continue
        ends[place] += buffer.bytes
        if buffer.shape:
            frees[place].append(buffer.name)
    alive = peak = 0
    for place, item in enumerate(order):
        if not isinstance(item.key, int):
            alive += buffers[item.key].bytes
        peak = max(peak, alive)
        alive -= ends[place]
    return [tuple(names) for names in frees], peak


def flops(node: Node, sizes: Mapping[str, int]) -> int:
    """An estimate: 2 per multiply-add, 1 per entry of everything else, 0 for what moves data."""

    def count(shape: Iterable[Dim]) -> int:
        return prod(d.size(sizes) for d in shape)

    match node.op:
        case Contract(left=left, right=right):
            extents = dict(zip(left, node.inputs[0].type.shape, strict=True))
            extents.update(zip(right, node.inputs[1].type.shape, strict=True))
            return 2 * count(extents.values())
        case Conv2d():
            return 2 * count(node.type.shape) * count(node.inputs[1].type.shape[1:])
        case ConvTranspose2d():
            return 2 * count(node.inputs[0].type.shape) * count(node.inputs[1].type.shape[1:])
        case Conv2dWeightGrad():
            return 2 * count(node.inputs[1].type.shape) * count(node.type.shape[1:])
        case op if isinstance(op, (*VIEWS, *_HOST_LEAVES, Input)):
            return 0
        case _:
            return max([count(node.type.shape), *(count(i.type.shape) for i in node.inputs)])
