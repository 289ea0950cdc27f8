"""From what the user asked for to a settled job: every refusal happens here, before any folder.

In: options and the analysed program. Out: a `Job`. Order: recipe, numbers, target, data, and the
claims last, since proofs may take a minute: the cheap refusals come first. Nothing here writes.
"""

from __future__ import annotations

import shlex
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from gendsl import driver, resources
from gendsl.core.program import DataField
from gendsl.data import (
    Bound,
    Dataset,
    batch_indices,
    bind,
    check_conditions,
    default_source,
    load,
)
from gendsl.diagnostics.model import Diagnostic, GendslError, Label, Sink, fail
from gendsl.driver import Analysis
from gendsl.options import RunOptions
from gendsl.precision import FLOAT32
from gendsl.run.job import ClaimLine, DataLine, Job, Source
from gendsl.run.proving import Proving
from gendsl.run.settings import Settings, settle
from gendsl.run.startup import alone
from gendsl.run.targets import find


def read_program(options: RunOptions, sink: Sink, prove: bool) -> Analysis:
    """Stages 0 to 4; errors raise, warnings stay in the sink."""
    analysis = driver.analyse(options.program, sink, prove=False, texts=options.texts)
    if sink.has_errors:
        raise GendslError(*sink.sorted())
    return proved(analysis) if prove else analysis


def proved(analysis: Analysis, *, quiet: bool = True) -> Analysis:
    """Stage 4; `quiet` shows nothing, else stderr says how far the prover is when it takes long."""
    # The prover gives each claim some of the processor time of this process.
    with alone(), Proving(sys.stderr, len(analysis.obligations)) as shown:
        begin = None if quiet else lambda claim: shown.begin(claim.name)
        claims = driver.settle(analysis, begin=begin)
    return replace(analysis, claims=claims)


def program_of(analysis: Analysis, options: RunOptions) -> Source:
    """The program to train, with the verdicts that there are. Raises E1040 when it is none, E1054
    for a refuted claim."""
    interface, graph = analysis.interface, analysis.graph
    assert analysis.source is not None and interface is not None and graph is not None
    if interface.recipe is None or analysis.graph_hash is None:
        raise fail(
            "E1040",
            f"{analysis.path} has no `train:` block: there is nothing to run",
            help="add `train:` with a `step OBJECTIVE over NETS with adam(lr = 1e-3)` line; "
            "`gendsl check` works without one",
        )
    refuted = [report for report in analysis.claims if report.verdict == "refuted"]
    if refuted and not options.allow_refuted:
        raise GendslError(
            *(
                Diagnostic(
                    "E1054",
                    f"the claim `{report.name}` is refuted: nothing was trained",
                    Label(report.span, "does not hold") if report.span else None,
                    notes=(report.note,) if report.note else (),
                    help="fix the program or the claim (`gendsl check` prints the counterexample), "
                    "or train all the same with `--allow-refuted`",
                )
                for report in refuted
            )
        )
    return Source(
        name=options.name,
        path=_shown_path(analysis.source.path),
        text=analysis.source.text,
        interface=interface,
        recipe=interface.recipe,
        graph=graph,
        graph_hash=analysis.graph_hash,
        claims=tuple(
            ClaimLine(r.name, r.statement, r.verdict, r.note or r.goal or "")
            for r in analysis.claims
        ),
        modules={
            i.source.path: i.source.text
            for i in analysis.imports
            if resources.shipped("stdlib", i.name) is None
        },
    )


def _shown_path(path: str) -> str:
    """A shipped program is shown by its place in gendsl, not in this installation."""
    shipped = resources.shipped("programs", Path(path).stem)
    if shipped is not None and Path(path).is_absolute() and Path(path) == shipped:
        return f"programs/{shipped.name}"
    return path


def prepare(options: RunOptions, source: Source, target_name: str, *, to_run: bool = True) -> Job:
    """Numbers, target and data; `steps` may still be changed by a resumed run's manifest. The
    target need not be able to run here when nothing is to run (`to_run` false)."""
    settings = settle(source.interface, options.settings)
    precision = options.precision or source.recipe.precision or FLOAT32
    target = find(target_name, precision, to_run=to_run)
    bound = _data(options, source, settings)
    sizes: Mapping[str, int] = bound.sizes if bound is not None else settings.sizes
    check_conditions(source.interface.conditions, sizes)
    steps = source.recipe.steps if options.steps is None else options.steps
    job = Job(
        source=source,
        settings=settings,
        sizes=dict(sorted(sizes.items())),
        steps=steps,
        steps_given=options.steps is not None,
        seed=options.seed,
        examples=bound,
        data=None if bound is None else _data_line(bound),
        target=target,
        precision=precision,
        tune=options.tune,
        raw=options.raw,
        passes=options.passes,
        allow_refuted=options.allow_refuted,
        command=command_of(options),
    )
    if bound is not None:
        _require_batch(bound, job)
    return job


def _require_batch(bound: Bound, job: Job) -> None:
    """E1027 for a batch that is too large, with the flag that makes it smaller."""
    try:
        batch_indices(bound.train_count, job.batch, job.seed, 0)
    except GendslError as problem:
        fix = f"`--set {job.batch_name}={bound.train_count}` or less, or `batch` in `train:`"
        raise GendslError(*(replace(d, help=fix) for d in problem.diagnostics)) from problem


def _data(options: RunOptions, source: Source, settings: Settings) -> Bound | None:
    """The program's data, bound and checked; None for a program that reads none."""
    fields = source.interface.data
    if not fields:
        if options.data is not None:
            raise fail(
                "E1061",
                f"{source.path} reads no data, so `--data {options.data}` has no effect",
                help="leave `--data` out",
            )
        return None
    name = options.data or default_source(fields)
    if name is None:
        raise fail(
            "E1062",
            f"{source.path} does not say which data it is for",
            help="choose some with `--data NAME_OR_PATH`; `gendsl data list` shows what there is",
        )
    dataset = load(name) if options.data is not None else _named(name, fields)
    return bind(dataset, fields, source.interface.dims, settings.sizes)


def _named(name: str, fields: Mapping[str, DataField]) -> Dataset:
    """The data set that the program names; what is wrong with it is told at that place."""
    try:
        return load(name)
    except GendslError as problem:
        place = next(field.span for field in fields.values() if field.source == name)
        raise GendslError(
            *(
                replace(found, primary=found.primary or Label(place, f"is to come from `{name}`"))
                for found in problem.diagnostics
            )
        ) from problem


def _data_line(bound: Bound) -> DataLine:
    dataset = bound.dataset
    return DataLine(dataset.name, dataset.data_hash, dataset.provenance, dataset.licence)


def command_of(options: RunOptions) -> str:
    """The command line that repeats this run."""
    program = options.program
    shipped = resources.shipped("programs", Path(program).stem)
    if shipped is not None and Path(program) == shipped:
        program = shipped.stem
    words = ["gendsl", "run", program]
    if options.device != "cpu":
        words.append(f"--{options.device}")
    if options.data is not None:
        words += ["--data", options.data]
    for name, value in options.settings:
        words += ["--set", f"{name}={value}"]
    if options.steps is not None:
        words += ["--steps", str(options.steps)]
    if options.seed:
        words += ["--seed", str(options.seed)]
    if options.precision is not None:
        words += ["--precision", options.precision]
    words += ["--raw"] * options.raw + ["--allow-refuted"] * options.allow_refuted
    if options.out is not None:
        words += ["--out", str(options.out)]
    return shlex.join(words)
