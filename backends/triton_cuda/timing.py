"""How long a launch takes on the device at hand: many of it in one captured graph.

In: a plan in memory and a launch of it, perhaps with other constants. Out: seconds. Always: what is
measured is the device's own clock around replays of a graph, so neither Python nor the driver's
cost of a launch is in it; memory holds what the plan has left there (numbers do not change how
long a dense kernel takes).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from statistics import median

from backends.triton_cuda.launch import Launch
from backends.triton_cuda.machine import Cuda
from backends.triton_cuda.runtime import Running

REPEATS = 20  # launches in a graph
ROUNDS = 5


def whole(running: Running, machine: Cuda) -> float:
    """What a run that was recorded takes without the host: its inputs are there already."""

    def several() -> None:
        for _ in range(REPEATS):
            running.again()

    running.again()
    return median(machine.seconds(several) for _ in range(ROUNDS)) / REPEATS


def measurer(running: Running, machine: Cuda) -> Callable[[Launch], float]:
    """What measures launches of a plan in memory."""

    def measure(launch: Launch) -> float:
        from triton.runtime.errors import OutOfResources

        try:
            replay = machine.record(lambda: running.enqueue([launch] * REPEATS))
        except OutOfResources:  # the list was pruned for what compiling says, not for every device
            return math.inf
        replay()
        return median(machine.seconds(replay) for _ in range(ROUNDS)) / REPEATS

    return measure
