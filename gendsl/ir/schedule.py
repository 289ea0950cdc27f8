"""Makes a `Plan`: orders the calls, and gives every value its buffer.

See `gendsl.ir.plan` for what holds of the result. The order is by node id among the calls whose
operands exist, which keeps a program's own order: forward, backward, update.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from math import prod

from gendsl.ir.graph import Node
from gendsl.ir.grouping import (
    HOST_LEAVES,
    LEAVES,
    VIEWS,
    Cut,
    Grouping,
    Item,
    Key,
    base_of,
    host_nodes,
    items,
)
from gendsl.ir.layout import buffers_of, flops, lifetimes
from gendsl.ir.plan import AnyCall, Call, LoopCall, Plan, UpdateCall
from gendsl.ir.step import OptimizerGroup, StepGraph
from gendsl.ops.broadcast import Broadcast
from gendsl.ops.leaf import Input
from gendsl.ops.loop import Loop


class _Cycle(Exception):
    """Old and new values of a group are needed together."""

    def __init__(self, groups: set[int]) -> None:
        super().__init__(str(groups))
        self.groups = groups


def _wait(calls: Sequence[Item], cut: Cut) -> None:
    """Fill `waits`: for operands, and of updates for all other readers of the old values."""
    touching: dict[Node, set[Key]] = {}
    for item in calls:
        for node in item.reads:
            if not isinstance(node.op, LEAVES):
                item.waits.add(cut.maker.get(node, node))
            touching.setdefault(base_of(node, cut.maker), set()).add(item.key)
    for item in calls:
        if isinstance(item.key, int):
            for row in cut.groups[item.key].before:
                for node in row:
                    item.waits.update(touching.get(node, set()) - {item.key})


def _light(item: Item) -> bool:
    """Whether the call only shows what it reads in another form, or gives one number."""
    return all(isinstance(node.op, VIEWS) or not node.type.rank for node in item.nodes)


def _ordered(calls: Sequence[Item]) -> list[Item]:
    """A topological order; the smallest node id first among those ready. What only updates and
    outputs read (a weight's gradient) comes as soon as its operands are there, while they are
    still in the caches, and so that they can be freed."""
    readers: dict[Node, set[Key]] = {}
    for item in calls:
        for node in item.reads:
            readers.setdefault(node, set()).add(item.key)
    table = {item.key: item for item in calls}
    pending = {item.key: len(item.waits) for item in calls}
    blocks: dict[Key, list[Key]] = {}
    for item in calls:
        for key in item.waits:
            blocks.setdefault(key, []).append(item.key)

    def ends(item: Item) -> bool:
        """Whether only updates and outputs read it, or views of it, or sums of metrics."""
        following = readers.get(item.key, ()) if isinstance(item.key, Node) else ()
        return all(
            isinstance(key, int) or (_light(table[key]) and ends(table[key])) for key in following
        )

    def rank(item: Item) -> int:
        if isinstance(item.key, Node) and item.reads:
            if ends(item):
                return max(n.id for n in item.reads)
        return max(n.id for n in (item.nodes or item.reads))

    place = {item.key: number for number, item in enumerate(calls)}
    ready = [(rank(table[key]), place[key], key) for key, k in pending.items() if not k]
    heapq.heapify(ready)
    order: list[Item] = []
    while ready:
        _, _, key = heapq.heappop(ready)
        order.append(table[key])
        for blocked in blocks.get(key, ()):
            pending[blocked] -= 1
            if not pending[blocked]:
                heapq.heappush(ready, (rank(table[blocked]), place[blocked], blocked))
    if len(order) < len(calls):
        raise _Cycle({key for key, k in pending.items() if k and isinstance(key, int)})
    return order


def _usable(group: OptimizerGroup, made: set[Node]) -> tuple[OptimizerGroup, ...]:
    """The group without parameters that a pass found not to change (their new value is no node of
    its own) or whose new values nothing in `made` reads; nothing if there is no other."""
    rows = [
        (name, gradient, before, after)
        for name, gradient, before, after in zip(
            group.parameters, group.gradients, group.before, group.after, strict=True
        )
        if not any(isinstance(n.op, (*LEAVES, *HOST_LEAVES, Broadcast)) for n in after)
        and made.issuperset(after)
    ]
    if not rows:
        return ()
    parameters, gradients, before, after = zip(*rows, strict=True)
    return (replace(group, parameters=parameters, gradients=gradients, before=before, after=after),)


def _overwritten_output(cut: Cut) -> set[int]:
    """Groups whose old values are also an output (kept by name after the step)."""
    bases = {base_of(node, cut.maker) for node in cut.outputs.values()}
    return {i for i, g in enumerate(cut.groups) if any(n in bases for row in g.before for n in row)}


def _not_stored(cut: Cut) -> set[int]:
    """Groups whose old values are temporaries, since an earlier update is not in place."""
    return {
        i
        for i, g in enumerate(cut.groups)
        if any(not isinstance(n.op, Input) and n not in cut.updated for r in g.before for n in r)
    }


def make_plan(
    name: str,
    outputs: Mapping[str, Node],
    sizes: Mapping[str, int],
    *,
    names: Mapping[Node, str] | None = None,
    groups: Sequence[OptimizerGroup] = (),
    fusable: Callable[[OptimizerGroup], bool] = lambda group: False,
    host: Iterable[Node] = (),
) -> Plan:
    """The plan of `outputs` at `sizes`. `names` are readable names of nodes (`Builder.names`);
    `fusable` says which optimizer groups the target updates in place; `host` are inputs that are
    known to be numbers."""
    named = names or {}
    made = set(Cut(outputs, ()).nodes)
    kept = tuple(u for g in groups if fusable(g) for u in _usable(g, made))
    while True:
        cut = Cut(outputs, kept)
        bad = _overwritten_output(cut) | _not_stored(cut)
        if not bad:
            grouping = Grouping(cut, named, host_nodes(cut.nodes, host))
            grouping.run()
            calls = items(grouping)
            _wait(calls, cut)
            try:
                order = _ordered(calls)
            except _Cycle as cycle:
                bad = cycle.groups
                if not bad:
                    raise AssertionError(f"plan {name}: the graph has a cycle") from cycle
            else:
                return _finish(name, sizes, grouping, order)
        kept = tuple(g for i, g in enumerate(kept) if i != max(bad))


def plan_step(
    step: StepGraph,
    sizes: Mapping[str, int],
    fusable: Callable[[OptimizerGroup], bool] = lambda group: False,
) -> Plan:
    """The plan of a training step; outputs are its metrics by name and its updates by key."""
    return make_plan(
        "step",
        {**step.metrics, **step.updates},
        sizes,
        names=step.builder.names,
        groups=step.groups,
        fusable=fusable,
    )


def _finish(name: str, sizes: Mapping[str, int], grouping: Grouping, order: Sequence[Item]) -> Plan:
    cut = grouping.cut
    buffers = buffers_of(sizes, grouping, order)
    frees, peak = lifetimes(cut, order, buffers)
    calls: list[AnyCall] = []
    for item, freed in zip(order, frees, strict=True):
        reads = tuple(buffers[n].name for n in item.reads)
        match item.key:
            case int(number):
                group = cut.groups[number]
                results = tuple(tuple(buffers[n] for n in row) for row in group.after)
                work = 12 * sum(prod(row[0].shape) for row in results)
                calls.append(UpdateCall(group, results, item.nodes, reads, freed, work))
            case Node(op=Loop() as op) as node:
                body = _plan_body(node, op, sizes, grouping.host)
                ends = {
                    other.op.result: buffers[other]
                    for other, leader in cut.maker.items()
                    if leader is node and isinstance(other.op, Loop)
                }
                work = body.flops * op.body.count.size(sizes)
                calls.append(LoopCall(ends, item.nodes, body, reads, freed, work))
            case node:
                work = sum(flops(part, sizes) for part in item.nodes)
                calls.append(Call(buffers[node], item.nodes, reads, freed, work))
    host = frozenset(grouping.host)
    return Plan(name, dict(sizes), tuple(calls), buffers, dict(cut.outputs), host, peak)


def _plan_body(node: Node, op: Loop, sizes: Mapping[str, int], host: set[Node]) -> Plan:
    """The plan of one iteration; outputs "0", "1", ... are the next carried values."""
    opened = op.body.open()
    given = node.inputs[len(opened.carries) :]
    numbers = [c for c, v in zip(opened.captures, given, strict=True) if v in host]
    outputs = {str(k): result for k, result in enumerate(opened.results)}
    return make_plan("iteration", outputs, sizes, host=numbers)
