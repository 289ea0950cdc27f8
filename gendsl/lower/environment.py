"""What a core term is lowered under: sizes, spreads, arguments, and the paths of its body."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from gendsl.core.term import FnDef, Term
from gendsl.ir.graph import Node
from gendsl.ir.op import NodeType
from gendsl.shape.dim import Dim
from gendsl.shape.tensor_type import Elem, Fin, Item, Spread, TensorType


@dataclass(frozen=True)
class Env:
    """One instantiation of one body.

    `dims` replaces local sizes; `spreads` gives the sizes of each spread; `path` prefixes the
    body's parameters ("encoder.h"), `group` is their parameter group, `draws` prefixes its draws.
    A net parameter stands for a definition, or (in claims, where it is any net) for an opaque name.
    `batch` names the sizes that count examples. `opaque` nets are lowered as opaque calls.
    `memo` holds the nodes of terms already lowered here.
    """

    dims: Mapping[str, Dim] = field(default_factory=dict)
    spreads: Mapping[str, tuple[Dim, ...]] = field(default_factory=dict)
    args: Mapping[str, Node] = field(default_factory=dict)
    flags: Mapping[str, bool] = field(default_factory=dict)
    nets: Mapping[str, tuple[FnDef, Env] | str] = field(default_factory=dict)
    path: str = ""
    group: str = ""
    draws: str = ""
    batch: frozenset[str] = frozenset()
    opaque: frozenset[str] = frozenset()
    loop_indices: tuple[Node, ...] = ()
    memo: dict[int, tuple[Term, Node]] = field(default_factory=dict)
    calls: dict[int, tuple[object, list[Node]]] = field(default_factory=dict)

    def inner(self, **changes: object) -> Env:
        """A fresh environment (empty memo) with some fields changed."""
        return replace(self, memo={}, calls={}, **changes)  # type: ignore[arg-type]

    # -- sizes ------------------------------------------------------------------------------

    def dim(self, dim: Dim) -> Dim:
        return dim.substitute(self.dims)

    def elem(self, elem: Elem) -> Elem:
        return Fin(self.dim(elem.bound)) if isinstance(elem, Fin) else elem

    def item_sizes(self, item: Item) -> tuple[Dim, ...]:
        """The sizes of one item: one for an axis, any number for a spread."""
        if isinstance(item, Spread):
            return self.spreads[item.name]
        return (self.dim(item.size),)

    def shape(self, items: tuple[Item, ...]) -> tuple[Dim, ...]:
        return tuple(size for item in items for size in self.item_sizes(item))

    def node_type(self, type_: TensorType) -> NodeType:
        return NodeType(self.shape(type_.items), self.elem(type_.elem))

    def axes(self, items: tuple[Item, ...]) -> list[range]:
        """For each item, the positions of its axes in the concrete shape."""
        result: list[range] = []
        start = 0
        for item in items:
            stop = start + len(self.item_sizes(item))
            result.append(range(start, stop))
            start = stop
        return result

    def example_axis(self, shape: tuple[Dim, ...]) -> int | None:
        """The position of the example axis in a shape, or None."""
        return next((i for i, size in enumerate(shape) if size.as_name in self.batch), None)
