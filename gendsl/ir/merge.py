"""Products with a common operand become one: mu | logvar, Q | K | V, D(real) | D(fake), and their
gradients.

In: a step graph and a number for every size. Out: an equal step graph. Three rewrites, all exact:

- x W1, x W2, ... (each perhaps with a bias) are slices of x [W1 | W2 | ...], and so for a common
  right operand;
- G1 W1 + G2 W2 + ... is [G1 | G2 | ...] [W1; W2; ...];
- what is computed alike of the slices of one tensor is computed of the tensor (`gendsl.ir.lanes`).

Before that, adjoints of normalised rows become ops (`gendsl.ir.norms`), and products with one-hot
rows picks (`gendsl.ir.picks`).

A wide product gains little, and copying its operands side by side costs, so products take part if
they have at most `NARROW` columns, or if less is copied than they gain (see `_pays`). Always:
products that are merged do not depend on each other, so the result has no cycle; one group is
merged at a time, on the graph that the others left.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from itertools import chain

from gendsl.ir.graph import Builder, Node, reachable, users
from gendsl.ir.grouping import pointwise
from gendsl.ir.lanes import (
    Rewrite,
    Sizes,
    beside,
    entries,
    joined,
    lane_of,
    lanes,
    name,
    slicing,
    wholes,
    widths,
)
from gendsl.ir.layout import flops
from gendsl.ir.norms import norm_slopes
from gendsl.ir.picks import picks
from gendsl.ir.step import StepGraph
from gendsl.ops.arithmetic import Add
from gendsl.ops.broadcast import Broadcast
from gendsl.ops.contract import Contract
from gendsl.ops.leaf import Input
from gendsl.ops.movement import Reshape
from gendsl.shape.dim import Dim

NARROW = 32
# Microseconds, by measurement (AMD Zen 5, torch 2.13, float32, 2 threads): what one product less
# saves, and how much more of a larger product's rate; a copy, and an entry of it.
_CALL, _WORK = 6.0, 0.12e-6
_COPY, _ENTRY = 3.0, 0.1e-3


def merge(step: StepGraph, sizes: Sizes) -> StepGraph:
    """The step with products merged."""
    roots = list(dict.fromkeys(_roots(step)))
    where = {root: root for root in roots}
    refused: set[tuple[Node, ...]] = set()
    while True:
        current = list(where.values())
        trained = {where[g] for group in step.groups for g in group.gradients}
        found = _next(_Graph(reachable(current), frozenset(trained), sizes), refused)
        if not found:
            return _moved(step, where)
        table = _rewritten(step.builder, current, found)
        where = {root: table[node] for root, node in where.items()}


def _roots(step: StepGraph) -> list[Node]:
    named = [*step.metrics.values(), *step.updates.values()]
    return [*named, *(node for group in step.groups for node in group.nodes)]


def _moved(step: StepGraph, where: Mapping[Node, Node]) -> StepGraph:
    return StepGraph(
        step.builder,
        {name: where[node] for name, node in step.metrics.items()},
        {key: where[node] for key, node in step.updates.items()},
        tuple(group.mapped(where) for group in step.groups),
    )


@dataclass(frozen=True)
class _Graph:
    """The graph so far. `trained` are the gradients, which optimizers want row by row."""

    nodes: Sequence[Node]
    trained: frozenset[Node]
    sizes: Sizes

    @cached_property
    def readers(self) -> Mapping[Node, list[Node]]:
        return users(self.nodes)


def _next(graph: _Graph, refused: set[tuple[Node, ...]]) -> list[Rewrite]:
    """All that the local rules find; where they find nothing, the first group that can merge."""
    parts = graph.nodes, graph.readers, graph.sizes
    local = _apart(chain(lanes(*parts), wholes(*parts), norm_slopes(graph.nodes), picks(*parts)))
    if local:
        return local
    for members, rewrite in _candidates(graph):
        if members not in refused:
            refused.add(members)
            found = rewrite()
            if found is not None:
                return [found]
    return []


def _apart(rewrites: Iterable[Rewrite]) -> list[Rewrite]:
    """Those that replace different nodes: they may be applied together, since what each needs lies
    below every node that it replaces."""
    taken: set[Node] = set()
    found = []
    for rewrite in rewrites:
        if taken.isdisjoint(rewrite.nodes):
            taken.update(rewrite.nodes)
            found.append(rewrite)
    return found


Candidate = tuple[tuple[Node, ...], Callable[[], Rewrite | None]]


def _candidates(graph: _Graph) -> Iterator[Candidate]:
    """Products that may be merged, and how. Sums over weights come first: what they put side by
    side stays in the weights' order. Other sums come last, when lanes are in their order."""
    late: list[Candidate] = []
    for node in graph.nodes:
        terms = _terms(node, graph.readers)
        if terms:
            found = tuple(terms), partial(_stacked, node, terms, graph.sizes)
            if all(any(_weight(x) for x in t.inputs) for t in terms):
                yield found
            else:
                late.append(found)
    for group in _groups(graph.nodes, graph.sizes):
        yield tuple(m.node for m in group), partial(_side_by_side, group, graph)
    yield from late


# ---- a common operand ----------------------------------------------------------------------


@dataclass(frozen=True)
class Member:
    """A product: `other` is its operand at `side`, whose only free label is its axis `axis`, and
    the result's axis `place`."""

    node: Node
    side: int
    axis: int
    place: int

    @property
    def other(self) -> Node:
        return self.node.inputs[self.side]

    @property
    def width(self) -> Dim:
        return self.other.type.shape[self.axis]


def _groups(nodes: Sequence[Node], sizes: Sizes) -> list[list[Member]]:
    """Products with a common operand at one side, two or more."""
    found: dict[tuple[object, ...], list[Member]] = {}
    for node in nodes:
        if not isinstance(node.op, Contract):
            continue
        for side in (1, 0):
            member = _member(node, side)
            if member is not None:
                shape = member.other.type.shape
                rest = shape[: member.axis] + shape[member.axis + 1 :]
                key = (node.inputs[1 - side], side, _pattern(node.op), rest)
                found.setdefault(key, []).append(member)
    groups = [members for members in found.values() if len(members) > 1]
    return [sorted(g, key=lambda m: _order([m.other], sizes)) for g in groups]


def _weight(node: Node) -> bool:
    return isinstance(node.op, Input) and node.op.kind == "param"


def _order(operands: Sequence[Node], sizes: Sizes) -> tuple[int, ...]:
    """The place of a product among those that are merged: as its lane, its weight, its operands."""
    leaves = [x.id for x in operands if _weight(x)]
    lane = max(lane_of(x, sizes) for x in operands)
    return (lane, *leaves, *(x.id for x in operands))


def _member(node: Node, side: int) -> Member | None:
    op = node.op
    assert isinstance(op, Contract)
    labels, common = (op.right, op.left) if side else (op.left, op.right)
    free = [x for x in labels if x not in common]
    if not op.summed or len(free) != 1 or set(labels) & set(common) & set(op.out):
        return None
    return Member(node, side, labels.index(free[0]), op.out.index(free[0]))


def _pattern(op: Contract) -> tuple[tuple[int, ...], ...]:
    """The labels, numbered in the order in which they come."""
    order = {x: i for i, x in enumerate(dict.fromkeys((*op.left, *op.right)))}
    return tuple(tuple(order[x] for x in labels) for labels in (op.left, op.right, op.out))


def _independent(operands: Sequence[Node], members: Sequence[Node]) -> bool:
    return not set(reachable(operands)) & set(members)


def _side_by_side(group: Sequence[Member], graph: _Graph) -> Rewrite | None:
    """The members, or their sums with a bias if all have one, as slices of one product; None if
    that does not pay or they depend on each other."""
    first = group[0]
    sizes = graph.sizes
    sums = [_biased(member, graph.readers) for member in group]
    biases = [bias for _, bias in (s for s in sums if s is not None)]
    whole = len(biases) == len(group)
    common = first.node.inputs[1 - first.side]
    others = joined([m.other for m in group], first.axis, sizes)
    ends = [
        biased[0] if whole and biased else m.node for m, biased in zip(group, sums, strict=True)
    ]
    narrow = all(m.width.size(sizes) <= NARROW for m in group)
    copied = others.copied + (0 if first.place == 0 else _read_whole(ends, graph))
    if not (narrow or _pays([m.node for m in group], copied, sizes)):
        return None
    if not _independent(others.needs, [*(m.node for m in group), *others.replaced]):
        return None

    def product(build: Builder, made: Mapping[Node, Node]) -> Node:
        wide = others.make(build, made)
        pair = (made[common], wide) if first.side else (wide, made[common])
        result = build.apply(first.node.op, *pair)
        if whole:
            spread = Broadcast(result.type.shape, (first.place,))
            bias = beside(build, biases, 0, made)
            result = build.apply(Add(), result, build.apply(spread, bias))
        name(build, result, ends)
        return result

    nodes = {e: slicing(product, first.place, s, n) for e, s, n in widths(ends, first.place)}
    needs = (common, *others.needs, *(biases if whole else ()))
    return Rewrite(needs, {**nodes, **others.replaced})


def _pays(products: Sequence[Node], copied: int, sizes: Sizes) -> bool:
    """Whether one product in place of several saves more time than copies take."""
    work = sum(flops(node, sizes) for node in products)
    gain = _CALL * (len(products) - 1) + _WORK * work
    return gain > (_COPY + _ENTRY * copied if copied else 0.0)


def _read_whole(ends: Sequence[Node], graph: _Graph) -> int:
    """The entries of results that something reads which has to copy a part first."""
    return sum(
        entries(node, graph.sizes)
        for node in ends
        if node in graph.trained
        or not all(isinstance(r.op, Reshape) or pointwise(r.op) for r in graph.readers[node])
    )


def _biased(member: Member, table: Mapping[Node, list[Node]]) -> tuple[Node, Node] | None:
    """The sum of a product and a bias along its free axis, and the bias, if nothing else reads
    the product."""
    readers = table[member.node]
    if len(readers) != 1 or not isinstance(readers[0].op, Add):
        return None
    for main, bias in (readers[0].inputs, readers[0].inputs[::-1]):
        if main is member.node and isinstance(bias.op, Broadcast):
            if bias.op.positions == (member.place,):
                return readers[0], bias.inputs[0]
    return None


# ---- a sum of products -----------------------------------------------------------------------


def _terms(node: Node, table: Mapping[Node, list[Node]]) -> list[Node]:
    """The products of which a sum consists, if all are alike; else none."""
    if not isinstance(node.op, Add) or _inner(node, table):
        return []
    terms: list[Node] = []
    stack = [node]
    while stack:
        term = stack.pop()
        if isinstance(term.op, Add) and (term is node or len(table[term]) == 1):
            stack.extend(term.inputs[::-1])
        elif isinstance(term.op, Contract) and len(table[term]) == 1:
            terms.append(term)
        else:
            return []
    ops = [t.op for t in terms if isinstance(t.op, Contract) and len(t.op.summed) == 1]
    if len(ops) < max(2, len(terms)) or len({_pattern(op) for op in ops}) > 1:
        return []
    return terms


def _inner(node: Node, table: Mapping[Node, list[Node]]) -> bool:
    """Whether a sum is only part of a larger one that is taken as a whole."""
    readers = table[node]
    return len(readers) == 1 and bool(_terms(readers[0], table))


def _summed_size(term: Node) -> Dim:
    assert isinstance(term.op, Contract)
    return term.inputs[0].type.shape[term.op.left.index(term.op.summed[0])]


def _stacked(node: Node, terms: Sequence[Node], sizes: Sizes) -> Rewrite | None:
    """The sum as one product of operands one after the other along what is summed; None if that
    does not pay."""
    terms = sorted(terms, key=lambda t: _order(t.inputs, sizes))
    op = terms[0].op
    assert isinstance(op, Contract)
    axes = op.left.index(op.summed[0]), op.right.index(op.summed[0])
    sides = [joined([t.inputs[k] for t in terms], axis, sizes) for k, axis in enumerate(axes)]
    narrow = all(_summed_size(t).size(sizes) <= NARROW for t in terms)
    copied = sum(side.copied for side in sides)
    if not (narrow or _pays([*terms, node], copied, sizes)):
        return None
    replaced = {**sides[0].replaced, **sides[1].replaced}
    needs = tuple(x for side in sides for x in side.needs)
    if not _independent(needs, list(replaced)):
        return None

    def product(build: Builder, made: Mapping[Node, Node]) -> Node:
        return build.apply(op, *(side.make(build, made) for side in sides))

    return Rewrite(needs, {node: product, **replaced})


# ---- rebuilding ------------------------------------------------------------------------------


def _rewritten(
    build: Builder, roots: Sequence[Node], rewrites: Sequence[Rewrite]
) -> dict[Node, Node]:
    """Every node below the roots after rewrites. Operands first, not by id: a member of a group
    needs what may have been made after it."""
    table: dict[Node, Node] = {}
    of = {node: rewrite for rewrite in rewrites for node in rewrite.nodes}
    stack = list(roots)
    while stack:
        node = stack[-1]
        if node in table:
            stack.pop()
            continue
        rewrite = of.get(node)
        needs = node.inputs if rewrite is None else rewrite.needs
        todo = [x for x in needs if x not in table]
        if todo:
            stack.extend(todo)
            continue
        stack.pop()
        if rewrite is not None:
            new = rewrite.nodes[node](build, table)
        elif all(table[x] is x for x in needs):
            new = node
        else:
            new = build.apply(node.op, *(table[x] for x in needs))
        table[node] = new
        build.inherit(new, node)
    return table
