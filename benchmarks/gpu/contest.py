"""One workload in a process of its own: `python -m benchmarks.gpu.contest NAME`.

In: orders on stdin, one JSON object a line: {"do": "prepare" | "compare" | "kernels" | "ceilings"},
or {"do": "measure", "rivals": [...], "rounds": N, "turn": SECONDS}. Out: for each order one line
{"row": what is known of the workload by now, "ceilings": ..., "problem": text or null} on stdout.
Always: what a contender prints goes to stderr; a problem in an order leaves the process ready for
the next one, and a process that dies takes no other workload with it.
"""

from __future__ import annotations

import json
import os
import sys
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from backends.triton_cuda import TARGET as CUDA
from benchmarks.gpu.device import Device, Work
from benchmarks.gpu.ours import Ours, ours
from benchmarks.gpu.rivals import contender, use
from benchmarks.gpu.table import OURS, Row

COMPARED = 10
DRY_EXAMPLES, DRY_COMPARED = 8, 2


class Contest:
    """Our step of one workload, and its rivals as they are built."""

    def __init__(self, name: str, device: Device) -> None:
        self.device, self.dry = device, not device.cuda
        # tiles that were tuned on this device before are used
        target = CUDA if self.dry else CUDA.keeping_plans()
        self.made: Ours = ours(name, {"B": DRY_EXAMPLES} if self.dry else {}, target)
        plan = self.made.plan
        self.row = Row(name, "float32", plan.launch_count, plan.flops, self.made.traffic)
        self.built: dict[str, Work] = {}

    def prepare(self) -> None:
        """All that needs no turn on the device: the losses to compare with, kernels compiled."""
        self.made.reference(DRY_COMPARED if self.dry else COMPARED)
        if not self.dry:
            from backends.triton_cuda import ahead, machine

            device = machine.here()
            assert isinstance(device, machine.Cuda)
            ahead.compile_all(self.made.plan, self.made.source, device.capability())

    def compare(self) -> None:
        """Our losses next to the CPU target's."""
        self.row.difference = self.made.difference(DRY_COMPARED if self.dry else COMPARED)

    def kernels(self) -> None:
        """What the device takes for a step, and for each launch of it on its own."""
        self._ours()
        self.row.device, self.row.kernels = self.made.on_the_device()

    def measure(self, rivals: Sequence[str], rounds: int, turn: float) -> None:
        """Ours and these rivals in turns, in an order that rotates."""
        use(self.row.policy)
        running: dict[str, Work] = {OURS: self._ours()}
        for rival in rivals:
            if self.dry and rival.startswith("compile"):
                self.row.absent[rival] = "compiling takes minutes, which a dry run leaves out"
                continue
            try:
                running[rival] = self._rival(rival)
                self.row.absent.pop(rival, None)
            except Exception as problem:  # a rival that cannot run is reported, not hidden
                traceback.print_exc()
                said = (str(problem).splitlines() or [""])[0][:120]
                self.row.absent[rival] = f"{type(problem).__name__}: {said}"
        times = turns(running, self.device, rounds, turn)
        beside = times.pop(OURS)
        self.row.times.setdefault(OURS, beside)
        for rival, found in times.items():
            self.row.times[rival], self.row.beside[rival] = found, beside

    def _ours(self) -> Work:
        if OURS not in self.built:
            self.built[OURS] = self.made.contender()
        return self.built[OURS]

    def _rival(self, rival: str) -> Work:
        if rival not in self.built:
            values = self.made.values.items()
            params = {k.partition(":")[2]: v for k, v in values if k.startswith("param:")}
            name, batches = self.row.workload, self.made.batches
            self.built[rival] = contender(rival, name, self.device, params, batches)
        return self.built[rival]


def turns(
    running: Mapping[str, Work], device: Device, rounds: int, turn: float
) -> dict[str, list[float]]:
    """Seconds per step of each turn. Without a device everybody has one turn of one step."""
    counts = {who: _count(work, device, turn) for who, work in running.items()}
    order, found = list(running), {who: list[float]() for who in running}
    for number in range(rounds if device.cuda else 1):
        shift = number % len(order)
        for who in (*order[shift:], *order[:shift]):
            found[who].append(device.seconds(running[who], counts[who]))
    return found


def _count(work: Work, device: Device, turn: float) -> int:
    """Steps that take about a turn."""
    return max(1, int(turn / max(1e-7, device.seconds(work, 3)))) if device.cuda else 1


def answer(contest: Contest, order: Mapping[str, Any]) -> dict[str, Any]:
    """Do what an order says."""
    found: dict[str, Any] = {"ceilings": None, "problem": None}
    doing: dict[str, Callable[[], None]] = {
        "prepare": contest.prepare,
        "compare": contest.compare,
        "kernels": contest.kernels,
        "ceilings": lambda: found.update(ceilings=asdict(contest.device.ceilings())),
        "measure": lambda: contest.measure(order["rivals"], order["rounds"], order["turn"]),
    }
    try:
        doing[order["do"]]()
    except Exception as problem:
        traceback.print_exc()
        said = (str(problem).splitlines() or [""])[0][:200]
        found["problem"] = f"{type(problem).__name__}: {said}"
    return {"row": asdict(contest.row), **found}


def main() -> int:
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # whatever contenders print
    device = Device()
    assert device.cuda, "no GPU is there"
    contest = Contest(sys.argv[1], device)
    for line in sys.stdin:
        print(json.dumps(answer(contest, json.loads(line))), file=answers, flush=True)
    answers.flush()
    os._exit(0)  # threads and processes of contenders are not waited for


if __name__ == "__main__":
    sys.exit(main())
