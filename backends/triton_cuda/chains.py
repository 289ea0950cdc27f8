"""Chains: tasks that one program runs one after another for its own sample.

In: written tasks and which of them wait for which. Out: which stand in one launch in spite of that.
Samples are independent: where a task computes, for sample number `sample`, from nothing of earlier
tasks but what they made for the same sample, no other program need be waited for, and a barrier
within the program does what the end of a launch does for all. Always: in a chain each task has one
program for each sample, and what it reads of another one's results is that sample's (`local`).
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping, Sequence

from backends.triton_cuda import products
from backends.triton_cuda.index import SAMPLE, Var
from backends.triton_cuda.tasks import Group
from gendsl.ir.graph import Node, reachable
from gendsl.ops.broadcast import Sum
from gendsl.ops.leaf import Draw, Input
from gendsl.shape.dim import Dim

# The most tiles of one task that a program takes for its sample, one after another; of a product.
PARTS = {False: 16, True: 4}
# The most products that follow each other in one launch: kernels that take the compiler seconds,
# and shared memory for all of them.
_LONGEST = 4
Edges = Sequence[Mapping[int, bool]]


def batch_of(outputs: Iterable[Node]) -> Dim | None:
    """How many samples a graph works on: the first axis of its data, else of its draws."""
    found: list[Dim] = []
    for node in sorted(reachable(outputs), key=lambda n: n.id):
        match node.op:
            case Input(kind="data") if node.type.rank:
                return node.type.shape[0]
            case Draw(example_axis=0):
                found.append(node.type.shape[0])
            case _:
                pass
    return found[0] if found else None


def sample_of(batch: Dim) -> Var:
    """The number of a program's sample."""
    return Var(SAMPLE, batch, None, 0, bounded=True)


def added_up(outputs: Iterable[Node]) -> frozenset[Node]:
    """Products of each sample of which only the sum is wanted: gradients of weights, which
    `backends.triton_cuda.lower` has divided so that many programs share them."""
    sums = (n for n in reachable(outputs) if isinstance(n.op, Sum) and n.op.axes == (0,))
    return frozenset(n.inputs[0] for n in sums if products.handles(n.inputs[0]))


def worthwhile(outputs: Iterable[Node], batch: Dim) -> bool:
    """Whether samples have products of their own, with rows and columns."""
    divided = added_up(outputs)
    own = (n for n in reachable(outputs) if n.type.shape[:1] == (batch,) and n not in divided)
    return any(products.handles(n) and not products.single(n, 1) for n in own)


def eligible(group: Group, batch: Dim | None, divided: Container[Node]) -> bool:
    """Whether a task can be done sample by sample, and is then still one for tensor cores."""
    if batch is None or any(r.type.shape[:1] != (batch,) for r in group.roots):
        return False
    if any(root in divided for root in group.roots):
        return False
    anchor = group.anchor
    return anchor is None or not products.handles(anchor) or not products.single(anchor, 1)


def kept(count: int, products: Sequence[bool], edges: Edges) -> set[int]:
    """The tasks that are worth doing sample by sample, among `count` of which `edges` says what
    each waits for (true: only for its own sample): those in one chain with a product, up to the
    last one that others of the chain read. What only closes a chain is done faster by many
    programs, after it."""
    follow: list[set[int]] = [set() for _ in range(count)]
    for i, before in enumerate(edges):
        for j, own in before.items():
            if own:
                follow[j].add(i)
    alive = {i for i in range(count) if follow[i] or any(edges[i].values())}
    while closing := {i for i in alive if not products[i] and not follow[i] & alive}:
        alive -= closing
    found: set[int] = set()
    for start in sorted(alive):
        chain, todo = {start}, [start]
        while todo:
            i = todo.pop()
            beside = follow[i] | {j for j, own in edges[i].items() if own}
            todo += sorted(beside & alive - chain)
            chain |= beside & alive
        if len(chain) > 1 and any(products[i] for i in chain):
            found |= chain
    return found


def levels(edges: Edges, products: Sequence[bool]) -> tuple[list[tuple[int, int]], set[int]]:
    """For each task its launch and its place in the chain of that launch; and those that wait for
    each other, if there are any."""
    known: dict[int, tuple[int, int, int]] = {}  # with the products up to there in the chain
    while len(known) < len(edges):
        ready = [i for i in range(len(edges)) if i not in known and edges[i].keys() <= known.keys()]
        if not ready:
            return [], set(range(len(edges))) - known.keys()
        for i in ready:
            level = max((known[j][0] + (not own) for j, own in edges[i].items()), default=0)
            ahead = [known[j][1:] for j, own in edges[i].items() if own and known[j][0] == level]
            length = products[i] + max((dots for _, dots in ahead), default=0)
            if length > _LONGEST:
                level, ahead, length = level + 1, [], int(products[i])
            known[i] = level, max((place + 1 for place, _ in ahead), default=0), length
    return [known[i][:2] for i in range(len(edges))], set()
