"""What a job's manifest says, before and after training."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from math import prod
from typing import Any

from gendsl.run.compiled import Compiled, evaluated_rows
from gendsl.run.job import Job
from gendsl.run.manifest import FORMAT, Json, recipe_told, versions
from gendsl.run.sample import sample_files


def first_manifest(job: Job, compiled: Compiled, then: Json | None, start: int) -> Json:
    """The manifest of a run that is about to train from step `start`; `then` is an earlier one."""
    source = job.source
    found: Json = {
        "format": FORMAT,
        "program": {
            "name": source.name,
            "path": source.path,
            "text": source.text,
            "modules": dict(source.modules),
        },
        "steps": job.steps,
        "steps_given": job.steps_given,
        "target": job.target.name,
        "versions": versions(),
        "threads": {"torch": thread_counts(job, then, start), "cores": os.cpu_count()},
        "command": job.command,
        "data": _data(job),
        "claims": [
            {"name": c.name, "statement": c.statement, "verdict": c.verdict, "detail": c.detail}
            for c in source.claims
        ],
        "training": recipe_told(source.recipe),
        "scheduled": dict(source.recipe.written),
        "samplers": list(source.graph.samplers),
        "samples": [
            [file, name if not key else f"{name}, {key}"]
            for (name, key), file in sample_files(job).items()
        ],
        "allow_refuted": bool(job.refuted),
        "parameters": _parameters(compiled),
        "started": then["started"] if then else _now(),
        "ended": None,
        "finished": False,
        "progress": {
            "step": start,
            "state": "training",
            "failure": "",
            "seconds": 0.0,
            "steps_per_second": 0.0,
            "held_out": {},
        },
    }
    return found | job.identity()


def thread_counts(job: Job, then: Json | None, start: int) -> list[int | None]:
    """How many threads the sessions of this run had, in turn: more than one entry where a session
    went on with another number; None for a session of which that is not known (of an older
    gendsl), or on another kind of device. Empty if all were on a device without threads."""
    now: int | None = getattr(job.target, "threads", None)
    if then is None or start == 0:
        return [] if now is None else [now]
    before: list[int | None] = then.get("threads", {"torch": [None]})["torch"]
    if not before:
        return [] if now is None else [None, now]
    return before if before[-1] == now else [*before, now]


def final_manifest(first: Json, *, finished: bool, progress: dict[str, Any]) -> Json:
    return first | {"finished": finished, "progress": progress, "ended": _now()}


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _data(job: Job) -> Json | None:
    if job.data is None or job.examples is None:
        return None
    return {
        "name": job.data.name,
        "provenance": job.data.provenance,
        "licence": job.data.licence,
        "train": job.examples.train_count,
        "held_out": job.examples.held_out_count,
        "evaluated": len(evaluated_rows(job, whole=False)),
    }


def _parameters(compiled: Compiled) -> list[Json]:
    return [
        {"path": key.removeprefix("param:"), "shape": list(shape), "count": prod(shape)}
        for key, shape in compiled.shapes.items()
        if key.startswith("param:")
    ]
