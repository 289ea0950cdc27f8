"""Which products of a graph follow the program's precision, and which are float32 under each.

In: the nodes that a plan is for, lowered. Out: the products that are not to be rounded. Always:
indices are those that float32 chooses, and what is selected or counted by an index is exact: a
policy is about the layers of a model, not about its statistics.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from backends.triton_cuda.products import handles
from gendsl.ir.graph import Node, reachable
from gendsl.ops.broadcast import Broadcast
from gendsl.ops.compare import ToReal
from gendsl.ops.reduce import Choice
from gendsl.ops.select import OneHot

# What a kernel's PRECISION is under each policy of `gendsl.precision`.
CONSTANT: Mapping[str, str] = {
    "float32": "tf32x3",
    "ieee": "ieee",
    "tf32": "tf32",
    "bf16": "bf16",
}


def exact_products(roots: Iterable[Node]) -> frozenset[Node]:
    """Products with a one-hot operand (an embedding's rows, its gradient, sums and counts by code),
    and those that an index is chosen by (distances to codes)."""
    nodes = reachable(roots)
    found = {n for n in nodes if handles(n) and any(map(_selects, n.inputs))}
    todo = [source for node in nodes if isinstance(node.op, Choice) for source in node.inputs]
    seen = set(todo)
    while todo:
        node = todo.pop()
        if handles(node):
            found.add(node)
            continue
        new = [source for source in node.inputs if source not in seen]
        seen.update(new)
        todo += new
    return frozenset(found)


def _selects(node: Node) -> bool:
    """Whether its entries are 0 and 1."""
    while isinstance(node.op, Broadcast):
        (node,) = node.inputs
    return isinstance(node.op, (OneHot, ToReal))
