"""`--emit STAGE`: one stage of the pipeline as text on stdout; nothing is run or written.

The front stages (ast, core, graph) are printed by the command line, for `check` as for `run`. Joint
needs the program's recipe; plan and the targets' sources need sizes, hence the data.
"""

from __future__ import annotations

from gendsl.ir.schedule import plan_step
from gendsl.ir.step import StepGraph
from gendsl.run.job import Job

TARGETS = {"torch": "torch_cpu", "triton": "triton_cuda"}


def joint_text(step: StepGraph) -> str:
    """The joint graph of a step: metrics and after-step values over shared nodes."""
    from gendsl.ir.text import nodes_text

    metrics = {f"metric:{name}": node for name, node in step.metrics.items()}
    return nodes_text({**metrics, **step.updates})


def back_text(stage: str, step: StepGraph, job: Job) -> str:
    """joint, plan, or the target's own source ("torch", "triton") of the step."""
    match stage:
        case "joint":
            return joint_text(step)
        case "plan" if job.target.name == "triton_cuda":
            return str(job.target.compile_step(step, job.sizes).plan)
        case "plan":
            return str(plan_step(step, job.sizes, lambda group: False))
        case _:
            return job.target.compile_step(step, job.sizes).source
