"""Where the values of a plan live: buffers with names and bytes, their last uses, and work.

In: the ordered calls of a plan. A value that is a view of another (a reshape, a slice) owns no
bytes and keeps the other alive.
"""

from __future__ import annotations

import keyword
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from math import prod

from gendsl.ir.graph import Node
from gendsl.ir.grouping import HOST_LEAVES, LEAVES, VIEWS, Cut, Grouping, Item, base_of
from gendsl.ir.plan import Buffer, width
from gendsl.ops.contract import Contract
from gendsl.ops.conv import Conv2d, Conv2dWeightGrad, ConvTranspose2d
from gendsl.ops.leaf import Draw, Input
from gendsl.ops.loop import Loop, LoopCapture, LoopCarry, LoopIndex
from gendsl.shape.dim import Dim

# Names that generated functions use themselves, besides all that start with an underscore.
RESERVED = frozenset(
    (
        *("p", "slot", "state", "ema", "data", "hyper", "number", "draw", "num", "REAL", "torch"),
        *("at", "run", "by_rows", "beside", "sgd", "adam", "adamw"),
        *("tl", "triton", "float", "int", "range", "max", "min", "not", "step", "function"),
        *("argmin", "argmax", "channels_last", "in_order", "dense", "gather", "scatter_add"),
        *("scatter_slice", "relu_slope"),
        *("relu_slope_at_0", "leaky_slope", "leaky_slope_at_0", "silu_slope", "gelu_slope"),
        *("sigmoid_slope", "softmax_slope", "norm_slope", "relu_slope_", "relu_slope_at_0_"),
        *("sigmoid_slope_", "softmax_slope_", "silu_slope_", "gelu_slope_"),
        *("conv2d_relu", "conv_transpose2d", "conv2d_weight_grad", "sgd_", "adam_", "adamw_"),
        *keyword.kwlist,
    )
)


class _Names:
    """Distinct identifiers."""

    def __init__(self) -> None:
        self._taken: set[str] = set(RESERVED)
        self._counts: dict[str, int] = {}

    def give(self, wish: str, *, numbered: bool) -> str:
        text = "".join(c if c.isalnum() and c.isascii() else "_" for c in wish) or "v"
        text = f"v_{text}" if text[0].isdigit() or text[0] == "_" else text
        name = text
        while numbered or name in self._taken:
            self._counts[text] = self._counts.get(text, 0) + 1
            name = f"{text}_{self._counts[text]}"
            if name not in self._taken:
                break
        self._taken.add(name)
        return name


class _Table:
    """Buffers by node, under construction."""

    def __init__(self, sizes: Mapping[str, int], grouping: Grouping) -> None:
        self.sizes = sizes
        self.grouping = grouping
        self.outputs = set(grouping.cut.outputs.values())
        self.found: dict[Node, Buffer] = {}
        self._names = _Names()

    def given(self, node: Node) -> None:
        """A leaf."""
        match node.op:
            case Input(kind="param" | "slot" | "data" | "argument" | "hyper", key=key):
                self._add(node, key, "input")
            case Input(kind=kind, key=key):
                self._add(node, "t" if kind == "step" else f"{kind}.{key}", "input")
            case LoopIndex():
                self._add(node, "i", "input")
            case LoopCarry(position=position):
                self._add(node, f"carried_{position}", "input")
            case LoopCapture(position=position):
                self._add(node, f"given_{position}", "input")
            case op:
                self._add(node, op.name, "input")

    def computed(self, node: Node) -> None:
        """The result of a call."""
        base = base_of(node, self.grouping.cut.maker)
        kind = "temporary"
        if node in self.grouping.host:
            kind = "host"
        elif base is not node and base in self.found:
            kind = "view"
        elif node in self.outputs:
            kind = "output"
        base_name = self.found[base].name if kind == "view" else None
        wish = self.grouping.named.get(node) or node.op.name
        if isinstance(node.op, Draw) and wish == node.op.name:
            wish = node.op.path.rpartition(".")[2].partition("#")[0]
        self._add(node, wish, kind, base_name)

    def _add(self, node: Node, wish: str, kind: str, base: str | None = None) -> None:
        shape = tuple(d.size(self.sizes) for d in node.type.shape)
        own = 0 if kind in ("view", "host") else prod(shape) * width(node.type.elem)
        name = self._names.give(wish, numbered=wish == node.op.name)
        self.found[node] = Buffer(name, node, shape, kind, own, base)


def buffers_of(
    sizes: Mapping[str, int], grouping: Grouping, order: Sequence[Item]
) -> dict[Node, Buffer]:
    """Every value that has a name in the plan."""
    table, cut = _Table(sizes, grouping), grouping.cut
    for node in cut.nodes:
        if isinstance(node.op, LEAVES):
            table.given(node)
    for item in order:
        if isinstance(item.key, int):
            group = cut.groups[item.key]
            for before, after in zip(group.before, group.after, strict=True):
                for old, new in zip(before, after, strict=True):
                    table.found[new] = replace(table.found[old], node=new, kind="view", bytes=0)
        for node in _made(item, cut):
            table.computed(node)
    return table.found


def _made(item: Item, cut: Cut) -> list[Node]:
    """The values that a call makes in memory of their own."""
    if isinstance(item.key, int):
        return []
    if isinstance(item.key.op, Loop):
        return [node for node, leader in cut.maker.items() if leader is item.key]
    return [item.key]


def lifetimes(
    cut: Cut, order: Sequence[Item], buffers: Mapping[Node, Buffer]
) -> tuple[list[tuple[str, ...]], int]:
    """What each call frees, and the most bytes of temporaries and outputs alive at once."""
    last: dict[Node, int] = {}
    for place, item in enumerate(order):
        for node in item.reads:
            last[node] = place
            base = base_of(node, cut.maker)
            last[base] = place
        for node in _made(item, cut):
            last.setdefault(node, place)
    kept = {base_of(n, cut.maker) for n in cut.outputs.values()} | set(cut.outputs.values())
    frees: list[list[str]] = [[] for _ in order]
    ends: list[int] = [0 for _ in order]
    for node, place in last.items():
        buffer = buffers.get(node)
        if buffer is None or isinstance(node.op, Input) or node in kept or node in cut.maker:
            continue
        ends[place] += buffer.bytes
        if buffer.shape:
            frees[place].append(buffer.name)
    alive = peak = 0
    for place, item in enumerate(order):
        alive += sum(buffers[node].bytes for node in _made(item, cut))
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
        case op if isinstance(op, (*VIEWS, *HOST_LEAVES, *LEAVES)):
            return 0
        case _:
            return max([count(node.type.shape), *(count(i.type.shape) for i in node.inputs)])
