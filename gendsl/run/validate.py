"""`check --kernels`: what each target emits for a program's step, compared with its graph.

In: a program. Out: a `Validation` for each target. Nothing runs, so neither torch nor a GPU is
needed; sizes come from the program's data, as for `run --emit`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from gendsl.diagnostics.model import Sink
from gendsl.options import RunOptions
from gendsl.run.prepare import prepare, program_of, read_program
from gendsl.run.session import joint_graphs
from gendsl.validate.claims import torch_source, triton_source
from gendsl.validate.verdict import Kernel, Validation


def validations(
    program: str, report: Callable[[Kernel], None] = lambda _: None
) -> list[Validation]:
    """The verdicts on the step, target by target; `report` is told of kernels as they are
    judged."""
    found = []
    for target in ("torch_cpu", "triton_cuda"):
        options = RunOptions(program=program, emit="torch", allow_refuted=True)
        source = program_of(read_program(options, Sink(), prove=False), options)
        job = prepare(options, source, target, to_run=False)
        compiled: Any = job.target.compile_step(joint_graphs(job)[0], job.sizes)
        if target == "torch_cpu":
            found.append(torch_source(compiled.source, compiled.plan, carries=True))
            report(found[-1].kernels[0])
        else:
            found.append(triton_source(compiled.source, compiled.plan, report))
    return found
