"""A run of `python -m benchmarks.cuda`: what is measured, in which order, within the time.

In: names of workloads and rivals, a budget. Out: results, which lie in files after every answer.
Always: one order at a time but for getting ready; a workload whose process is lost takes no more
part, and the others go on. Nothing here touches the device: the processes of workloads do.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, replace
from typing import IO, Any

from benchmarks.gpu import contest, table
from benchmarks.gpu.child import Child, Lost
from benchmarks.gpu.device import Device
from benchmarks.gpu.ours import ours
from benchmarks.gpu.results import Results
from benchmarks.gpu.table import OURS, Row, summary

PREPARING, STEP, BUILDING = 200.0, 90.0, 200.0  # seconds for one order, at most
DRY_BUDGET = 120.0  # of a dry run


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


@contextmanager
def children(names: Sequence[str], log: IO[str]) -> Iterator[dict[str, Child]]:
    """A process for each workload, which getting ready is the first order to."""
    started = {name: Child(name, log) for name in names}
    try:
        yield started
    finally:
        for child in started.values():
            child.end()


class Run:
    """Orders to the processes of workloads, one at a time, until the time is over."""

    def __init__(self, started: Mapping[str, Child], results: Results, seconds: float) -> None:
        self._alive = dict(started)
        self._results = results
        self._end = time.monotonic() + seconds

    @property
    def left(self) -> float:
        return self._end - time.monotonic()

    def order(self, name: str, do: str, **more: Any) -> bool:
        """Ask for something without waiting; whether there is somebody to ask."""
        if name not in self._alive:
            return False
        try:
            self._alive[name].order(do, **more)
        except Lost as lost:
            self._lost(name, OURS, do, str(lost))
        return name in self._alive

    def wait(self, name: str, who: str, limit: float, do: str) -> None:
        """Take the answer to what was asked last on behalf of a contender."""
        if name not in self._alive:
            return
        try:
            found = self._alive[name].answer(min(limit, self.left))
        except Lost as lost:
            self._lost(name, who, do, str(lost))
            return
        self._results.add(found)
        if found["problem"]:
            say(f"{name}, {who}, {do}: {found['problem']}")

    def ask(self, name: str, who: str, limit: float, do: str, **more: Any) -> None:
        """Ask and wait."""
        if self.order(name, do, **more):
            self.wait(name, who, limit, do)
        else:
            self._results.lacking(name, who, "the process of this workload was lost before")

    def _lost(self, name: str, who: str, do: str, why: str) -> None:
        """A workload whose process is lost takes no more part."""
        self._alive.pop(name).end()
        row = self._results.rows.get(name) or planned(name)
        row = replace(row, absent={who: why})
        self._results.add({"row": asdict(row), "ceilings": None})
        say(f"{name}, {who}, {do}: {why}")


def measured(
    started: Mapping[str, Child], results: Results, budget: float, how: Mapping[str, Any]
) -> bool:
    """Whether every workload's own step was measured; what was found is in the results. `how`: the
    `rounds` and seconds of a `turn`."""
    run = Run(started, results, budget)
    eager = [rival for rival in results.rivals if not rival.startswith("compile")]
    asked = [name for name in started if run.order(name, "prepare")]
    for name in asked:
        run.wait(name, OURS, PREPARING, "prepare")
    for name in started:
        if results.ceilings is None:
            run.ask(name, OURS, STEP, "ceilings")
    for name in started:
        run.ask(name, OURS, STEP, "compare")
        run.ask(name, OURS, STEP, "kernels")
        if any(results.lacks(name, who) for who in (OURS, *eager)):
            run.ask(name, OURS, STEP, "measure", rivals=eager, **how)
        say(summary(results.rows[name]))
    for rival in (rival for rival in results.rivals if rival not in eager):
        for name in filter(lambda name: results.lacks(name, rival), started):
            if run.left > STEP / 3:
                run.ask(name, rival, BUILDING, "measure", rivals=[rival], **how)
                say(summary(results.rows[name]))
            else:
                results.lacking(name, rival, "no time was left for it")
    return all(not results.lacks(name, OURS) for name in started)


def tried(names: Sequence[str], rivals: Sequence[str], device: Device) -> str:
    """The table of a dry run: everything is called, and no time is kept."""
    from backends.triton_cuda.interpreter import quick  # imports triton

    began, rows = time.monotonic(), []
    with quick():
        for name in names:
            if time.monotonic() - began > DRY_BUDGET:
                rows.append(planned(name))
                rows[-1].absent["gendsl"] = "no time was left for it in the dry run"
                continue
            made = contest.Contest(name, device)
            made.prepare()
            made.compare()
            made.measure(rivals, 1, 0.0)
            rows.append(made.row)
            say(f"{name}: losses differ by {made.row.difference:.1e}")
            made.row.times.clear()
    return table.text(rows, device.title, None, rivals)


def planned(name: str) -> Row:
    """What the plan of a workload says."""
    made = ours(name, {})
    return Row(name, "float32", made.plan.launch_count, made.plan.flops, made.traffic)
