"""What generated torch source keeps where: places in an arena, carried tensors, and what they hold.

In: the lines that bind names to places, and writes as they happen. Out: the tensors that names
show. Always: a write makes everything else that shares a byte with it unreadable; it is refused if
an operand was overwritten before the operation read it, or if an operand shares bytes with what is
written, unless the operation takes entry after entry and the operand lies there in the same form.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from math import prod

from gendsl.validate import torch_values as tv
from gendsl.validate.torch_values import Anything, Tensor, integer, integers
from gendsl.validate.whole import Unmodelled

CARRIED = ("param", "slot", "state", "ema")
_WIDTHS = {"real": 4, "torch.int64": 8, "torch.bool": 1}


@dataclass(frozen=True)
class Place:
    """Bytes of the arena from `offset` on, with reals of 4 bytes, as a tensor without gaps."""

    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]
    kind: str = "real"

    @property
    def end(self) -> int:
        return self.offset + prod(self.shape) * _WIDTHS[self.kind]

    def overlaps(self, other: Place) -> bool:
        return self.offset < other.end and other.offset < self.end


def place(offset: Anything, shape: Anything, strides: Anything, kind: str) -> Place:
    """The place that `at` gives; refused if two entries may share bytes, or lie outside of it."""
    extents = integers(shape)
    rows = tuple(prod(extents[k + 1 :]) for k in range(len(extents)))
    steps = rows if strides is None else integers(strides)
    reach = 1
    for step, extent in sorted((s, d) for s, d in zip(steps, extents, strict=True) if d != 1):
        if step != reach:
            raise Unmodelled("a place with gaps")
        reach *= extent
    if kind not in _WIDTHS or integer(offset) < 0:
        raise Unmodelled(f"a place of {kind}")
    return Place(integer(offset), extents, steps, kind)


def tensors(args: Iterable[Anything]) -> Iterator[Tensor]:
    """The tensors among arguments, tuples taken apart."""
    for x in args:
        if isinstance(x, Tensor):
            yield x
        elif isinstance(x, tuple):
            yield from tensors(x)


@dataclass
class Memories:
    """`places` by name; `contents` are what the readable ones hold, `cells` what carried tensors
    hold. Every content has a token of its own in its `memory`, which views of it share; those of
    contents that are gone are in `overwritten`."""

    cells: dict[str, Anything]
    places: dict[str, Place] = field(default_factory=dict)
    contents: dict[str, Tensor] = field(default_factory=dict)
    overwritten: set[str] = field(default_factory=set)
    _count: Iterator[int] = field(default_factory=itertools.count)

    def read(self, name: str) -> Tensor:
        found = self.contents.get(name)
        if found is None:
            raise Unmodelled(f"{name} is read, and its bytes hold nothing or something else")
        return found

    def holder(self, x: Tensor) -> tuple[str, bool] | None:
        """The place (a name) or the cell (a key, and True) that this is the whole content of."""
        for name, content in self.contents.items():
            if content is x:
                return name, False
        for key, content in self.cells.items():
            if content is x:
                return key, True
        return None

    def current(self, args: Iterable[Anything]) -> None:
        """Refuse operands that show what is no longer there."""
        for x in tensors(args):
            if x.memory & self.overwritten:
                raise Unmodelled("an operand that was overwritten before it is read")

    def write(
        self, target: str, cell: bool, made: Anything, args: Iterable[Anything], *, pointwise: bool
    ) -> Tensor:
        """Leave a result in a place, or in a cell; what is there now."""
        given = list(tensors(args))
        self.current(given)
        if cell and target.partition(":")[0] not in CARRIED:
            raise Unmodelled(f"a result left in {target}")
        kind = "real" if cell else self.places[target].kind
        shape = self._shape(target, cell)
        if not isinstance(made, Tensor) or made.shape != shape:
            raise Unmodelled(f"{target} has shape {shape}, which its new value has not")
        for x in given:
            if not self._apart(x, target, cell) and not (pointwise and self._same(x, target, cell)):
                raise Unmodelled(f"{target} shares bytes with an operand of what is written to it")
        value = tv.to_real(made) if kind == "real" else made
        new = Tensor(made.shape, value.entry, frozenset((f"{target}!{next(self._count)}",)))
        if cell:
            self.overwritten |= self.cells[target].memory
            self.cells[target] = new
            return new
        for name in [n for n in self.contents if self.places[n].overlaps(self.places[target])]:
            self.overwritten |= self.contents.pop(name).memory
        self.contents[target] = new
        return new

    def write_view(
        self, target: str, cell: bool, x: Tensor, made: Anything, args: Iterable[Anything]
    ) -> Tensor:
        """Leave a result in a view that holds each entry of a place once."""
        undo = x.undo
        if not isinstance(made, Tensor) or made.shape != x.shape or undo is None:
            raise Unmodelled("an update in place that changes the shape")
        rest = [y for y in tensors(args) if y is not x]
        whole = Tensor(self._shape(target, cell), lambda at: made.entry(undo(at)))
        new = self.write(target, cell, whole, rest, pointwise=False)
        return Tensor(x.shape, made.entry, new.memory, new, undo)

    def _shape(self, target: str, cell: bool) -> tuple[int, ...]:
        if not cell:
            return self.places[target].shape
        held = self.cells[target]
        if not isinstance(held, Tensor):
            raise Unmodelled(f"{target} is no tensor")
        return held.shape

    def _apart(self, x: Tensor, target: str, cell: bool) -> bool:
        """Whether an operand shows none of the target's bytes."""
        if cell:
            return not x.memory & self.cells[target].memory
        here = self.places[target]
        return not any(
            x.memory & content.memory and self.places[name].overlaps(here)
            for name, content in self.contents.items()
        )

    def _same(self, x: Tensor, target: str, cell: bool) -> bool:
        """Whether an operand is what the target holds, or lies there in the same form."""
        if cell:
            return x is self.cells[target]
        here = self.places[target]
        return any(
            x is content and self.places[name] == here for name, content in self.contents.items()
        )
