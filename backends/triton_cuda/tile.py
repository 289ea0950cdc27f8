"""The tile of a task: how programs divide the places of its results, and the task's text.

In: the nodes that a task computes (of one shape), what is in memory, and the node that decides the
tile. Out: `TaskText`: the function, what it reads and writes, how many programs it takes. Kinds of
tiles: *product* (rows and columns of a contraction, one program a tile; what both operands share
goes over programs), *rows* (a split of the row-major place in two, for results that reductions
along the second part enter), *flat* (one axis). A task that is done sample by sample gets the
number of its sample, and has such a tile over the other axes.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import prod

from backends.triton_cuda import products
from backends.triton_cuda.emission import Emission, power_of_two
from backends.triton_cuda.index import (
    Index,
    Num,
    Var,
    affine,
    ravel,
    size_text,
    unravel,
    variables,
)
from backends.triton_cuda.values import At, Storage, Values
from gendsl.ir.graph import Node
from gendsl.shape.dim import ONE, ZERO, Dim
from gendsl.shape.tensor_type import Bool

_WORD = re.compile(r"[A-Za-z_]\w*")
_SIDE = 64  # of a tile of a product
_FLAT = 1024
_FOLDED = 16  # rows of a tile when each is reduced


@dataclass(frozen=True)
class Split:
    """The rows tile: the first `rows` of the row-major place, and the rest."""

    rows: Dim


@dataclass(frozen=True)
class TaskText:
    """A task, written. `parameters`: its memories in order, then sizes, then constants. `programs`
    it takes: for each sample, where it is done sample by sample (`sample`). `gathered`: how many
    entries the tiles have that its loops load."""

    name: str
    roots: tuple[Node, ...]
    lines: tuple[str, ...]
    memories: tuple[str, ...]
    sizes: tuple[str, ...]
    constants: Mapping[str, int]
    programs: str
    count: int
    precision: bool
    reads: Mapping[str, set[tuple[Node, At]]]
    writes: tuple[str, ...]
    inlined: tuple[Node, ...]
    slow: tuple[Node, ...]
    folds: bool
    at: At = field(default=(), repr=False)
    sample: Var | None = None
    gathered: int = 0

    @property
    def extra(self) -> tuple[str, ...]:
        """Parameters after the memories."""
        return (*self.sizes, *self.constants, *(("PRECISION",) if self.precision else ()))


class Tile:
    """Writes one task."""

    def __init__(
        self,
        name: str,
        roots: Sequence[Node],
        storage: Storage,
        sizes: Mapping[str, int],
        sample: Var | None = None,
    ) -> None:
        self.name, self.roots, self.sizes, self.sample = name, tuple(roots), sizes, sample
        self.emit = Emission(sizes, sizes)
        self.values = Values(self.emit, storage)
        self.shape = roots[0].type.shape
        self.first: At = () if sample is None else (sample,)  # of every place of the results
        self.inner = self.shape[len(self.first) :]
        self.programs: list[str] = []
        self.count = 1
        self.base: Index = Num(ZERO)

    # ---- kinds ------------------------------------------------------------------------

    def product(self, anchor: Node) -> At:
        """Rows and columns of a contraction."""
        own = len(self.first)
        both, rows, columns = (
            tuple(a for a in axes if a >= own) for axes in products.roles(anchor)
        )
        shape = anchor.type.shape
        heights, widths, shared = (tuple(shape[a] for a in axes) for axes in (rows, columns, both))
        high, wide, deep = (Dim.product(d) for d in (heights, widths, shared))
        tall = 2 * _SIDE if own and 2 * wide.size(self.sizes) <= _SIDE else _SIDE
        m, n = self._pair(high, wide, tall, _SIDE)
        places: dict[int, Index] = dict(enumerate(self.first))
        if deep != ONE:
            self.count *= deep.size(self.sizes)
            inner = " * ".join(self.programs)
            b = Var(self.emit.fresh("b"), deep, None, 0)
            self.emit.line(f"{b.name} = pid // ({inner})", 0)
            places |= zip(both, unravel(b, shared), strict=True)
            self.programs.insert(0, size_text(deep, True))
        else:
            places |= {a: Num(ZERO) for a in both}
        places |= zip(rows, unravel(m, heights), strict=True)
        places |= zip(columns, unravel(n, widths), strict=True)
        return tuple(places[a] for a in range(len(shape)))

    def _pair(self, high: Dim, wide: Dim, tall: int, broad: int) -> tuple[Var, Var]:
        """A row and a column variable, each in blocks."""
        block_m = self._block("BLOCK_M", high, tall)
        block_n = self._block("BLOCK_N", wide, broad)
        ups, sides = (
            f"tl.cdiv({size_text(d)}, {b})" for d, b in ((high, block_m), (wide, block_n))
        )
        self.programs = [ups, sides]
        up = f"pid // {sides} % {ups}"
        rows, columns = self.emit.fresh("m"), self.emit.fresh("n")
        self.emit.line(f"{rows} = ({up}) * {block_m} + tl.arange(0, {block_m})[:, None]", 0)
        self.emit.line(
            f"{columns} = pid % {sides} * {block_n} + tl.arange(0, {block_n})[None, :]", 0
        )
        return Var(rows, high, 0, 0, block_m), Var(columns, wide, 1, 0, block_n)

    def _block(self, name: str, size: Dim, most: int) -> str:
        number = size.size(self.sizes)
        value = max(16, min(power_of_two(number), most))
        self.count *= -(-number // value)
        return self.emit.constant(name, value)

    def rows(self, split: Split) -> At:
        """A split of the row-major place."""
        total = Dim.product(self.inner)
        wide = total.divide(split.rows)
        assert wide is not None
        broad = 256
        m, n = self._pair(split.rows, wide, _FOLDED, broad)
        return (*self.first, *unravel(ravel((split.rows, wide), (m, n)), self.inner))

    def flat(self, most: int) -> At:
        """One axis."""
        total = Dim.product(self.inner)
        block = self._block("BLOCK", total, most)
        self.programs = [f"tl.cdiv({size_text(total)}, {block})"]
        name = self.emit.fresh("i")
        self.emit.line(f"{name} = pid * {block} + tl.arange(0, {block})[:, None]", 0)
        self.base = Var(name, total, 0, 0, block)
        return (*self.first, *unravel(self.base, self.inner))

    # ---- text -------------------------------------------------------------------------

    def finish(self, at: At, results: Mapping[Node, str]) -> TaskText:
        """Compute the roots at their place, and store them."""
        made = [(root, self.values.value(root, at)) for root in self.roots]
        place = ravel(self.shape, at) if at else Num(ZERO)
        if not variables(place):  # the only entry of its tile
            place = self.base
        elif place == self.sample:
            place = affine([(ONE, place), (ONE, self.base)])
        mask = self.emit.mask(variables(place))
        address = self.emit.sum(place)
        for root, value in made:
            text = value.text
            if isinstance(root.type.elem, Bool):
                text = f"tl.where({text}, 1, 0)"
            masked = f", mask={mask.text}" if mask else ""
            self.emit.line(f"tl.store({results[root]}_ptr + {address}, {text}{masked})", 0)
        lines = tuple(self.emit.blocks[0].lines)
        text = "\n".join((*lines, *self.programs))
        words = set(_WORD.findall(text))
        read = [m for m in self.values.reads if m not in results.values()]
        writes = tuple(results[root] for root in self.roots)
        return TaskText(
            name=self.name,
            roots=self.roots,
            lines=lines,
            memories=(*read, *writes),
            sizes=tuple(s for s in self.sizes if s in words),
            constants=dict(self.emit.constants),
            programs=" * ".join(self.programs),
            count=self.count,
            gathered=self.emit.gathered,
            precision="PRECISION" in words,
            reads=self.values.reads,
            writes=writes,
            inlined=tuple(self.values.inlined),
            slow=tuple(self.values.slow),
            folds=any(c.startswith(("BLOCK_R", "BLOCK_K")) for c in self.emit.constants),
            at=at,
            sample=self.sample,
        )


def write(
    name: str,
    roots: Sequence[Node],
    anchor: Node | None,
    storage: Storage,
    sizes: Mapping[str, int],
    results: Mapping[Node, str],
    sample: Var | None = None,
) -> TaskText:
    """The text of a task, with the tile that suits it: the first that has nothing slow."""
    own = sample is not None

    def start() -> Tile:
        return Tile(name, roots, storage, sizes, sample)

    if anchor is not None and _is_product(anchor, sizes, own):
        tile = start()
        return tile.finish(tile.product(anchor), results)
    tile = start()
    flat = tile.finish(tile.flat(_FLAT), results)
    if not flat.folds:
        return flat
    best: TaskText | None = None
    total = Dim.product(roots[0].type.shape[own:])
    tried = {total}
    for split in _splits(flat.inlined, total, roots[0].type.shape[:own]):
        if split in tried:
            continue
        tried.add(split)
        tile = start()
        found = tile.finish(tile.rows(Split(split)), results)
        if not found.slow:
            return found
        if best is None or len(found.slow) < len(best.slow):
            best = found
    tile = start()
    folded = tile.finish(tile.flat(_SIDE if own else _FOLDED), results)
    return folded if not folded.slow or best is None else best


def _splits(inlined: Sequence[Node], total: Dim, first: tuple[Dim, ...]) -> list[Dim]:
    """Row counts to try: how many results the reductions inside have (for each sample, where that
    is the first axis), most first."""
    from backends.triton_cuda import reductions

    found: list[Dim] = []
    for node in inlined:
        if reductions.handles(node) or products.handles(node):
            shape = node.type.shape
            rows = Dim.product(shape[len(first) :] if shape[: len(first)] == first else shape)
            wide = total.divide(rows)
            if wide is not None and not wide.divisibility and wide != ONE and rows != ONE:
                found.append(rows)
    return found


def _is_product(anchor: Node, sizes: Mapping[str, int], own: bool) -> bool:
    """Whether a contraction has rows and columns to speak of, other than samples."""
    if not products.handles(anchor) or products.summed(anchor).size(sizes) <= 4:
        return False
    _, rows, columns = products.roles(anchor)
    shape = anchor.type.shape
    high, wide = (prod(shape[a].size(sizes) for a in axes if a >= own) for axes in (rows, columns))
    return high > 1 and wide > 1
