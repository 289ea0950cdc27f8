"""A job's graphs, compiled: the step, held-out evaluation, schedules, pictures, samplers.

In: a job. Out: callables over numpy arrays. Always: everything that can be refused by the target
is compiled before a run folder is made; nothing here draws or keeps state except the step.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import numpy as np

from gendsl.data.order import permutation
from gendsl.diagnostics.model import fail
from gendsl.ir.graph import Node, Show
from gendsl.ir.step import StepGraph
from gendsl.noise import Noise
from gendsl.run.job import Job
from gendsl.run.settings import inside
from gendsl.target import CompiledFunction, CompiledStep

Array = np.ndarray[Any, Any]

EVALUATED = 1000  # held-out examples in an evaluation during training, at most
SHOWN = 24  # held-out examples in a reconstruction picture
_INITIAL = "initial:"  # keeps outputs apart from the values that a step carries
CHECKED_STEPS = 200  # places of a schedule that are compared with the declared range


@dataclass(frozen=True)
class Compiled:
    """`evaluate` and `shows` map a number of examples to the function for that many."""

    step: CompiledStep
    initial: CompiledFunction
    shapes: Mapping[str, tuple[int, ...]]
    evaluate: Mapping[int, CompiledFunction]
    schedules: CompiledFunction | None
    shows: Mapping[str, Show]
    show: CompiledFunction | None
    samplers: Mapping[tuple[str, int], CompiledFunction] = field(default_factory=dict)


def compile_job(job: Job, step: StepGraph, initial: Mapping[str, Node]) -> Compiled:
    """Compile all that the run needs. Raises E09xx where the target lacks something."""
    from gendsl.run.sample import sampler_sizes

    graph = job.source.graph
    shows = shows_of(job)
    shown = shown_count(job)
    metrics = evaluation_outputs(job)
    pictured = {name: show.node for name, show in shows.items()}
    return Compiled(
        step=job.target.compile_step(step, job.sizes),
        initial=job.target.compile_function(
            {_INITIAL + key: node for key, node in initial.items()}, job.sizes
        ),
        shapes={k: tuple(d.size(job.sizes) for d in n.type.shape) for k, n in step.updates.items()},
        evaluate={n: _function(job, metrics, n) for n in evaluation_sizes(job)},
        schedules=_schedules(job),
        shows=shows,
        show=_function(job, pictured, shown) if pictured and shown else None,
        samplers={
            (name, n): job.target.compile_function(
                {key: show.node for key, show in sampler.outputs.items()},
                sampler.bound(job.sizes, n),
            )
            for name, sampler in graph.samplers.items()
            for n in sampler_sizes(job, sampler)
        },
    )


def _function(job: Job, outputs: Mapping[str, Node], examples: int) -> CompiledFunction:
    sizes = {**job.sizes, job.batch_name: examples} if job.batch_name else dict(job.sizes)
    return job.target.compile_function(outputs, sizes)


def _schedules(job: Job) -> CompiledFunction | None:
    nodes = job.source.graph.schedules
    return job.target.compile_function(nodes, job.sizes) if nodes else None


def trained_objectives(job: Job) -> tuple[str, ...]:
    """The objectives of the recipe's step lines, each once."""
    return tuple(dict.fromkeys(line.objective for line in job.source.recipe.steps_lines))


def evaluation_outputs(job: Job) -> dict[str, Node]:
    """The losses and named terms that held-out evaluation measures, by dotted name."""
    outputs: dict[str, Node] = {}
    for name in trained_objectives(job):
        objective = job.source.graph.objectives[name]
        outputs[name] = objective.loss
        outputs |= {f"{name}.{term}": node for term, node in objective.terms.items()}
    return outputs


def evaluated_rows(job: Job, whole: bool) -> Array:
    """The held-out examples that an evaluation measures: all of them where `whole` is set or there
    are at most `EVALUATED`, else that many, chosen at random but the same in every run: where
    classes take turns, evenly spaced examples may be of one class."""
    count = job.examples.held_out_count if job.examples else 0
    if whole or count <= EVALUATED:
        return np.arange(count)
    return _chosen(count, EVALUATED)


@lru_cache(maxsize=4)
def _chosen(count: int, some: int) -> Array:
    found: Array = np.sort(permutation(count, 0, "evaluated", 0)[:some])
    found.flags.writeable = False
    return found


def evaluation_parts(job: Job, whole: bool) -> list[int]:
    """These examples as consecutive batches: their sizes, the last one a remainder."""
    count = len(evaluated_rows(job, whole))
    full, rest = divmod(count, job.batch) if count else (0, 0)
    return [job.batch] * full + ([rest] if rest else [])


def evaluation_sizes(job: Job) -> list[int]:
    """Every size of such a batch, each once."""
    return sorted({n for whole in (False, True) for n in evaluation_parts(job, whole)})


def shown_count(job: Job) -> int:
    return min(SHOWN, job.examples.held_out_count) if job.examples else 0


def shows_of(job: Job) -> dict[str, Show]:
    """The `show` values of the trained objectives; names shared by two get the objective's."""
    found: dict[str, Show] = {}
    objectives = [job.source.graph.objectives[name] for name in trained_objectives(job)]
    names = [show for objective in objectives for show in objective.shows]
    for objective in objectives:
        for name, show in objective.shows.items():
            found[name if names.count(name) == 1 else f"{objective.name}-{name}"] = show
    return found


def initial_values(job: Job, compiled: Compiled) -> dict[str, Array]:
    """Every value before the first step."""
    found = compiled.initial.run({}, {}, dict(job.settings.hypers), Noise(job.seed, "init"))
    return {key.removeprefix(_INITIAL): value for key, value in found.items()}


def hypers_at(job: Job, compiled: Compiled, step: int) -> dict[str, float]:
    """The hyperparameters in force in step `step` (from 0), scheduled ones evaluated."""
    hypers = dict(job.settings.hypers)
    return hypers | {n: v for n, v in schedule_at(job, compiled, step).items() if n in hypers}


def schedule_at(job: Job, compiled: Compiled, step: int) -> dict[str, float]:
    """The scheduled values ("lr" among them) of step `step`."""
    if compiled.schedules is None:
        return {}
    found = compiled.schedules.run(
        {}, {}, dict(job.settings.hypers), Noise(job.seed, "train", step)
    )
    return {name: float(value) for name, value in found.items()}


def check_schedules(job: Job, compiled: Compiled) -> None:
    """Scheduled hyperparameters stay in their declared ranges (E1055), looked at in evenly spread
    steps, the first and the last included."""
    if compiled.schedules is None or job.steps == 0:
        return
    last = job.steps - 1
    for step in sorted({round(i * last / CHECKED_STEPS) for i in range(CHECKED_STEPS + 1)}):
        for name, value in schedule_at(job, compiled, step).items():
            info = job.source.interface.hypers.get(name)
            slack = 1e-6 * abs(value)  # a float32 schedule may end a rounding error past its end
            if (
                info is None
                or inside(value + slack, info.range)
                or inside(value - slack, info.range)
            ):
                continue
            raise fail(
                "E1055",
                f"the schedule of `{name}` gives {value:g} in step {step}, "
                f"outside of its declared range {info.range}",
                help=f"change `schedule {name} = ...`, or the range of `hyper {name}`",
            )
