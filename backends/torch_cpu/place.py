"""Where the temporaries of a step lie: in each other's place, in a carried tensor's, in the arena.

In: a `Lowered`. Out: a `Placed`: offsets for `at`, how large the arena is, and how much of it is
alive at once at most. Always: two temporaries share bytes only if one is dead when the other is
first written, or if one operation reads the former and leaves the latter in its place, entry by
entry; a carried tensor is written early only if nothing reads its old value any more.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from backends.common.arena import Life, aligned, arrange, most_alive
from backends.torch_cpu.lowered import Gathered, Lowered, Memory, nameless
from backends.torch_cpu.use import Block


@dataclass(eq=False)
class Room:
    """Temporaries that follow each other in one place."""

    members: list[Memory]
    cell: Memory | None = None

    @property
    def first(self) -> int:
        return self.members[0].first

    @property
    def last(self) -> int:
        return max(m.last for m in self.members)

    @property
    def bytes(self) -> int:
        return max(m.seen.bytes for m in self.members)


@dataclass(frozen=True)
class Placed:
    """`rooms` says where each temporary is, `offsets` (of rooms) in bytes of float32."""

    rooms: Mapping[Memory, Room]
    offsets: Mapping[Room, int]
    bytes: int
    live: int
    dropped: frozenset[int] = field(default=frozenset())  # copies into cells, by identity


def apart(lowered: Lowered) -> list[Block]:
    """The blocks that cannot be: their gradients have no places of their own that may lie side by
    side, or something reads a unit of them after their update."""
    rooms = _rooms(_temporaries(lowered))
    late = {
        path
        for unit, memory in lowered.joined
        for path in unit.paths
        for found in lowered.blocks
        if path in found.block.paths and memory.last >= found.time
    }
    return [
        x.block for x in lowered.blocks
        if late.intersection(x.block.paths) or not _side_by_side(x, rooms)
    ]  # fmt: skip


def _side_by_side(found: Gathered, rooms: Mapping[Memory, Room]) -> bool:
    mine = [rooms[m] for m in found.gradients if m in rooms]
    taken = sum(m.seen.bytes for m in found.gradients)
    return (
        found.fixed
        and len(mine) == len(found.gradients) == len(set(mine))
        and taken == sum(r.bytes for r in mine) == 4 * found.entries
        and all(m.seen.by_rows for m in found.gradients)
    )


def placed(lowered: Lowered) -> Placed:
    rooms = _rooms(_temporaries(lowered))
    dropped = set()
    for store in lowered.stores:
        room = rooms[store.source]
        if _computed_there(room, store.cell):
            room.cell = store.cell
            dropped.add(id(store.statement))
    kept = [r for r in dict.fromkeys(rooms.values()) if r.cell is None]
    lives = {
        room: Life(f"{k:06}", room.bytes, room.first, room.last) for k, room in enumerate(kept)
    }
    fixed: dict[str, int] = {}
    start = 0
    for found in lowered.blocks:
        for memory in found.gradients:
            life = lives[rooms[memory]]
            fixed[life.name] = start
            start += life.bytes
        start = aligned(start)
    offsets, size = arrange(list(lives.values()), fixed)
    _share_names(rooms)
    table = {room: offsets[life.name] for room, life in lives.items()}
    return Placed(rooms, table, size, most_alive(list(lives.values())), frozenset(dropped))


def _temporaries(lowered: Lowered) -> list[Memory]:
    memories = [b.value for b in lowered.bound if isinstance(b.value, Memory)]
    return [m for m in memories if m.cell is None]


def _rooms(memories: list[Memory]) -> dict[Memory, Room]:
    rooms: dict[Memory, Room] = {}
    for memory in memories:  # in the order of their first operation
        rooms[memory] = Room([memory])
        for old in memory.in_place_of:
            if old.cell is not None or old.seen != memory.seen or not _ends(old, memory):
                continue  # torch refuses two forms of one place, even if only by axes of size 1
            if rooms[old].members[-1] is old:
                rooms[memory] = rooms[old]
                rooms[old].members.append(memory)
                break
    return rooms


def _ends(old: Memory, new: Memory) -> bool:
    """Whether nothing but the operation that makes `new` reads `old` from then on, and that reads
    it entry by entry."""
    return old.last == new.first and old.viewed < new.first


def _computed_there(room: Room, cell: Memory) -> bool:
    """Whether a value may be made in a cell: what reads the old one is done."""
    first = room.members[0]
    return room.cell is None and (
        cell.last < first.first or (cell in first.in_place_of and _ends(cell, first))
    )


def _share_names(rooms: Mapping[Memory, Room]) -> None:
    """What has no name takes that of what comes next in its place."""
    for room in dict.fromkeys(rooms.values()):
        for old, new in reversed(list(zip(room.members, room.members[1:], strict=False))):
            if nameless(old.name) and not nameless(new.name):
                old.name.id = new.name.id
