"""One `gendsl run`, from the command line's options to an exit code.

In: `RunOptions`. Out: 0 (trained, or nothing left to do), 1 (the program, its claims, the data, the
device, the folder or a checkpoint is wrong, or training diverged), 130 (interrupted). Always:
nothing is written before everything that can be refused has been; what is written can be resumed.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from gendsl.diagnostics.counted import counted
from gendsl.diagnostics.model import Diagnostic, GendslError, Sink, fail
from gendsl.driver import Analysis, deep
from gendsl.ir.step import StepGraph
from gendsl.options import FRONT_STAGES, RunOptions
from gendsl.precision import FLOAT32, PRECISIONS
from gendsl.run import checkpoint, compiled, emit, kept, manifest, metrics, sample, startup
from gendsl.run.compiled import Compiled
from gendsl.run.eval_strips import write_strips
from gendsl.run.evaluate import readable
from gendsl.run.folder import RunFolder, choose, is_blank
from gendsl.run.job import NO_AVERAGES, Job, Source
from gendsl.run.kept import Entry, Kept
from gendsl.run.loop import Loop, Outcome, stop_on_signals
from gendsl.run.prepare import prepare, program_of, proved, read_program
from gendsl.run.progress import Progress, duration, short, view
from gendsl.run.record import final_manifest, first_manifest, thread_counts
from gendsl.run.report import timing_summary, write_report
from gendsl.run.targets import require_packages
from gendsl.source.text import SourceFile

INTERRUPTED = 130

FrontText = Callable[[Analysis, str], str | None]
Graphs = tuple[StepGraph, Mapping[str, Any]]  # the step, and the values before the first one
Made = tuple[Source, StepGraph, Mapping[str, Any]]  # these, and the program with its verdicts

Array = np.ndarray[Any, Any]


def run(options: RunOptions, front_text: FrontText, entry: Entry | None = None) -> int:
    """Do what was asked. Problems are raised as `GendslError`; warnings go to stderr.

    `front_text` prints a stage of the front half (`--emit ast`); `entry` is what `kept.look` found
    for a run, if it was asked before."""
    sink = Sink()
    if options.emit in FRONT_STAGES:
        analysis = read_program(options, sink, prove=False)
        print(front_text(analysis, options.emit), end="")
        return 0
    if options.emit is not None:
        analysis = read_program(options, sink, prove=False)
        warn(sink.sorted(), analysis.source)
        name = emit.TARGETS.get(options.emit, options.target)
        job = prepare(options, program_of(analysis, options), name, to_run=False)
        with deep():
            text = emit.back_text(options.emit, joint_graphs(job)[0], job)
        print(text, end="")
        return 0
    require_packages()
    folder = choose(options.name, options.out, options.resume)
    machine = options.format == "json"
    source, making = program(options, entry or kept.look(options), quiet=machine)
    job = prepare(options, source, options.target)
    shown = view(sys.stderr) if machine else view()
    if options.resume and is_blank(folder.path):
        shown.note(f"note     nothing to resume in {folder.path}: a new run")
    code = train(job, folder, making, shown)
    if machine:
        print(manifest.summary(manifest.read(folder.manifest), folder.path))
    return code


def program(
    options: RunOptions, entry: Entry, *, quiet: bool = True
) -> tuple[Source, Callable[[Job], Made]]:
    """The program to train, and the way to its verdicts and graphs, which may take long: as kept by
    an earlier run, else from its text, and kept once there are graphs. Raises E1054 on that way."""
    found = kept.opened(entry, options.texts)
    if found is not None:
        warn(found.warnings, found.file)
        return found.source, lambda job: (found.source, found.step, found.initial)
    sink = Sink()
    analysis = read_program(options, sink, prove=False)
    file, warnings = analysis.source, tuple(sink.sorted())
    assert file is not None
    warn(warnings, file)

    def making(job: Job) -> Made:
        source = program_of(proved(analysis, quiet=quiet), options)
        with deep():
            step, initial = joint_graphs(job)
            kept.keep(entry, Kept(source, file, warnings, analysis.imports, step, initial))
        return source, step, initial

    return program_of(analysis, options), making


def train(job: Job, folder: RunFolder, making: Callable[[Job], Made], shown: Progress) -> int:
    """Train in a chosen folder, or go on there; the exit code."""
    then = None if is_blank(folder.path) else manifest.read(folder.manifest)
    if then is not None:
        job = resumed_job(job, then)
        if then["finished"] and then["progress"]["step"] >= job.steps:
            shown.note(_finished_text(folder, then))
            return 0
    source, step, initial = making(job)
    job = replace(job, source=source)
    with deep():
        if job.tune:
            job = tuned_job(job, step, shown.note)
        made = compiled.compile_job(job, step, initial)
    compiled.check_schedules(job, made)
    sample.check_samplers(job)
    startup.over()
    return Session(job, made, folder, shown).run(then)


def tuned_job(job: Job, step: StepGraph, say: Callable[[str], None]) -> Job:
    """The job on a target that has measured the step's kernels. Other than by rounding, where sums
    are added up in another order, numbers do not change."""
    tuned = getattr(job.target, "tuned", None)
    if tuned is None:
        raise fail("E0901", f"{job.target.name} has nothing to measure", help="leave `--tune` out")
    say("tune     kernels with products, measured on this device")
    target = tuned(step, job.sizes, lambda line: say(f"         {line}"))
    return replace(job, target=target)


def warn(diagnostics: Sequence[Diagnostic], source: SourceFile | None) -> None:
    """Lints of the program, on stderr."""
    if not diagnostics:
        return
    from gendsl.diagnostics.render import render_text
    from gendsl.diagnostics.style import style_of

    text = render_text(
        diagnostics,
        lambda path: source if source is not None and source.path == path else None,
        style_of(sys.stderr),
    )
    print(text, end="", file=sys.stderr)


def joint_graphs(job: Job) -> Graphs:
    """Stage 5: the step after the job's graph passes."""
    from gendsl.passes.joint import initial, joint
    from gendsl.passes.pipeline import select, transform_step

    graph, recipe = job.source.graph, job.source.recipe
    step = transform_step(joint(graph, recipe), select(job.passes))
    return step, initial(graph, recipe)


def resumed_job(job: Job, then: manifest.Json) -> Job:
    """The job of a folder's run. Raises E1045 when this is another run.

    Without `--steps` the run goes on to where it was going; a length that came from the program
    follows the program."""
    manifest.require_same(then, job.identity(), f"{then['command']} --resume")
    if not job.steps_given and then["steps_given"]:
        return job.with_steps(then["steps"])
    return job


def _finished_text(folder: RunFolder, then: manifest.Json) -> str:
    step = then["progress"]["step"]
    further = manifest.further_command(then["command"], folder.path, 2 * max(1, step))
    return (
        f"{folder.path} is finished: {counted(step, 'step')} done\n"
        f"report: {folder.report}\n"
        f"train further with `{further}`"
    )


@dataclass
class Session:
    """A settled run in its folder. `run` may be called once."""

    job: Job
    compiled: Compiled
    folder: RunFolder
    progress: Progress

    def run(self, then: manifest.Json | None) -> int:
        """Train, then write what is left to write. `then` is the folder's manifest on resume."""
        self.folder.acquire()
        try:
            with stop_on_signals() as stop:
                start, values = self._begin(then)
                loop = Loop(self.job, self.compiled, self.folder, self.progress, stop)
                try:
                    outcome = loop.train(start, values)
                except GendslError as problem:
                    self._failed(problem, max(loop.saved, 0))
                    raise
                self._finish(outcome)
            return INTERRUPTED if outcome.interrupted else 0
        except KeyboardInterrupt:
            print(f"\ninterrupted; go on with `{self._resume()}`", file=sys.stderr)
            return INTERRUPTED
        finally:
            self.folder.release()

    def _begin(self, then: manifest.Json | None) -> tuple[int, Mapping[str, Array]]:
        """Where to start: the newest checkpoint, else step 0. Brings the folder to that state."""
        start, values = 0, compiled.initial_values(self.job, self.compiled)
        newest = checkpoint.latest(self.folder.checkpoints)
        if newest is not None:
            found = checkpoint.load(newest)
            checkpoint.check_fits(found, self.compiled.shapes, newest)
            start, values = found.step, dict(found.values)
            if start > self.job.steps:
                raise fail(
                    "E1056",
                    f"the run has taken {counted(start, 'step')}, more than "
                    f"`--steps {self.job.steps}`",
                    help=f"`--steps {2 * start}` trains on; `gendsl eval {self.folder.path}` "
                    "measures what there is",
                )
        self._introduce(start, then)
        manifest.write(self.folder.manifest, first_manifest(self.job, self.compiled, then, start))
        metrics.cut_back(self.folder.metrics, start)
        return start, values

    def _introduce(self, start: int, then: manifest.Json | None) -> None:
        job, say = self.job, self.progress.note
        say(f"{job.source.path}  graph {job.source.graph_hash[:12]}, seed {job.seed}")
        if job.source.claims:
            verdicts = [claim.verdict for claim in job.source.claims]
            tally = ", ".join(f"{verdicts.count(v)} {v}" for v in dict.fromkeys(verdicts))
            say(f"claims   {tally}")
            unknown = [claim.name for claim in job.source.claims if claim.verdict == "unknown"]
            if unknown:
                say(f"warning  not settled: {', '.join(unknown)}; `gendsl check` asks again")
        if job.data is not None and job.examples is not None:
            counts = (
                f"{job.examples.train_count:,} to train, {job.examples.held_out_count:,} held out"
            )
            say(f"data     {job.data.name}: {counts}")
        say("sizes    " + ", ".join(f"{n} = {v}" for n, v in job.sizes.items()))
        fixed = {
            n: v for n, v in job.settings.hypers.items() if n not in job.source.recipe.schedules
        }
        if fixed:
            say("hypers   " + ", ".join(f"{n} = {v:g}" for n, v in fixed.items()))
        written = job.source.recipe.written
        if written:
            say("schedule " + ", ".join(f"{n} = {text}" for n, text in written.items()))
        if job.precision != FLOAT32:
            say(f"products {job.precision}: {PRECISIONS[job.precision]}")
        if job.raw and not job.averages:
            say(f"note     {NO_AVERAGES}")
        say(f"folder   {self.folder.path}")
        if then is not None:
            say(
                f"resumed  at step {start:,}"
                if start
                else "resumed  no checkpoint yet: from step 0"
            )
            if then["versions"] != manifest.versions():
                say("note     other versions of Python packages: the last bits may differ")
            self._note_threads(start, then)

    def _note_threads(self, start: int, then: manifest.Json) -> None:
        """Say that a run goes on with another number of threads than it had."""
        now, before = thread_counts(self.job, then, start), then.get("threads", {}).get("torch", [])
        if start and before and before[-1] and now[-1] and now != before:
            self.progress.note(
                f"note     {counted(now[-1], 'thread')}, but {before[-1]} before: bits may differ "
                f"from those of an unbroken run (OMP_NUM_THREADS={before[-1]} keeps them)"
            )

    def _failed(self, problem: GendslError, step: int) -> None:
        """Leave the folder readable: say in manifest and report why the run ended."""
        message = problem.diagnostics[0].message
        self._write_end(step, {}, finished=False, state="stopped by an error", failure=message)

    def _finish(self, outcome: Outcome) -> None:
        """Pictures and report of where the run stands now."""
        job, path = self.job, self.folder.path
        drawn = sample.write_samples(job, self.compiled, outcome.values, outcome.step, path)
        drawn += sample.write_shows(job, self.compiled, outcome.values, outcome.step, path)
        read = readable(outcome.values, ema=not job.raw)
        drawn += write_strips(job, read, path, first=True)
        state = "interrupted" if outcome.interrupted else "finished"
        self._write_end(
            outcome.step, outcome.held_out, finished=not outcome.interrupted, state=state
        )
        self._summary(outcome, drawn)

    def _write_end(
        self,
        step: int,
        held_out: Mapping[str, float],
        *,
        finished: bool,
        state: str,
        failure: str = "",
    ) -> None:
        seconds, rate = timing_summary(self.folder.timings)
        done = final_manifest(
            manifest.read(self.folder.manifest),
            finished=finished,
            progress={
                "step": step,
                "state": state,
                "failure": failure,
                "seconds": round(seconds, 2),
                "steps_per_second": round(rate, 2),
                "held_out": dict(held_out),
            },
        )
        write_report(self.folder, done)
        manifest.write(self.folder.manifest, done)

    def _summary(self, outcome: Outcome, drawn: list[Path]) -> None:
        say = self.progress.note
        verb = "stopped at" if outcome.interrupted else "done"
        say(
            f"{verb:8} {counted(outcome.step, 'step')}, {duration(outcome.seconds)} in this session"
        )
        if outcome.held_out:
            say(f"held-out {short(outcome.held_out)}")
        pictures = [path.name for path in drawn]
        say(f"wrote    {self.folder.path}: {', '.join([*pictures, 'curves.png', 'metrics.jsonl'])}")
        for file, reason in sample.not_drawn(self.job, self.compiled).items():
            say(f"note     {file} is no picture: {reason}")
        say(f"report   {self.folder.report}")
        if outcome.interrupted:
            say(f"go on with `{self._resume()}`")

    def _resume(self) -> str:
        return manifest.resume_command(self.job.command, self.folder.path)
