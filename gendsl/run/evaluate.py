"""Held-out evaluation: the average of every loss and term over the held-out part.

During training the average is over at most `EVALUATED` of its examples, at the end over all.
Always: which examples these are is a function of their number, and the noise of one depends on its
position among them only, so evaluations at different steps differ by the parameters alone; batches
count by their number of examples.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from gendsl.noise import Noise
from gendsl.run.compiled import Compiled, evaluated_rows, evaluation_parts, hypers_at
from gendsl.run.job import Job

Array = np.ndarray[Any, Any]


def readable(values: Mapping[str, Array], ema: bool) -> dict[str, Array]:
    """The values a function of the program reads: parameters (their averages with `ema`, where
    there are some) and states."""
    found = {k: v for k, v in values.items() if k.startswith(("param:", "state:"))}
    if ema:
        averages = {k.removeprefix("ema:"): v for k, v in values.items() if k.startswith("ema:")}
        found |= {f"param:{path}": value for path, value in averages.items()}
    return found


def has_ema(values: Mapping[str, Array]) -> bool:
    return any(key.startswith("ema:") for key in values)


def held_out(
    job: Job,
    compiled: Compiled,
    values: Mapping[str, Array],
    step: int,
    *,
    ema: bool = False,
    whole: bool = False,
) -> dict[str, float]:
    """Averages over the held-out part after `step` steps, over all of it with `whole`; empty
    without held-out examples."""
    if job.examples is None:
        return {}
    hypers = hypers_at(job, compiled, step)
    read = readable(values, ema)
    totals: dict[str, float] = {}
    rows, first = evaluated_rows(job, whole), 0
    for count in evaluation_parts(job, whole):
        batch = job.examples.held_out(rows[first : first + count])
        noise = Noise(job.seed, "eval", first_example=first)
        for name, value in compiled.evaluate[count].run(read, batch, hypers, noise).items():
            totals[name] = totals.get(name, 0.0) + float(value) * count
        first += count
    return {name: total / first for name, total in totals.items()}
