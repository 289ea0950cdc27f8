"""Whether temporaries that share bytes of the arena are ever needed at the same time.

In: where memories lie, and the accesses of each launch as they were executed (not as a plan says
they are). Out: findings. Always: of two memories that overlap, no launch touches both, and none is
read after the other was written, unless it was written again in between.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from gendsl.validate.verdict import DIFFERS, PROVED, Finding


@dataclass(frozen=True)
class Place:
    """Bytes of the arena."""

    offset: int
    bytes: int

    def overlaps(self, other: Place) -> bool:
        return self.offset < other.offset + other.bytes and other.offset < self.offset + self.bytes


@dataclass(frozen=True)
class Touched:
    """The memories that a launch reads and writes."""

    launch: str
    reads: frozenset[str]
    writes: frozenset[str]


def overlapping(places: Mapping[str, Place], launches: Sequence[Touched]) -> Iterable[Finding]:
    """One finding for each clash; one that all is well if there is none."""
    valid: set[str] = set()  # what still holds what was last written to it
    clashes: list[Finding] = []
    for launch in launches:
        here = sorted((launch.reads | launch.writes) & places.keys())
        for k, a in enumerate(here):
            for b in here[k + 1 :]:
                if places[a].overlaps(places[b]):
                    clashes.append(_clash(launch, f"{a} and {b} share bytes in one launch"))
        for a in sorted(launch.reads & places.keys()):
            if a not in valid and a not in launch.writes:
                clashes.append(_clash(launch, f"{a} is read, and its bytes hold something else"))
        for b in launch.writes & places.keys():
            valid -= {a for a in valid if places[a].overlaps(places[b])}
        valid |= launch.writes & places.keys()
    return clashes or [Finding("arena", PROVED, 0)]


def _clash(launch: Touched, reason: str) -> Finding:
    return Finding("arena", DIFFERS, 0, f"{launch.launch}: {reason}")
