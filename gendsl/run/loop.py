"""The training loop: steps, metrics, evaluation, checkpoints, pictures, in that order.

In: a job, its compiled functions, an acquired folder and where to start. Out: the last step and
values. Always: what is written for step s depends only on the job and s (see `cadence`), and every
line of step s is on the disk before the checkpoint of step s is; so a run that is killed anywhere
and resumed from its newest checkpoint writes what an unbroken one does, bit for bit. The clock
decides about nothing but further checkpoints: what one of these holds is again a function of its
step. Values that are not finite never reach a checkpoint.
"""

from __future__ import annotations

import json
import math
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import FrameType
from typing import Any

import numpy as np

from gendsl.data.order import batch_indices
from gendsl.diagnostics.model import GendslError, fail
from gendsl.noise import Noise
from gendsl.run import cadence, checkpoint
from gendsl.run.compiled import Compiled, evaluated_rows, schedule_at
from gendsl.run.evaluate import has_ema, held_out
from gendsl.run.folder import RunFolder
from gendsl.run.job import Job
from gendsl.run.metrics import Journal, Record
from gendsl.run.progress import Progress
from gendsl.run.sample import write_progress

Array = np.ndarray[Any, Any]


@dataclass
class StopFlag:
    """Set by the first Ctrl-C (or a polite kill): the loop saves and ends after its step."""

    requested: bool = False


@contextmanager
def stop_on_signals() -> Iterator[StopFlag]:
    """The first SIGINT or SIGTERM sets the flag, the second interrupts at once."""
    flag = StopFlag()
    if threading.current_thread() is not threading.main_thread():
        yield flag
        return

    def handle(number: int, frame: FrameType | None) -> None:
        if flag.requested:
            raise KeyboardInterrupt
        flag.requested = True

    before = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield flag
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@dataclass(frozen=True)
class Outcome:
    """Where the loop ended: after `step` steps with `values`; `seconds` of this session."""

    step: int
    values: Mapping[str, Array]
    held_out: Mapping[str, float]
    seconds: float
    interrupted: bool


@dataclass
class Loop:
    """One session of training. `train` runs it; the other methods are its parts."""

    job: Job
    compiled: Compiled
    folder: RunFolder
    progress: Progress
    stop: StopFlag
    clock: Callable[[], float] = time.monotonic
    metrics: Journal = field(init=False)
    timings: Journal = field(init=False)
    began: float = field(init=False, default=0.0)
    saved: int = field(init=False, default=-1)
    saved_at: float = field(init=False, default=0.0)
    last: Mapping[str, float] = field(init=False, default_factory=dict)
    trained: Mapping[str, float] = field(init=False, default_factory=dict)

    def train(self, start: int, values: Mapping[str, Array]) -> Outcome:
        """Steps `start` + 1 .. `job.steps`, beginning with `values`."""
        self.metrics, self.timings = Journal(self.folder.metrics), Journal(self.folder.timings)
        self.began = self.saved_at = self.clock()
        self.saved = start if start else -1
        self.compiled.step.load(values)
        self.progress.start(start, self.job.steps)
        try:
            done = self._steps(start, values)
            if done > start:
                self._look(wait=True)
            current = self.compiled.step.values()
            if done == self.job.steps and (self._capped or not cadence.evaluates(done)):
                self._evaluate(done, current, final=True)
            self._save(done, current)
            self._time(done)
        finally:
            self.progress.stop()
            self.metrics.close()
            self.timings.close()
        seconds = self.clock() - self.began
        return Outcome(done, current, self.last, seconds, done < self.job.steps)

    @property
    def _capped(self) -> bool:
        """Whether evaluations during training leave examples out."""
        return len(evaluated_rows(self.job, False)) < len(evaluated_rows(self.job, True))

    def _steps(self, start: int, values: Mapping[str, Array]) -> int:
        if start == 0:
            self._evaluate(0, values)
        elif cadence.evaluates(start) and start == self.job.steps and not self._capped:
            ema = has_ema(values)
            self.last = held_out(self.job, self.compiled, values, start, ema=ema)
        for index in range(start, self.job.steps):
            if self.stop.requested:
                return index
            self._step(index)
        return max(start, self.job.steps)

    def _step(self, index: int) -> None:
        """Step number `index` (from 0), and all that is due once it is done."""
        job, done = self.job, index + 1
        batch: dict[str, Array] = {}
        if job.examples is not None:
            rows = batch_indices(job.examples.train_count, job.batch, job.seed, index)
            batch = job.examples.train(rows)
        noise = Noise(job.seed, "train", index)
        self.compiled.step.run(batch, dict(job.settings.hypers), noise)
        self._look(wait=cadence.logs(done))
        if cadence.logs(done):
            scheduled = schedule_at(job, self.compiled, index)
            self._record(Record(done, "train", self.trained, hypers=scheduled))
            self._time(done)
        self.progress.step(done, self.trained)
        self._after(done)

    def _look(self, *, wait: bool) -> None:
        """Check the metrics of every step that has become known; all that were taken if `wait`.
        A device may be a few steps behind, and only who waits for it makes it stand still."""
        step = self.compiled.step
        if wait:
            step.metrics()
        for index, found in step.latest():
            require_finite(found, index + 1, "training", self.saved)
            self.trained = found

    def _after(self, done: int) -> None:
        evaluates, draws, saves = (
            cadence.evaluates(done),
            cadence.draws(done),
            cadence.checkpoints(done) or self.clock() - self.saved_at >= cadence.CHECKPOINT_SECONDS,
        )
        if not (evaluates or draws or saves):
            return
        self._look(wait=True)
        values = self.compiled.step.values()
        if evaluates:
            self._evaluate(done, values)
        if draws:
            self._draw(done, values)
        if saves:
            self._save(done, values)

    def _evaluate(self, step: int, values: Mapping[str, Array], final: bool = False) -> None:
        """Raw weights, and averaged ones where there are some: the latter are the result. The last
        evaluation of a run is over the whole held-out part."""
        job, made = self.job, self.compiled
        for weights in ("raw", "ema") if has_ema(values) else ("raw",):
            found = held_out(job, made, values, step, ema=weights == "ema", whole=final)
            if found:
                require_finite(found, step, "held-out", self.saved)
                self._record(Record(step, "heldout", found, weights, final=final))
                self.last = found
        # An evaluation of some examples at the very end is recorded, and not what the run is worth.
        if self.last and (final or step < self.job.steps or not self._capped):
            self.progress.evaluated(step, self.last)

    def _draw(self, step: int, values: Mapping[str, Array]) -> None:
        require_finite_values(values, step, self.saved)
        write_progress(self.job, self.compiled, values, step, self.folder.samples)

    def _save(self, step: int, values: Mapping[str, Array]) -> None:
        if step == self.saved:
            return
        require_finite_values(values, step, self.saved)
        self.metrics.sync()
        found = checkpoint.Checkpoint(step, values, self.job.source.graph_hash)
        checkpoint.save(self.folder.checkpoints, found)
        self.saved, self.saved_at = step, self.clock()

    def _record(self, record: Record) -> None:
        self.metrics.write([record.line()])

    def _time(self, step: int) -> None:
        elapsed = round(self.clock() - self.began, 4)
        line = {"step": step, "seconds": elapsed, "clock": round(time.time(), 3)}
        self.timings.write([json.dumps(line) + "\n"])


def require_finite(metrics: Mapping[str, float], step: int, split: str, saved: int) -> None:
    """E1053 for the first term that is not a number: terms before the objectives they add up to."""
    for name in sorted(metrics, key=lambda n: -n.count(".")):
        if not math.isfinite(metrics[name]):
            raise diverged(f"`{name}` is {metrics[name]} in {split}", step, saved)


def require_finite_values(values: Mapping[str, Array], step: int, saved: int) -> None:
    """The same for parameters and optimizer state."""
    for key, value in values.items():
        if value.dtype.kind == "f" and not np.isfinite(value).all():
            kind, name = key.split(":", 1)
            what = {"param": "the parameter", "slot": "the optimizer state", "state": "the state"}
            raise diverged(f"{what.get(kind, kind)} `{name}` is not finite", step, saved)


def diverged(what: str, step: int, saved: int) -> GendslError:
    kept = (
        f"the checkpoint of step {saved} is kept" if saved > 0 else "no checkpoint was written yet"
    )
    return fail(
        "E1053",
        f"training diverged at step {step}: {what}",
        notes=(kept,),
        help="a smaller learning rate or `clip 1.0` in `train:` usually helps; a term that takes "
        "log or sqrt of a value near 0 needs a form that is stable there",
    )
