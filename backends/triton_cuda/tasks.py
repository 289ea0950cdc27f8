"""Which values lie in memory, and which are computed together: the cut of a graph into tasks.

In: output nodes of a lowered graph, what is in memory already, and sizes. Out: groups of nodes, one
per task, with the node that decides the tile. Always: whatever is not in a group is computed where
it is read. Note [What is stored]: contractions, reductions and outputs are, at first. Then a
contraction or reduction whose only reader is pointwise is not, but the reader, in the same task
(its epilogue), as far as everything else that it reads is there by then; outputs that follow
pointwise (the update of a parameter) join. Short reductions, small products of attention and
products with a vector are computed again by each reader, which saves a launch each. Where samples
go through chains (`backends.triton_cuda.chains`) a task more costs a barrier only, and nearly
everything that belongs to a sample is stored.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from math import prod

from backends.triton_cuda import products, reductions
from gendsl.ir.graph import Node
from gendsl.ir.grouping import pointwise
from gendsl.ops.conv import Convolution
from gendsl.ops.leaf import Const, Input, Truth
from gendsl.ops.leaf import Index as IndexOp
from gendsl.ops.loop import Loop, Placeholder
from gendsl.ops.reduce import Choice, CumProd
from gendsl.shape.dim import Dim

_WORK = 4096  # products or sums that may be computed again for one entry
_NARROW, _SHALLOW, _SMALL = 64, 128, 1 << 19  # width, depth and work of others that may be
_ATTENTION = 128  # extents of products that may be computed again
_LOADS = 3  # tensors that an operand of a product may be computed from, where chains store others
_BRIEF = 8  # summands of a sample's reduction that may be taken again, where chains store others


@dataclass
class Group:
    """A task: its results, of one shape, and the contraction or reduction that decides the tile."""

    roots: list[Node]
    anchor: Node | None


@dataclass
class Cut:
    """The cut under construction."""

    outputs: Sequence[Node]
    given: Callable[[Node], bool]
    host: set[Node]
    sizes: Mapping[str, int]
    batch: Dim | None = None  # samples that go through chains
    forced: set[Node] = field(default_factory=set)
    stored: set[Node] = field(default_factory=set)
    anchors: dict[Node, Node] = field(default_factory=dict)
    extra: dict[Node, list[Node]] = field(default_factory=dict)
    claimed: set[Node] = field(default_factory=set)
    leaves: dict[Node, bool] = field(default_factory=dict)
    depths: dict[Node, int] = field(default_factory=dict)  # of what is cut already
    themes: dict[tuple[Node, object], Node | None] = field(default_factory=dict)

    @cached_property
    def nodes(self) -> list[Node]:
        """What is below the outputs, as far as it is not given."""
        found: dict[Node, None] = {}
        stack = list(self.outputs)
        while stack:
            node = stack.pop()
            if node in found or self.leaf(node):
                continue
            found[node] = None
            stack.extend(node.inputs)
        return sorted(found, key=lambda n: n.id)

    @cached_property
    def readers(self) -> dict[Node, list[Node]]:
        table: dict[Node, list[Node]] = {n: [] for n in self.nodes}
        for node in self.nodes:
            for source in dict.fromkeys(node.inputs):
                if source in table:
                    table[source].append(node)
        return table

    def leaf(self, node: Node) -> bool:
        """Whether a node costs nothing to have."""
        known = self.leaves.get(node)
        if known is None:
            known = self.leaves[node] = self._leaf(node)
        return known

    def _leaf(self, node: Node) -> bool:
        fixed = isinstance(node.op, (Input, Placeholder, Const, Truth, IndexOp))
        return fixed or node in self.host or self.given(node)

    # ---- what is stored -----------------------------------------------------------------

    def run(self) -> list[Group]:
        self.stored = {n for n in self.outputs if not self.leaf(n)} | self.forced
        self.stored |= self._operands()
        inside: dict[Node, dict[Node, int]] = {}
        for node in self.nodes:
            inside[node] = self._inside(node, inside)
            most = _BRIEF if self._of_samples(node) else _WORK
            if isinstance(node.op, Loop) or inside[node].get(node, 0) > most:
                self.stored.add(node)
            if isinstance(node.op, Loop):
                self.stored.update(n for n in node.inputs if not self.leaf(n))
            if node in self.stored:
                inside[node] = {}
        for node in self.nodes:
            if node in self.stored and _anchor(node) and node not in self.extra:
                self._extend(node)
        return self._groups()

    def _inside(self, node: Node, inside: Mapping[Node, dict[Node, int]]) -> dict[Node, int]:
        """The reductions and products that one entry computes again, each with its work; that of
        what is always stored is more than `_WORK`. Those of one shape share their parts."""
        below: dict[Node, int] = {}
        for source in node.inputs:
            below |= inside.get(source, {})
        if isinstance(node.op, (Choice, CumProd)):
            return {node: _WORK + 1}
        if not _anchor(node):
            return below
        same = {n: w for n, w in below.items() if n.type.shape == node.type.shape}
        each = 1 + sum(w for n, w in below.items() if n not in same)
        if products.handles(node):
            return {node: self._product_work(node, each) + sum(same.values()), **same}
        shape = node.inputs[0].type.shape
        count = prod(shape[a].size(self.sizes) for a in node.op.attributes()["axes"])
        return {node: count * each + sum(same.values()), **same}

    def _operands(self) -> set[Node]:
        """Samples' operands of products that take many loads: the product reads each entry again
        for each of its blocks and windows."""
        found: set[Node] = set()
        for node in self.nodes if self.batch is not None else ():
            todo = list(node.inputs) if products.handles(node) else []
            while todo:
                source = todo.pop()
                if self.leaf(source) or source in found:
                    continue
                if not source.inputs or _anchor(source) or isinstance(source.op, Loop):
                    continue
                if not pointwise(source.op):
                    todo.extend(source.inputs)
                elif self._of_samples(source) and source.type.rank > 2:
                    if self._loads(source) > _LOADS:
                        found.add(source)
        return found

    def _loads(self, node: Node) -> int:
        """How many tensors a pointwise result is computed from."""
        seen, stack, count = {node}, [node], 0
        while stack:
            for source in stack.pop().inputs:
                if source in seen or source in self.host:
                    continue
                seen.add(source)
                if self.leaf(source) or _anchor(source) or not source.inputs:
                    count += not isinstance(source.op, (Const, Truth, IndexOp))
                else:
                    stack.append(source)
        return count

    def _of_samples(self, node: Node) -> bool:
        """Whether samples that go through chains have entries of a node of their own."""
        return self.batch is not None and node.type.shape[:1] == (self.batch,)

    def _product_work(self, node: Node, each: int) -> int:
        depth = products.summed(node).size(self.sizes)
        if self._of_samples(node):
            return depth * each if depth <= 4 else _WORK + 1
        both, rows, columns = products.roles(node)
        shape = [d.size(self.sizes) for d in node.type.shape]
        high, wide = (prod(shape[a] for a in axes) for axes in (rows, columns))
        if isinstance(node.op, Convolution):
            return _WORK + 1
        if depth <= 4 or high == 1 or wide == 1:
            return depth * each
        if both and max(high, wide, depth) <= _ATTENTION:
            return max(1, depth // 8) * each
        slim = wide <= _NARROW and depth <= _SHALLOW
        if not both and slim and high * wide * depth <= _SMALL:
            return depth * each
        return _WORK + 1

    # ---- epilogues ----------------------------------------------------------------------

    def depth(self, node: Node, known: dict[Node, int]) -> int:
        """How many tasks have to run before a node can be read."""
        stack = [node]
        while stack:
            top = stack[-1]
            if top in known:
                stack.pop()
                continue
            if self.leaf(top):
                known[top] = 0
                continue
            todo = [s for s in top.inputs if s not in known]
            if todo:
                stack.extend(todo)
            else:
                below = max((known[s] for s in top.inputs), default=0)
                known[top] = below + (top in self.stored)
        return known[node]

    def _extend(self, anchor: Node) -> None:
        """Move what is stored from an anchor to the end of its epilogue."""
        known = self.depths
        own = self.depth(anchor, known)
        self.stored.discard(anchor)
        self.anchors[anchor] = anchor
        last, region = anchor, {anchor}

        def fits(node: Node) -> bool:
            return self._fits(node, anchor, region, own, known)

        outputs = set(self.outputs)
        while last not in outputs and last not in self.forced:
            readers = self.readers[last]
            if len(readers) != 1 or not fits(readers[0]):
                break
            last = readers[0]
            region.add(last)
        grown = [last, *self._grown([last], region, fits)]
        found = [n for n in sorted(grown, key=lambda n: n.id) if n in outputs and n is not last]
        ahead = set()
        for node in sorted(grown, key=lambda n: -n.id):  # what only leads to outputs in the region
            reads = self.readers[node]
            if all(r in ahead for r in reads) and (reads or node in outputs):
                ahead.add(node)
        if last not in ahead or last in outputs or last in self.forced:
            found = [last, *found]
        for node in found:
            self.stored.add(node)
            self.anchors.setdefault(node, anchor)
        self.extra[anchor] = found
        needed = list(found)
        while needed:
            node = needed.pop()
            if node in region and node not in self.claimed:
                self.claimed.add(node)
                needed.extend(node.inputs)
        for node in [n for n in known if n.id >= anchor.id]:  # what is stored has changed there
            del known[node]

    def _fits(
        self, node: Node, like: Node, region: set[Node], own: int, known: dict[Node, int]
    ) -> bool:
        """Whether a pointwise node can be computed where `region` is: in task number `own`."""
        if not pointwise(node.op) or node.type.shape != like.type.shape:
            return False
        if node in self.claimed or node in self.host:
            return False
        others = [s for s in node.inputs if s not in region]
        return all(self.depth(s, known) < own for s in others)

    def _grown(
        self, start: Sequence[Node], region: set[Node], fits: Callable[[Node], bool]
    ) -> list[Node]:
        """Extend a region by readers that fit."""
        follow, grown = list(start), list[Node]()
        while follow:
            node = follow.pop()
            for reader in self.readers[node]:
                if reader not in region and fits(reader):
                    region.add(reader)
                    follow.extend([*start, *grown, reader])  # others may fit now
                    grown.append(reader)
        return grown

    # ---- groups -------------------------------------------------------------------------

    def _groups(self) -> list[Group]:
        groups, placed = [], set()
        for anchor, roots in self.extra.items():
            mine = [r for r in roots if r not in placed]
            placed.update(mine)
            if mine:
                groups.append(Group(mine, anchor))
        rest = [n for n in self.nodes if n in self.stored and n not in placed]
        rest += [n for n in dict.fromkeys(self.outputs) if n not in self.readers]
        known: dict[Node, int] = {}
        alike: dict[object, list[Node]] = {}
        for node in rest:
            alone = node if node in self.claimed else None
            key = (node.type.shape, self.depth(node, known), self._theme(node), alone)
            alike.setdefault(key if not isinstance(node.op, Loop) else node, []).append(node)
        for nodes in sorted(alike.values(), key=lambda ns: self.depth(ns[0], known)):
            mine = [n for n in nodes if n not in placed]
            if mine and isinstance(mine[0].op, Loop):
                groups.append(Group(mine, mine[0]))
            elif mine:
                mine += self._joining(mine, known, placed)
                groups.append(Group(mine, None))
            placed.update(mine)
        return groups

    def _joining(self, nodes: list[Node], known: dict[Node, int], placed: set[Node]) -> list[Node]:
        """Outputs that follow pointwise from the results of a task."""
        own, region = self.depth(nodes[0], known), set(nodes)
        if nodes[0] not in self.readers:
            return []
        grown = self._grown(
            nodes, region, lambda node: self._fits(node, nodes[0], region, own, known)
        )
        return [n for n in grown if n in self.stored and n not in placed]

    def _theme(self, node: Node) -> object:
        """What a pointwise result is about: the smallest-numbered thing it shares with others."""
        found = [self._first(source, node.type.shape) for source in node.inputs]
        return min((n for n in found if n is not None), key=lambda n: n.id, default=node)

    def _first(self, node: Node, shape: object) -> Node | None:
        """The smallest-numbered node of a shape at or below a node that has several readers."""
        stack = [node]
        while stack:
            top = stack[-1]
            if (top, shape) in self.themes or top not in self.readers:
                stack.pop()
                continue
            todo = [s for s in top.inputs if s in self.readers and (s, shape) not in self.themes]
            if todo:
                stack.extend(todo)
                continue
            found = [self.themes.get((s, shape)) for s in top.inputs]
            if top.type.shape == shape and len(self.readers[top]) > 1:
                found.append(top)
            kept = (n for n in found if n is not None)
            self.themes[top, shape] = min(kept, key=lambda n: n.id, default=None)
        return self.themes.get((node, shape))


def _anchor(node: Node) -> bool:
    return reductions.handles(node) or products.handles(node)
