"""What a step's source was written for: how its memory is used, and how parameters lie in it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Unit:
    """Parameters side by side along an axis; one by itself has axis 0."""

    paths: tuple[str, ...]
    axis: int = 0


@dataclass(frozen=True)
class Block:
    """Units in the order of memory. `slots` are the names of what their optimizer keeps of each
    parameter, which lies in memory as the parameters do, and so do their gradients."""

    units: tuple[Unit, ...]
    slots: tuple[str, ...]

    @property
    def paths(self) -> tuple[str, ...]:
        return tuple(path for unit in self.units for path in unit.paths)


@dataclass(frozen=True)
class Use:
    """Memory of a step, with reals of 4 bytes. `arena` is allocated once; `live` is the most of it
    that holds something needed at one moment, so that no arena can be smaller; `library` are the
    tensors that torch allocates each step, and their bytes, by what allocates them; `blocks` are
    the carried tensors that lie together."""

    arena: int
    live: int
    library: Mapping[str, tuple[int, int]]
    blocks: tuple[Block, ...] = ()

    @property
    def allocations(self) -> int:
        return sum(count for count, _ in self.library.values())

    @property
    def allocated(self) -> int:
        return sum(size for _, size in self.library.values())
