"""Places of temporaries in one block of memory.

In: for each temporary its bytes, and the first and last moment (a launch, an operation) that
something touches it. Out: offsets and the size of the block. Always: two temporaries that are alive
at the same time do not overlap; every offset is a multiple of the alignment. Largest first, each
in the smallest gap with room (best fit over lifetimes).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

ALIGNMENT = 64  # bytes: a line of a CPU's cache, and half of one of a GPU's


@dataclass(frozen=True)
class Life:
    """What a temporary needs: bytes, from moment `first` to moment `last`, both included."""

    name: str
    bytes: int
    first: int
    last: int


def arrange(
    lives: Sequence[Life], fixed: Mapping[str, int] = MappingProxyType({})
) -> tuple[Mapping[str, int], int]:
    """Offsets by name, and the size of it all. Those of `fixed` are given, and are the only ones
    that need not be multiples of the alignment."""
    placed = [(fixed[x.name], fixed[x.name] + x.bytes, x) for x in lives if x.name in fixed]
    free = (life for life in lives if life.name not in fixed)
    for life in sorted(free, key=lambda x: (-x.bytes, x.first, x.name)):
        size = aligned(life.bytes)
        busy = sorted(
            (start, end)
            for start, end, other in placed
            if life.first <= other.last and other.first <= life.last
        )
        gaps: list[tuple[int, int]] = []
        at = 0
        for start, end in busy:
            if start - at >= size:
                gaps.append((start - at, at))
            at = max(at, _up(end))
        offset = min(gaps)[1] if gaps else at
        placed.append((offset, offset + size, life))
    offsets = {life.name: start for start, _, life in sorted(placed, key=lambda p: p[2].name)}
    return offsets, max((end for _, end, _ in placed), default=0)


def _up(offset: int) -> int:
    return -(-offset // ALIGNMENT) * ALIGNMENT


def aligned(size: int) -> int:
    """The room that so many bytes take."""
    return _up(max(size, 1))


def most_alive(lives: Sequence[Life]) -> int:
    """The most bytes that are alive at one moment: no block can be smaller."""
    changes: dict[int, int] = {}
    for life in lives:
        for moment, sign in ((life.first, 1), (life.last + 1, -1)):
            changes[moment] = changes.get(moment, 0) + sign * life.bytes
    alive = most = 0
    for moment in sorted(changes):
        alive += changes[moment]
        most = max(most, alive)
    return most
