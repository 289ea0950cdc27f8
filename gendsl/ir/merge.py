"""Narrow products with a common operand become one: mu | logvar, Q | K | V, and their gradients.

In: a step graph and a number for every size. Out: an equal step graph. Two rewrites, both exact:

- x W1, x W2, ... (each perhaps with a bias) are slices of x [W1 | W2 | ...], and so for a common
  right operand;
- G1 W1 + G2 W2 + ... is [G1 | G2 | ...] [W1; W2; ...].

A wide product gains nothing, and copying its operands side by side costs, so only products with at
most `NARROW` columns take part. Always: products that are merged do not depend on each other, so
the result has no cycle; one group is merged at a time, on the graph that the others left.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from gendsl.ir.graph import Builder, Node, reachable, users
from gendsl.ir.step import StepGraph
from gendsl.ops.arithmetic import Add
from gendsl.ops.broadcast import Broadcast
from gendsl.ops.contract import Contract
from gendsl.ops.leaf import Input
from gendsl.ops.movement import Concat, Slice
from gendsl.shape.dim import ZERO, Dim

NARROW = 32
Make = Callable[[Builder, Mapping[Node, Node]], Node]
Sizes = Mapping[str, int]


@dataclass(frozen=True)
class Rewrite:
    """Each of `nodes` becomes what its maker makes of the rewritten `needs`."""

    needs: tuple[Node, ...]
    nodes: Mapping[Node, Make]


def merge(step: StepGraph, sizes: Sizes) -> StepGraph:
    """The step with narrow products merged."""
    roots = list(dict.fromkeys(_roots(step)))
    where = {root: root for root in roots}
    refused: set[tuple[Node, ...]] = set()
    while True:
        current = list(where.values())
        found = _next(reachable(current), sizes, refused)
        if found is None:
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


def _next(nodes: Sequence[Node], sizes: Sizes, refused: set[tuple[Node, ...]]) -> Rewrite | None:
    """The first group that can be merged."""
    table = users(nodes)
    for group in _groups(nodes, sizes):
        members = tuple(member.node for member in group)
        if members not in refused:
            refused.add(members)
            if _independent([m.other for m in group], members):
                return _side_by_side(group, table)
    for node in nodes:
        terms = _terms(node, table, sizes)
        if terms and tuple(terms) not in refused:
            refused.add(tuple(terms))
            return _stacked(node, terms)
    return None


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
    """Narrow products with a common operand at one side, two or more."""
    found: dict[tuple[object, ...], list[Member]] = {}
    for node in nodes:
        if not isinstance(node.op, Contract):
            continue
        for side in (1, 0):
            member = _member(node, side)
            if member is not None and member.width.size(sizes) <= NARROW:
                shape = member.other.type.shape
                rest = shape[: member.axis] + shape[member.axis + 1 :]
                key = (node.inputs[1 - side], side, _pattern(node.op), rest)
                found.setdefault(key, []).append(member)
    return [members for members in found.values() if len(members) > 1]


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


def _side_by_side(group: Sequence[Member], table: Mapping[Node, list[Node]]) -> Rewrite:
    """The members, or their sums with a bias if all have one, as slices of one product."""
    first = group[0]
    sums = [_biased(member, table) for member in group]
    biases = [bias for _, bias in (s for s in sums if s is not None)]
    whole = len(biases) == len(group)
    common = first.node.inputs[1 - first.side]

    def product(build: Builder, made: Mapping[Node, Node]) -> Node:
        wide = build.apply(Concat(first.axis), *(made[m.other] for m in group))
        _name(build, wide, [m.other for m in group])
        pair = (made[common], wide) if first.side else (wide, made[common])
        result = build.apply(first.node.op, *pair)
        if whole:
            bias = build.apply(Concat(0), *(made[b] for b in biases))
            spread = Broadcast(result.type.shape, (first.place,))
            result = build.apply(Add(), result, build.apply(spread, bias))
        _name(build, result, list(nodes))
        return result

    def part(start: Dim, member: Member) -> Make:
        return lambda build, made: build.apply(
            Slice(first.place, start, member.width), product(build, made)
        )

    nodes: dict[Node, Make] = {}
    start = ZERO
    for member, biased in zip(group, sums, strict=True):
        nodes[biased[0] if whole and biased else member.node] = part(start, member)
        start = start + member.width
    needs = (common, *(m.other for m in group), *(biases if whole else ()))
    return Rewrite(needs, nodes)


def _name(build: Builder, wide: Node, parts: Sequence[Node]) -> None:
    """`mu|logvar`, where all parts have names."""
    names = [p.op.key if isinstance(p.op, Input) else build.names.get(p, "") for p in parts]
    if all(names):
        build.names.setdefault(wide, "|".join(names))


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


def _terms(node: Node, table: Mapping[Node, list[Node]], sizes: Sizes) -> list[Node]:
    """The products of which a sum consists, if all are alike and narrow; else none."""
    if not isinstance(node.op, Add) or any(isinstance(r.op, Add) for r in table[node]):
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
    widths = [_summed_size(t) for t in terms]
    return terms if all(w.size(sizes) <= NARROW for w in widths) else []


def _summed_size(term: Node) -> Dim:
    assert isinstance(term.op, Contract)
    return term.inputs[0].type.shape[term.op.left.index(term.op.summed[0])]


def _stacked(node: Node, terms: Sequence[Node]) -> Rewrite:
    """The sum as one product of operands one after the other along what is summed."""
    terms = sorted(terms, key=lambda t: t.inputs[0].id)
    op = terms[0].op
    assert isinstance(op, Contract)
    axes = op.left.index(op.summed[0]), op.right.index(op.summed[0])

    def product(build: Builder, made: Mapping[Node, Node]) -> Node:
        sides = (
            build.apply(Concat(axis), *(made[t.inputs[k]] for t in terms))
            for k, axis in enumerate(axes)
        )
        return build.apply(op, *sides)

    return Rewrite(tuple(x for t in terms for x in t.inputs), {node: product})


# ---- rebuilding ------------------------------------------------------------------------------


def _rewritten(build: Builder, roots: Sequence[Node], rewrite: Rewrite) -> dict[Node, Node]:
    """Every node below the roots after a rewrite. Operands first, not by id: a member of a group
    needs what may have been made after it."""
    table: dict[Node, Node] = {}
    stack = list(roots)
    while stack:
        node = stack[-1]
        if node in table:
            stack.pop()
            continue
        needs = rewrite.needs if node in rewrite.nodes else node.inputs
        todo = [x for x in needs if x not in table]
        if todo:
            stack.extend(todo)
            continue
        stack.pop()
        make = rewrite.nodes.get(node)
        new = make(build, table) if make else build.apply(node.op, *(table[x] for x in needs))
        table[node] = new
        if new is not node:
            if node in build.names:
                build.names.setdefault(new, build.names[node])
            if node in build.spans:
                build.spans.setdefault(new, build.spans[node])
    return table
