"""How much memory a step takes, besides what it carries and is given."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Use:
    """Memory of a step, with reals of 4 bytes. `arena` is allocated once; `live` is the most of it
    that holds something needed at one moment, so that no arena can be smaller; `library` are the
    tensors that torch allocates each step, and their bytes, by what allocates them."""

    arena: int
    live: int
    library: Mapping[str, tuple[int, int]]

    @property
    def allocations(self) -> int:
        return sum(count for count, _ in self.library.values())

    @property
    def allocated(self) -> int:
        return sum(size for _, size in self.library.values())
