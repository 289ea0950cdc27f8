"""How a contender is asked: one process each, commands on stdin, answers on stdout as JSON lines.

In: `MATERIAL` (an .npz: "param:PATH" initial weights, "batch" with pictures `(batches, B, ...)`,
"noise:PATH" `(batches, B, ...)`; compared step i takes number i of both) and commands:

- `check`: losses of the first steps, with the noise of the file; before any `time`.
- `time N`: seconds of N training steps that draw their own noise, after a few that do not count.
- `quit`.

Before the first command it takes the first of the compared steps, and says how long that took from
the start of the process (`BENCH_STARTED` is the clock then); or why it cannot take part.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import NoReturn, Protocol

import numpy as np

Arrays = Mapping[str, np.ndarray]
UNTIMED = 3  # steps at the start of a turn: another process has had the caches


class Contender(Protocol):
    """A model with its optimizer. Batches and noise are numbered as in the material."""

    def given_step(self, number: int) -> list[float]:
        """Step `number` with the noise of the file; the loss of each player."""

    def step(self, number: int) -> None:
        """A step on batch `number` modulo their count, with noise of its own."""

    def wait(self) -> None:
        """Return when everything that was started is done."""


def material(path: str) -> Arrays:
    with np.load(path) as archive:
        return {name: archive[name] for name in archive.files}


def given(arrays: Arrays) -> dict[str, np.ndarray]:
    """The noise of the compared steps, by path."""
    return {k.partition(":")[2]: v for k, v in arrays.items() if k.startswith("noise:")}


def weights(arrays: Arrays) -> dict[str, np.ndarray]:
    """The initial weights, by path."""
    return {k.partition(":")[2]: v for k, v in arrays.items() if k.startswith("param:")}


def serve(contender: Contender, arrays: Arrays) -> None:
    """Answer commands until the end."""
    compared = len(arrays["batch"])
    losses = [contender.given_step(0)]
    _say({"first_step": time.time() - float(os.environ["BENCH_STARTED"])})
    taken = 0
    for line in sys.stdin:
        match line.split():
            case ["check"]:
                losses += [contender.given_step(i) for i in range(1, compared)]
                _say({"losses": losses})
            case ["time", count]:
                for number in range(taken, taken + UNTIMED):
                    contender.step(number)
                contender.wait()
                taken += UNTIMED
                began = time.perf_counter()
                for number in range(taken, taken + int(count)):
                    contender.step(number)
                contender.wait()
                _say({"seconds": time.perf_counter() - began})
                taken += int(count)
            case ["quit"]:
                return
            case _:
                raise SystemExit(f"unknown command {line!r}")


def arguments(contenders: tuple[str, ...]) -> tuple[str, str, Arrays]:
    """WORKLOAD CONTENDER MATERIAL of the command line."""
    if len(sys.argv) != 4 or sys.argv[2] not in contenders:
        script = Path(sys.argv[0]).name
        raise SystemExit(f"usage: {script} WORKLOAD {{{','.join(contenders)}}} MATERIAL.npz")
    return sys.argv[1], sys.argv[2], material(sys.argv[3])


def unavailable(reason: str) -> NoReturn:
    """End without having taken part, and say why."""
    _say({"unavailable": reason})
    raise SystemExit(0)


def _say(answer: Mapping[str, object]) -> None:
    print(json.dumps(answer), flush=True)
