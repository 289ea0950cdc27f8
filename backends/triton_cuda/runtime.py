"""Running a plan: memory, kernels, inputs from the host, and results back to it.

In: a `KernelPlan`, its source text, and the machine. Out: `Running`, which takes the values of
input memories and runs all launches in order. Always: on CUDA a run is two copies and one replay of
a captured graph; the batch of a step is copied beside the kernels of the step before, into an inbox
that these do not read; the host never waits except for a mirror that a copy from two runs ago still
reads, and for results that somebody asks for.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from torch import Tensor

from backends.triton_cuda.blocks import Blocks
from backends.triton_cuda.launch import KernelPlan, Launch, Repeat, Step
from backends.triton_cuda.machine import Machine, Mark, Replay, Ticket
from gendsl.diagnostics.model import GendslError, fail

Array = np.ndarray[Any, Any]
Fill = Callable[[Mapping[str, Array]], None]
Mirror = tuple[Tensor, Mapping[str, Array]]

_MIRRORS = 2  # one is written by the host while the other may still be read by a copy
_OUTBOXES = 8  # so many runs may be under way
# Launches of a loop that become part of one graph; the body of a longer loop is a graph of its own,
# replayed so many times: a sampler of a thousand steps is captured as quickly as one step.
_UNROLLED = 256


class Inbox:
    """The inboxes and mirrors of one, each written in turn."""

    def __init__(self, machine: Machine, blocks: Blocks) -> None:
        self._machine = machine
        self._blocks = [inbox.block for inbox in blocks.inboxes]
        self._free: list[Mark] = [machine.mark() for _ in self._blocks]  # zeroed, or read
        mirrors = [machine.mirror(self._blocks[0].numel()) for _ in range(_MIRRORS)]
        self._mirrors = [(mirror, blocks.inboxes[0].arrays(mirror)) for mirror in mirrors]
        self._copied: list[Ticket | None] = [None] * _MIRRORS
        self._number = -1

    @property
    def turn(self) -> int:
        """The inbox that was written last."""
        return max(self._number, 0) % len(self._blocks)

    def send(self, fill: Fill) -> None:
        """Let `fill` write every memory of the inbox, and copy it to the machine, once nobody
        reads there what was sent before."""
        place = (self._number + 1) % _MIRRORS
        mirror, arrays = self._mirrors[place]
        wait = self._copied[place]
        if wait is not None:
            wait()
        fill(arrays)
        self._number += 1
        turn = self.turn
        self._copied[place] = self._machine.send(self._blocks[turn], mirror, self._free[turn])

    def read(self) -> None:
        """All that reads what was sent last has been asked for."""
        self._free[self.turn] = self._machine.mark()


class Outbox:
    """Mirrors of the outbox block, read when they have arrived."""

    def __init__(self, machine: Machine, blocks: Blocks) -> None:
        self._machine = machine
        self._part = blocks.outbox
        mirrors = [machine.mirror(self._part.block.numel()) for _ in range(_OUTBOXES)]
        pairs = ((mirror, self._part.arrays(mirror)) for mirror in mirrors)
        self._free: deque[Mirror] = deque(pairs)
        self._under_way: deque[tuple[int, Ticket, Mirror]] = deque()

    @property
    def full(self) -> bool:
        """Whether the next `fetch` needs a `take` before."""
        return not self._free

    def fetch(self, number: int) -> None:
        """Have the results of run `number` come, after all that was asked for before."""
        mirror = self._free.popleft()
        self._under_way.append((number, self._machine.copy(mirror[0], self._part.block), mirror))

    def take(self, read: Callable[[int, Mapping[str, Array]], None]) -> None:
        """Wait for the oldest results under way and read them."""
        number, wait, mirror = self._under_way.popleft()
        wait()
        read(number, mirror[1])
        self._free.append(mirror)

    def __len__(self) -> int:
        return len(self._under_way)


class Running:
    """A plan with its memory on a machine. Raises `OutOfMemory` when it does not fit."""

    def __init__(self, plan: KernelPlan, kernels: Mapping[str, Any], machine: Machine) -> None:
        self.plan = plan
        self.kernels = kernels
        self._machine = machine
        self.blocks = Blocks(machine, plan)
        self._inbox = Inbox(machine, self.blocks)
        self.outbox = Outbox(machine, self.blocks)
        self._kept = machine.mirror(self.blocks.carried.block.numel())
        self._replays: dict[int, Replay] = {}  # by turn

    def load(self, values: Mapping[str, Array]) -> None:
        """Set carried memories by name; those that are not named become zero."""
        arrays = self.blocks.carried.arrays(self._kept)
        for name, array in arrays.items():
            array[...] = values.get(name, 0)
        self._machine.copy(self.blocks.carried.block, self._kept)()

    def carried(self) -> dict[str, Array]:
        """Copies of all carried memories."""
        self._machine.copy(self._kept, self.blocks.carried.block)()
        arrays = self.blocks.carried.arrays(self._kept)
        return {name: array.copy() for name, array in arrays.items()}

    def result(self, name: str, outbox: Mapping[str, Array]) -> Array:
        """A copy of a memory after the last run; `outbox` are the results that have arrived."""
        if name in outbox:
            return outbox[name].copy()
        view = self.blocks.views[self._inbox.turn][name]
        mirror = self._machine.mirror(view.numel() * view.element_size()).view(view.dtype)
        self._machine.copy(mirror, view.reshape(-1))()
        array: Array = mirror.numpy().reshape(view.shape)
        return array

    def run(self, fill: Fill, number: int) -> None:
        """Once through all launches, with inputs that `fill` writes; results come to the outbox,
        which must not be full."""
        self._inbox.send(fill)
        turn = self._inbox.turn
        if turn not in self._replays:
            self._replays[turn] = self._recorded(turn)
        self._replays[turn]()
        self._inbox.read()
        self.outbox.fetch(number)

    def again(self) -> None:
        """The launches of the last run once more, on what they have left; nothing is fetched."""
        self._replays[self._inbox.turn]()

    def _recorded(self, turn: int) -> Replay:
        """The launches as a replay. Recording may run them, so what they update is put back: from
        the mirror, which takes no memory of the device that the plan has not said."""
        carried = self.blocks.carried.block
        self._machine.copy(self._kept, carried)()
        try:
            if not self._replays:
                self._machine.once(lambda: self.enqueue(self.plan.setup))
            replay = self._program(self.plan.launches, turn)
        except Exception as problem:
            said = _said(problem)
            if said is None:
                raise
            raise said from problem
        self._machine.copy(carried, self._kept)()
        return replay

    def _program(self, steps: Sequence[Step], turn: int) -> Replay:
        """These steps as replays in order. Each piece is recorded, and may run, after those before
        it: it finds the indices that it reads."""
        pieces: list[Replay] = []
        pending: list[Step] = []

        def flush() -> None:
            if pending:
                chosen = tuple(pending)
                pieces.append(self._machine.record(lambda: self.enqueue(chosen, turn)))
                pending.clear()

        for step in steps:
            if isinstance(step, Repeat) and launches_of(step) > _UNROLLED:
                flush()
                pieces.append(self._loop(step, turn))
            else:
                pending.append(step)
        flush()
        if len(pieces) == 1:
            return pieces[0]

        def replay() -> None:
            for piece in pieces:
                piece()

        return replay

    def _loop(self, loop: Repeat, turn: int) -> Replay:
        """A loop over a recorded body, which counts up the index itself."""
        index = self.blocks.views[turn][loop.index]

        def zero() -> None:
            index.zero_()

        def start() -> None:
            self._machine.once(zero)

        start()
        body = self._program(loop.body, turn)

        def replay() -> None:
            start()
            for _ in range(loop.count):
                body()

        return replay

    def enqueue(self, steps: Iterable[Step], turn: int = 0) -> None:
        """Launch the kernels of these steps, in order, over the inbox of a turn."""
        views = self.blocks.views[turn]
        for step in steps:
            match step:
                case Repeat(count=count, index=index, body=body):
                    views[index].zero_()
                    for _ in range(count):
                        self.enqueue(body, turn)
                case Launch():
                    self.kernels[step.kernel][(step.grid,)](
                        *(views[name] for name in step.arguments),
                        **self._machine.constants(step.constants),
                        num_warps=step.warps,
                        num_stages=step.stages,
                    )


def launches_of(step: Step) -> int:
    """How many kernels a step launches."""
    match step:
        case Repeat(count=count, body=body):
            return count * sum(map(launches_of, body))
        case Launch():
            return 1


def _said(problem: Exception) -> GendslError | None:
    """E0905 for a kernel that this device has not enough of something for; None for other
    problems."""
    from triton.runtime.errors import OutOfResources

    if not isinstance(problem, OutOfResources):
        return None
    return fail(
        "E0905",
        f"a kernel takes {problem.required:,} of {problem.name}, and this device has "
        f"{problem.limit:,}",
        help="kernels are written for devices like the H100; make rows or windows smaller "
        "(`--set NAME=VALUE`), or run on the CPU with `--cpu`",
    )
