"""Products with one-hot rows become picks: gathered and scattered rows, of no more than is needed.

In: the nodes of a graph, their readers, and a number for every size. Out: the first place where a
rule applies, as a `Rewrite`. Exact: a one-hot row times a matrix is a row of the matrix. With H the
one-hot rows of the indices i, [b.., k.., n]:

- the sum over n of H X is `gather`, X[i]; the sum over k of H V is `scatter_add`, V added at i; and
  sums of H itself are sums of ones added at i;
- rows are picked before a layer, a sum or a repetition computes all of them, where nothing else
  reads those: (X W + c)[i] is X[i] W + c[i];
- what multiplies or sums all rows of `scatter_add` reads the values that were added alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from gendsl.ir.build import broadcast_to, const
from gendsl.ir.graph import Builder, Node
from gendsl.ir.lanes import Rewrite, Sizes, entries
from gendsl.ir.op import Op
from gendsl.ops.arithmetic import Add
from gendsl.ops.broadcast import Broadcast, Sum
from gendsl.ops.contract import Contract
from gendsl.ops.select import Gather, OneHot, ScatterAdd
from gendsl.shape.dim import Dim

Readers = Mapping[Node, list[Node]]
Rule = Callable[[Node, Readers, Sizes], Rewrite | None]


def picks(nodes: Sequence[Node], readers: Readers, sizes: Sizes) -> Iterator[Rewrite]:
    """What the rules make of each node that one applies to."""
    for node in nodes:
        for rule in RULES.get(type(node.op), ()):
            found = rule(node, readers, sizes)
            if found is not None:
                yield found
                break


def _one(node: Node, needs: Sequence[Node], make: Callable[..., Node]) -> Rewrite:
    """The node as what `make` makes of the builder and the rewritten needs."""
    given = tuple(needs)
    return Rewrite(given, {node: lambda build, made: make(build, *(made[x] for x in given))})


def _apply(op: Op) -> Callable[..., Node]:
    return lambda build, *operands: build.apply(op, *operands)


# ---- one-hot rows ----------------------------------------------------------------------------


def _product_of_one_hot(node: Node, readers: Readers, sizes: Sizes) -> Rewrite | None:
    """A product with one-hot rows that sums over the classes, or over all of the rows."""
    op = node.op
    assert isinstance(op, Contract)
    sides = ((node.inputs[0], op.left, node.inputs[1], op.right),)
    for hot, labels, x, others in (*sides, (node.inputs[1], op.right, node.inputs[0], op.left)):
        if not isinstance(hot.op, OneHot):
            continue
        *rows, column = labels
        shared = [a for a in rows if a in others and a in op.out]
        b = len(shared)
        if tuple(shared) != tuple(rows[:b]) or others[:b] != tuple(shared):
            continue
        index = hot.inputs[0]
        free = others[len(rows) :] if others[: len(rows)] == tuple(rows) else ()
        if op.summed == (column,) and others[b : b + 1] == (column,):
            if op.out == (*rows, *others[b + 1 :]):
                return _one(node, (x, index), _apply(Gather(b)))
        elif rows[b:] and set(op.summed) == set(rows[b:]) and op.out == (*shared, column, *free):
            return _one(node, (index, x), _apply(ScatterAdd(b, hot.type.shape[-1])))
    return None


def _sum_of_one_hot(node: Node, readers: Readers, sizes: Sizes) -> Rewrite | None:
    """How often each class occurs, or how many rows there are."""
    op, hot = node.op, node.inputs[0]
    assert isinstance(op, Sum)
    if not isinstance(hot.op, OneHot):
        return None
    index, last = hot.inputs[0], hot.type.rank - 1
    if last in op.axes:
        shape = index.type.shape
        each = Dim.product(d for a, d in enumerate(shape) if a in op.axes)
        left = tuple(d for a, d in enumerate(shape) if a not in op.axes)
        return _one(node, (), lambda build: broadcast_to(build, const(build, each), left))
    b = last - len(op.axes)
    if tuple(sorted(op.axes)) != tuple(range(b, last)) or not op.axes:
        return None
    scatter = ScatterAdd(b, hot.type.shape[-1])

    def added(build: Builder, i: Node) -> Node:
        return build.apply(scatter, i, build.apply(Broadcast(i.type.shape, ()), const(build, 1)))

    return _one(node, (index,), added)


# ---- rows are picked early -------------------------------------------------------------------


def _earlier(node: Node, readers: Readers, sizes: Sizes) -> Rewrite | None:
    """Rows of a sum, a layer or a repetition, picked from its operands."""
    op, (table, index) = node.op, node.inputs
    assert isinstance(op, Gather)
    alone = readers[table] == [node]
    if not alone or entries(node, sizes) >= entries(table, sizes):
        return None
    match table.op:
        case Add():
            a, c = table.inputs
            return _one(
                node,
                (a, c, index),
                lambda build, a, c, i: build.apply(
                    Add(), build.apply(op, a, i), build.apply(op, c, i)
                ),
            )
        case Contract() as layer:
            return _layer_of_picked(node, layer)
        case Broadcast(positions=positions) as spread:
            return _spread_of_picked(node, spread, positions)
        case _:
            return None


def _layer_of_picked(node: Node, layer: Contract) -> Rewrite | None:
    """(X W)[i] as X[i] W: X has the shared axes and the table's rows first, W neither."""
    op, (table, index) = node.op, node.inputs
    assert isinstance(op, Gather)
    x, w = table.inputs
    first = layer.left[: op.batch + 1]
    if layer.out[: op.batch + 1] != first or set(first) & set(layer.right):
        return None
    more = index.type.rank - op.batch  # index axes in place of the table's rows
    fresh = tuple(max(layer.left + layer.right) + 1 + k for k in range(more))
    place = {first[-1]: fresh}
    left, out = (
        tuple(y for x in labels for y in place.get(x, (x,))) for labels in (layer.left, layer.out)
    )
    wide = Contract(left, layer.right, out)
    return _one(
        node,
        (x, w, index),
        lambda build, x, w, i: build.apply(wide, build.apply(op, x, i), w),
    )


def _spread_of_picked(node: Node, spread: Broadcast, positions: Sequence[int]) -> Rewrite | None:
    """What is repeated along the shared axes is picked from by all of them; what is repeated along
    the rows is every row."""
    op, (table, index) = node.op, node.inputs
    assert isinstance(op, Gather)
    source, rank, b = table.inputs[0], table.type.rank, op.batch
    more = index.type.rank - b
    if tuple(positions) == tuple(range(b, rank)):
        return _one(node, (source, index), _apply(Gather(0)))
    if b not in positions:
        moved = tuple(p if p < b else p + more - 1 for p in positions)
        wide = Broadcast(node.type.shape, moved)
        return _one(node, (source,), _apply(wide))
    return None


# ---- what reads scattered rows ---------------------------------------------------------------


def _product_of_scattered(node: Node, readers: Readers, sizes: Sizes) -> Rewrite | None:
    """A product that sums over all rows of both: of the values, with the rows picked for them."""
    op = node.op
    assert isinstance(op, Contract)
    for side in (0, 1):
        scattered, x = node.inputs[side], node.inputs[1 - side]
        labels, others = (op.left, op.right) if side == 0 else (op.right, op.left)
        if not isinstance(scattered.op, ScatterAdd):
            continue
        b = scattered.op.batch
        rows = labels[: b + 1]
        index, values = scattered.inputs
        if others[: b + 1] != rows or not set(rows) <= set(op.summed):
            continue
        if entries(values, sizes) >= entries(scattered, sizes):
            continue
        fresh = tuple(max(labels + others) + 1 + k for k in range(index.type.rank - b))
        inner, outer = ((*rows[:b], *fresh, *rest[b + 1 :]) for rest in (labels, others))
        pair = (inner, outer) if side == 0 else (outer, inner)
        return _one(
            node, (values, x, index), _picked_product(Contract(*pair, op.out), Gather(b), side)
        )
    return None


def _picked_product(product: Contract, gather: Gather, side: int) -> Callable[..., Node]:
    """The product of values, at `side`, and of the rows that are picked for them."""

    def make(build: Builder, values: Node, x: Node, index: Node) -> Node:
        picked = build.apply(gather, x, index)
        return build.apply(product, *((picked, values) if side else (values, picked)))

    return make


def _sum_of_scattered(node: Node, readers: Readers, sizes: Sizes) -> Rewrite | None:
    """The sum of all rows is the sum of the values; the sum over the shared axes adds all values to
    the same rows."""
    op, scattered = node.op, node.inputs[0]
    assert isinstance(op, Sum)
    if not isinstance(scattered.op, ScatterAdd):
        return None
    b, (index, values) = scattered.op.batch, scattered.inputs
    axes = tuple(sorted(op.axes))
    if b and axes == tuple(range(b)):
        scatter = ScatterAdd(0, scattered.op.size)
        return _one(node, (index, values), _apply(scatter))
    if b in axes:
        more = index.type.rank - b - 1
        early = tuple(a for a in axes if a < b)
        late = tuple(a + more for a in axes if a > b)
        total = Sum((*early, *range(b, index.type.rank), *late))
        return _one(node, (values,), _apply(total))
    return None


RULES: Mapping[type, tuple[Rule, ...]] = {
    Contract: (_product_of_one_hot, _product_of_scattered),
    Sum: (_sum_of_one_hot, _sum_of_scattered),
    Gather: (_earlier,),
}
