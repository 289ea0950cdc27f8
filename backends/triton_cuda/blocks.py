"""The memory of a plan as four blocks of bytes, and its named memories as views of them.

In: a plan and a machine. Out: `Blocks`. The blocks, by the roles of what lies in them: *carried*
(parameters, optimizer slots, states, averages), *inbox* (what the host writes before each run:
batch, arguments, hyperparameters, numbers, draw keys, step), *outbox* (what it reads afterwards)
and the *arena* of temporaries, where the plan says what lies where. Of inboxes there is one for
each of the plan's turns. Always: every memory starts at a multiple of 64 bytes, so that loads can
be 16 bytes wide; one copy moves a whole block.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

from backends.triton_cuda.launch import ALIGNMENT, KernelPlan, Memory
from backends.triton_cuda.machine import Machine, OutOfMemory
from gendsl.shape.tensor_type import Bool, Elem, Fin, Real

CARRIED = ("param", "slot", "state", "ema")
INBOX = ("data", "argument", "hyper", "host", "step")
OUTBOX = ("output",)
OWNED = (CARRIED, INBOX, OUTBOX)


def torch_type(elem: Elem) -> torch.dtype:
    """How entries lie in memory."""
    match elem:
        case Fin():
            return torch.int32
        case Bool():
            return torch.int8
        case Real():
            return torch.float32


def aligned(size: int) -> int:
    return -(-size // ALIGNMENT) * ALIGNMENT


def places(memories: Iterable[Memory]) -> tuple[dict[str, int], int]:
    """Where each memory starts when they lie one after another, and the size of it all."""
    offset, found = 0, {}
    for memory in memories:
        found[memory.name] = offset
        offset += aligned(memory.bytes)
    return found, offset


def group(plan: KernelPlan, roles: tuple[str, ...]) -> list[Memory]:
    return [memory for memory in plan.memory.values() if memory.role in roles]


def bytes_of(plan: KernelPlan) -> int:
    """What a plan takes on the device."""
    kept = sum(places(group(plan, roles))[1] for roles in OWNED)
    more = (plan.turns - 1) * places(group(plan, INBOX))[1]
    return kept + more + plan.arena_bytes


class Part:
    """One block on the machine: bytes, and the memories in it by name."""

    def __init__(
        self, machine: Machine, memories: list[Memory], offsets: Mapping[str, int], size: int
    ) -> None:
        self.memories = {memory.name: memory for memory in memories}
        self.offsets = offsets
        self.size = size
        self.block = machine.block(max(size, ALIGNMENT))

    def view(self, name: str, block: Tensor | None = None) -> Tensor:
        """The memory of that name in the block, or in a mirror of it."""
        memory, start = self.memories[name], self.offsets[name]
        piece = (self.block if block is None else block)[start : start + memory.bytes]
        return piece.view(torch_type(memory.elem)).view(memory.shape)

    def arrays(self, mirror: Tensor) -> dict[str, np.ndarray[Any, Any]]:
        """The memories in a mirror, as arrays that share its memory."""
        return {name: self.view(name, mirror).numpy() for name in self.memories}


class Blocks:
    """All memory of a plan on a machine; `views` are the memories by name, for each turn. Raises
    `OutOfMemory`."""

    def __init__(self, machine: Machine, plan: KernelPlan) -> None:
        temporary = group(plan, ("temporary",))
        owned = (CARRIED, OUTBOX, *[INBOX] * plan.turns)
        layouts = [
            *((members, *places(members)) for members in map(partial(group, plan), owned)),
            (temporary, {memory.name: memory.offset for memory in temporary}, plan.arena_bytes),
        ]
        parts: list[Part] = []
        for members, offsets, size in layouts:
            try:
                parts.append(Part(machine, members, offsets, size))
            except OutOfMemory as problem:
                free = problem.free + sum(part.size for part in parts)
                raise OutOfMemory(bytes_of(plan), free) from problem
        self.carried, self.outbox, *inboxes, self.arena = parts
        self.inboxes = tuple(inboxes)
        shared = (self.carried, self.outbox, self.arena)
        views = {name: part.view(name) for part in shared for name in part.memories}
        self.views = tuple(
            {**views, **{name: inbox.view(name) for name in inbox.memories}} for inbox in inboxes
        )
