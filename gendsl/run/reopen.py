"""A finished (or interrupted) run, opened again to sample from it or to measure it.

In: a run folder and the options that its manifest's command line stands for. Out: the job, its
claims as obligations, and the values of the newest checkpoint. Always: the program is the one that
the manifest holds, whatever has become of its file since, which is said; its numbers and the data
are those of the run (E1045 otherwise); nothing is proved again and nothing is written.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from gendsl.core.claim import Claim
from gendsl.core.program import Program
from gendsl.diagnostics.model import GendslError, Sink, fail
from gendsl.diagnostics.suggest import did_you_mean
from gendsl.driver import read
from gendsl.options import RunOptions
from gendsl.run import checkpoint, manifest
from gendsl.run.evaluate import readable
from gendsl.run.folder import DEFAULT_PLACE, RunFolder
from gendsl.run.job import NO_AVERAGES, Job
from gendsl.run.prepare import prepare, program_of, read_program
from gendsl.target import CompiledFunction

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Reopened:
    """`values` are what functions of the program read (averaged weights where there are some and
    the run was not `--raw`), after `step` steps."""

    folder: RunFolder
    job: Job
    program: Program
    claims: tuple[Claim, ...]
    step: int
    values: Mapping[str, Array]

    def compile(self, outputs: Mapping[str, Any], sizes: Mapping[str, int]) -> CompiledFunction:
        """Nodes as a function, at the run's sizes with `sizes` in place of some."""
        return self.job.target.compile_function(outputs, {**self.job.sizes, **sizes})


def run_manifest(path: Path) -> manifest.Json:
    """The manifest in a run folder; E1042 when it is none."""
    if not (path / "manifest.json").is_file():
        raise fail(
            "E1042",
            f"{path} is not a run folder: it holds no manifest.json",
            help=_run_beside(path) or "`gendsl run PROGRAM --out DIR` makes one",
        )
    return manifest.read(path / "manifest.json")


def _run_beside(path: Path) -> str | None:
    """The run that may be meant: `vae` for `runs/vae`, or one that is nearly so called."""
    place = DEFAULT_PLACE if path.parent == Path() else path.parent
    found = [p.parent.name for p in place.glob("*/manifest.json")]
    if path.name in found:
        return f"did you mean `{place / path.name}`?"
    return did_you_mean(str(path), [str(place / name) for name in found])


def reopen(path: Path, options: RunOptions, raw: bool) -> Reopened:
    """Analyse the program again and read the newest checkpoint."""
    then, folder = run_manifest(path), RunFolder(path)
    newest = checkpoint.latest(folder.checkpoints)
    if newest is None:
        raise fail(
            "E1080",
            f"{path} holds no checkpoint yet",
            help="one is written after 100 steps or 30 seconds, and one at the end of the run",
        )
    options = replace(options, texts=kept_texts(then, options.program))
    analysis = read_program(options, Sink(), prove=False)
    source = program_of(analysis, replace(options, allow_refuted=True))
    job = prepare(replace(options, raw=raw or options.raw), source, options.target)
    _require_unchanged(then, job)
    if raw and not job.averages:
        print(f"note: {NO_AVERAGES}", file=sys.stderr)
    found = checkpoint.load(newest)
    checkpoint.check_fits(found, _shapes(job), newest)
    values = readable(found.values, ema=not job.raw)
    assert analysis.program is not None
    return Reopened(folder, job, analysis.program, analysis.obligations, found.step, values)


def kept_texts(then: manifest.Json, program: str) -> dict[str, str]:
    """Of the program and its own modules, by path, those whose files are not what they were, as the
    run has kept them; each is said. Runs of an older gendsl kept the program alone."""
    kept, texts = then["program"], {}
    for path, text in {program: kept["text"], **kept.get("modules", {})}.items():
        what = _became(path, text)
        if what:
            texts[path] = text
            print(f"note: {path} {what}: taken as the run has kept it", file=sys.stderr)
    return texts


def _became(path: str, text: str) -> str:
    """How a file is not what it was, if so."""
    try:
        return "" if read(path).text == text else "has changed since this run was started"
    except GendslError:
        return "is not there any more"


def _shapes(job: Job) -> dict[str, tuple[int, ...]]:
    """Of everything that a checkpoint of this job holds."""
    from gendsl.passes.joint import initial

    first = initial(job.source.graph, job.source.recipe)
    return {key: tuple(d.size(job.sizes) for d in x.type.shape) for key, x in first.items()}


def _require_unchanged(then: manifest.Json, job: Job) -> None:
    """E1045, in words that fit: nobody asked to go on with the run. Its values are read with
    whatever precision the device at hand has."""
    try:
        manifest.require_same({**then, "precision": job.precision}, job.identity(), "")
    except GendslError as problem:
        (found,) = problem.diagnostics
        raise GendslError(
            replace(
                found,
                message="the data, or gendsl itself, is not what this run was trained with",
                help=f"bring it back to what it was, or train again with `{then['command']}` and "
                "another `--out DIR`",
            )
        ) from problem
