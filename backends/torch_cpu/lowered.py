"""A step in two stages, before it is text: what is bound once, and what each step runs.

In: what `lower.py` finds. Out: lines with names and expressions, and temporaries with the first and
last time that something touches them, which `place.py` gives places. Always: a name is one
`ast.Name` wherever it stands, so giving it a text names it everywhere.
"""

from __future__ import annotations

import ast
from collections.abc import Sequence
from dataclasses import dataclass, field
from math import prod

from backends.torch_cpu.observe import Seen
from backends.torch_cpu.use import Block, Unit
from gendsl.ir.layout import RESERVED


@dataclass(eq=False)
class Memory:
    """A temporary's place, or (`cell`) that of a carried tensor. `name` is what the source calls
    it; `in_place_of` are temporaries that it may take the place of, if this is their last use."""

    name: ast.Name
    seen: Seen
    first: int
    last: int
    cell: str | None = None
    in_place_of: list[Memory] = field(default_factory=list)
    viewed: int = -1  # the last time that something was read that is not all of it in order


@dataclass(frozen=True)
class Held:
    """What an expression has become. `text` gives it where it stands, `after` wherever it is read
    later (None: nothing bound shows it), `compute` has to run before that (None: nothing has).
    `memory` is the place it shows, all of it in order if `whole`."""

    text: ast.expr
    after: ast.expr | None = None
    compute: ast.expr | None = None
    memory: Memory | None = None
    whole: bool = True
    seen: Seen | None = None

    @property
    def fixed(self) -> bool:
        return self.after is not None and self.compute is None


@dataclass(frozen=True)
class Bound:
    """A line before the first step: `name` is a temporary's memory, or shows `value`."""

    name: ast.Name
    value: ast.expr | Memory
    line: int


@dataclass(frozen=True)
class Statement:
    """A statement of each step, and the line of the plain source that it comes from."""

    syntax: ast.stmt
    line: int


@dataclass(frozen=True)
class Store:
    """`statement` copies what `source` holds into a cell at the end of the step."""

    cell: Memory
    source: Memory
    statement: Statement


@dataclass(frozen=True)
class Gathered:
    """A block's gradients in the order of memory, with so many entries, at the time of its update;
    `fixed` says whether all of them are in the same places in every step."""

    block: Block
    gradients: tuple[Memory, ...]
    entries: int
    time: int
    fixed: bool


@dataclass
class Lowered:
    """What `bound.py` writes. `joined` are units of parameters with when they were read; `library`
    has the bytes of tensors by what allocates them, `taken` the names of the source."""

    bound: list[Bound] = field(default_factory=list)
    body: list[Statement] = field(default_factory=list)
    stores: list[Store] = field(default_factory=list)
    blocks: list[Gathered] = field(default_factory=list)
    joined: list[tuple[Unit, Memory]] = field(default_factory=list)
    library: dict[str, list[int]] = field(default_factory=dict)
    taken: set[str] = field(default_factory=lambda: set(RESERVED))


def nameless(name: ast.Name) -> bool:
    return name.id == "#"


def by_rows(shape: Sequence[int]) -> tuple[int, ...]:
    """The strides of a tensor whose last axis varies fastest, and so on."""
    return tuple(prod(max(d, 1) for d in shape[k + 1 :]) for k in range(len(shape)))


def carried(seen: Seen) -> Seen:
    """How a carried tensor of this shape lies in memory; see `updates.in_order`."""
    strides = by_rows(seen.shape)
    if len(seen.shape) == 4:
        _, channels, height, width = seen.shape
        strides = (channels * height * width, 1, width * channels, channels)
    return Seen(seen.shape, strides, seen.elem, seen.bytes)
