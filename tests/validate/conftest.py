"""Emitted source of shipped programs, with the plans that say what it computes."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import pytest

from gendsl.diagnostics.model import Sink
from gendsl.options import RunOptions
from gendsl.run.prepare import prepare, program_of, read_program
from gendsl.run.session import joint_graphs

Emitted = tuple[str, Any]


@cache
def compiled_of(program: str, target: str) -> Any:
    """A program's step on a target, at its own sizes."""
    options = RunOptions(program=f"programs/{program}.gml", emit="torch", allow_refuted=True)
    source = program_of(read_program(options, Sink(), prove=False), options)
    job = prepare(options, source, target, to_run=False)
    return job.target.compile_step(joint_graphs(job)[0], job.sizes)


def emitted_of(program: str, target: str) -> Emitted:
    compiled = compiled_of(program, target)
    return compiled.source, compiled.plan


@pytest.fixture(scope="session")
def emitted() -> Callable[[str, str], Emitted]:
    """(source, plan) of a program's step on a target."""
    return emitted_of
