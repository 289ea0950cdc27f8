"""Lanes: equal computations on the parts of one tensor are one computation on the tensor.

In: nodes of one kind that are to stand side by side along an axis. Out: `Joined`, a way to make
them as one tensor, and how many entries that copies. Consecutive slices that cover a tensor are the
tensor, broadcasts of one value are a wider broadcast, and the parts of a reshape that has to copy
anyway (a batched product in another order) are laid side by side by that copy; all this is free.
Always exact: what is made has the entries of the parts one after the other, bit for bit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice, product
from math import prod

from gendsl.ir.graph import Builder, Node
from gendsl.ir.grouping import pointwise
from gendsl.ir.op import Op
from gendsl.ops.arithmetic import Add
from gendsl.ops.broadcast import Broadcast, Sum
from gendsl.ops.contract import Contract
from gendsl.ops.leaf import Input
from gendsl.ops.movement import Concat, Reshape, Slice
from gendsl.shape.dim import ZERO, Dim

Make = Callable[[Builder, Mapping[Node, Node]], Node]
Sizes = Mapping[str, int]
_TRIED = 8  # ways to pair the readers of parts


@dataclass(frozen=True)
class Rewrite:
    """Each of `nodes` becomes what its maker makes of the rewritten `needs`."""

    needs: tuple[Node, ...]
    nodes: Mapping[Node, Make]


@dataclass(frozen=True)
class Joined:
    """Parts side by side: made of the rewritten `needs`, by copying `copied` entries. The parts in
    `replaced` need not be made themselves: they are slices of it from then on."""

    copied: int
    needs: tuple[Node, ...]
    make: Make
    replaced: Mapping[Node, Make]


def entries(node: Node, sizes: Sizes) -> int:
    return prod(d.size(sizes) for d in node.type.shape)


def joined(parts: Sequence[Node], axis: int, sizes: Sizes) -> Joined:
    """The parts one after the other along an axis."""
    free = _covered(parts, axis) or _spread(parts, axis, sizes) or _reordered(parts, axis)
    if free is not None:
        return free
    copied = sum(entries(p, sizes) for p in parts)
    return Joined(copied, tuple(parts), lambda build, made: beside(build, parts, axis, made), {})


def beside(build: Builder, parts: Sequence[Node], axis: int, made: Mapping[Node, Node]) -> Node:
    """A concatenation, with a name where all parts have names: `mu|logvar`."""
    wide = build.apply(Concat(axis), *(made[p] for p in parts))
    name(build, wide, parts)
    return wide


def name(build: Builder, wide: Node, parts: Sequence[Node]) -> None:
    """`mu|logvar`; `a.queries|keys.w` for `a.queries.w` and `a.keys.w`."""
    names = [p.op.key if isinstance(p.op, Input) else build.names.get(p, "") for p in parts]
    if not all(names):
        return
    words = [n.split(".") for n in names]
    shortest = min(len(w) for w in words)
    first = next((i for i in range(shortest) if len({w[i] for w in words}) > 1), shortest)
    left = shortest - first
    last = next((i for i in range(left) if len({w[-1 - i] for w in words}) > 1), left)
    middle = "|".join(".".join(w[first : len(w) - last]) for w in words)
    whole = [*words[0][:first], middle, *words[0][len(words[0]) - last :]]
    build.names.setdefault(wide, names[0] if len(set(names)) == 1 else ".".join(whole))


def widths(parts: Sequence[Node], axis: int) -> Iterator[tuple[Node, Dim, Dim]]:
    """Each part with its start and its length."""
    start = ZERO
    for part in parts:
        length = part.type.shape[axis]
        yield part, start, length
        start = start + length


def _covered(parts: Sequence[Node], axis: int) -> Joined | None:
    """Consecutive slices that cover their tensor."""
    whole = parts[0].inputs[0] if parts[0].inputs else parts[0]
    for part, start, length in widths(parts, axis):
        if part.op != Slice(axis, start, length) or part.inputs[0] is not whole:
            return None
    if whole.type.shape[axis] != _total(parts, axis):
        return None
    return Joined(0, (whole,), lambda build, made: made[whole], {})


def _total(parts: Sequence[Node], axis: int) -> Dim:
    total = ZERO
    for _, _, length in widths(parts, axis):
        total = total + length
    return total


def _spread(parts: Sequence[Node], axis: int, sizes: Sizes) -> Joined | None:
    """Broadcasts alike: of one value along the axis, or of values side by side."""
    first = parts[0].op
    ops = [p.op for p in parts if isinstance(p.op, Broadcast)]
    if not isinstance(first, Broadcast) or len(ops) < len(parts):
        return None
    if {op.positions for op in ops} != {first.positions}:
        return None
    shape = (*first.shape[:axis], _total(parts, axis), *first.shape[axis + 1 :])
    wide = Broadcast(shape, first.positions)
    operands = [p.inputs[0] for p in parts]
    if axis in first.positions:
        inner = joined(operands, first.positions.index(axis), sizes)
    elif len(set(operands)) == 1:
        inner = Joined(0, (operands[0],), lambda build, made: made[operands[0]], {})
    else:
        return None

    def make(build: Builder, made: Mapping[Node, Node]) -> Node:
        return build.apply(wide, inner.make(build, made))

    return Joined(inner.copied, inner.needs, make, inner.replaced)


def _reordered(parts: Sequence[Node], axis: int) -> Joined | None:
    """Reshapes that join the axes of batched products, which are in another order in memory."""
    sources = [p.inputs[0] for p in parts if isinstance(p.op, Reshape)]
    if len(sources) < len(parts) or len({s.type.shape for s in sources}) > 1:
        return None
    if not all(_turned(s) for s in sources) or len(set(parts)) < len(parts):
        return None
    before = sources[0].type.shape
    last = parts[0].type.rank - 1
    if axis != last or before[:last] != parts[0].type.shape[:last] or len(before) <= last:
        return None
    total = _total(parts, axis)

    def make(build: Builder, made: Mapping[Node, Node]) -> Node:
        wide = build.apply(Concat(axis), *(made[s] for s in sources))
        return build.apply(Reshape((*before[:last], total)), wide)

    replaced = {part: slicing(make, axis, s, n) for part, s, n in widths(parts, axis)}
    return Joined(0, tuple(sources), make, replaced)


def slicing(make: Make, axis: int, start: Dim, length: Dim) -> Make:
    """A part of what `make` makes."""
    return lambda build, made: build.apply(Slice(axis, start, length), make(build, made))


def _turned(node: Node) -> bool:
    """Whether a batched product comes with its axes in another order than it is computed in."""
    op = node.op
    if not isinstance(op, Contract):
        return False
    batch = [x for x in op.out if x in op.left and x in op.right]
    return bool(batch) and tuple(batch) != op.out[: len(batch)]


# ---- one computation for all lanes -----------------------------------------------------------


def lanes(
    nodes: Sequence[Node], table: Mapping[Node, list[Node]], sizes: Sizes
) -> Iterator[Rewrite]:
    """Pointwise ops and sums, alike but for being of consecutive parts of one tensor, whose results
    would be consecutive parts along the first axis: one op, and slices of it."""
    for node in nodes:
        for parts, axis in _partitions(node, table[node]):
            for reader in dict.fromkeys(table[parts[0]]):
                place = _place(reader, axis)
                found = None if place is None else _lane(reader, place, parts, axis, table, sizes)
                if found is not None:
                    yield found


def _partitions(node: Node, readers: Sequence[Node]) -> Iterator[tuple[list[Node], int]]:
    """The slices, two or more, that together are the tensor, and their axis."""
    by_axis: dict[int, dict[Dim, Node]] = {}
    for reader in readers:
        if isinstance(reader.op, Slice) and reader.op.step == 1:
            by_axis.setdefault(reader.op.axis, {})[reader.op.start] = reader
    for axis, starts in by_axis.items():
        parts: list[Node] = []
        at = ZERO
        while at in starts and starts[at] not in parts:
            parts.append(starts[at])
            at = at + starts[at].type.shape[axis]
        if len(parts) > 1 and at == node.type.shape[axis]:
            yield parts, axis


def _place(reader: Node, axis: int) -> int | None:
    """Where the axis is in the result; None where lanes do not go on."""
    match reader.op:
        case Sum(axes=axes) if axis not in axes:
            place = axis - sum(a < axis for a in axes)
        case op if pointwise(op):
            place = axis
        case _:
            return None
    return None if place else place


def _lane(
    reader: Node,
    place: int,
    parts: Sequence[Node],
    axis: int,
    table: Mapping[Node, list[Node]],
    sizes: Sizes,
) -> Rewrite | None:
    """`reader` of the first part and its like of every other part, as slices of one node."""
    side = reader.inputs.index(parts[0])
    twins = [
        [r for r in dict.fromkeys(table[part]) if r.op == reader.op and r.inputs[side] is part]
        for part in parts[1:]
    ]
    for others in islice(product(*twins), _TRIED):
        members = [reader, *others]
        columns = zip(*(m.inputs for m in members), strict=True)
        operands = [joined(column, axis, sizes) for column in columns]
        if not any(o.copied or o.replaced for o in operands):
            return _together(reader.op, members, operands, place)
    return None


def _together(op: Op, members: Sequence[Node], operands: Sequence[Joined], place: int) -> Rewrite:
    """The members as slices of one node, of the operands."""

    def make(build: Builder, made: Mapping[Node, Node]) -> Node:
        whole = build.apply(op, *(o.make(build, made) for o in operands))
        name(build, whole, members)
        return whole

    needs = tuple(x for o in operands for x in o.needs)
    return Rewrite(needs, {m: slicing(make, place, s, n) for m, s, n in widths(members, place)})


def lane_of(node: Node, sizes: Sizes) -> int:
    """Where the part begins that a node is computed of: of the nearest slice below it, without
    going into a product; -1 if there is none."""
    level, seen = [node], {node}
    while level:
        for found in level:
            if isinstance(found.op, Slice):
                return found.op.start.size(sizes)
        inputs = [x for found in level if not isinstance(found.op, Contract) for x in found.inputs]
        level = [x for x in dict.fromkeys(inputs) if x not in seen]
        seen.update(level)
    return -1


def wholes(
    nodes: Sequence[Node], table: Mapping[Node, list[Node]], sizes: Sizes
) -> Iterator[Rewrite]:
    """What is a tensor, or a sum of it, by way of all its parts: parts put together again, or added
    up and then summed along their axis too."""
    for node in nodes:
        match node.op:
            case Concat(axis=axis):
                whole = _covered(node.inputs, axis)
                if whole is not None:
                    yield Rewrite(whole.needs, {node: whole.make})
            case Sum(axes=axes) as op:
                terms = sorted(_addends(node.inputs[0], table), key=lambda t: _start(t, sizes))
                parts = (_covered(terms, axis) for axis in axes if len(terms) > 1)
                whole = next((w for w in parts if w is not None), None)
                if whole is not None:
                    yield Rewrite(whole.needs, {node: _summed(op, whole)})
            case _:
                pass


def _addends(node: Node, table: Mapping[Node, list[Node]]) -> list[Node]:
    """What is added up to a node that nothing else reads."""
    if isinstance(node.op, Add) and len(table[node]) == 1:
        return [x for operand in node.inputs for x in _addends(operand, table)]
    return [node]


def _start(node: Node, sizes: Sizes) -> int:
    return node.op.start.size(sizes) if isinstance(node.op, Slice) else -1


def _summed(op: Sum, whole: Joined) -> Make:
    return lambda build, made: build.apply(op, whole.make(build, made))
