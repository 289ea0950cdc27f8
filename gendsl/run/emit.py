"""`--emit STAGE`: one stage of the pipeline as text on stdout; nothing is run or written.

The front stages (ast, core, graph) need the program only; joint needs its recipe; plan and the
targets' sources need sizes, hence the data.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from fractions import Fraction

from gendsl.diagnostics.model import Sink
from gendsl.driver import Analysis
from gendsl.ir.schedule import plan_step
from gendsl.ir.step import StepGraph
from gendsl.run.job import Job
from gendsl.shape.dim import Dim
from gendsl.source.text import Span


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
        case "plan":
            return str(plan_step(step, job.sizes, lambda group: False))
        case _:
            return job.target.compile_step(step, job.sizes).source


def front_text(stage: str, analysis: Analysis) -> str:
    """ast, core or graph."""
    match stage:
        case "ast":
            return _ast_text(analysis)
        case "core":
            assert analysis.program is not None
            return "\n".join(_tree(analysis.program, "program", 0)) + "\n"
        case _:
            from gendsl.ir.text import graph_text

            assert analysis.graph is not None
            return graph_text(analysis.graph)


def _ast_text(analysis: Analysis) -> str:
    from gendsl.syntax.parse import parse

    assert analysis.source is not None
    module = parse(analysis.source, Sink())
    return "\n".join(_tree(module, "module", 0)) + "\n"


def _tree(value: object, name: str, depth: int) -> Iterator[str]:
    """Nested records as indented lines: `field: Class(scalar fields)` and the others below. Places
    in the source are left out, since they would drown the rest."""
    head = "  " * depth + name
    if isinstance(value, Mapping):
        yield f"{head}:" + ("" if value else " none")
        for key, item in value.items():
            yield from _tree(item, str(key), depth + 1)
    elif isinstance(value, tuple):
        yield f"{head}:" + ("" if value else " none")
        for index, item in enumerate(value):
            yield from _tree(item, str(index), depth + 1)
    elif is_dataclass(value) and not isinstance(value, Dim):
        parts = [(f.name, getattr(value, f.name)) for f in fields(value) if f.name != "builder"]
        kept = [
            (key, item) for key, item in parts if not isinstance(item, Span) and item is not None
        ]
        short = ", ".join(f"{k} = {_scalar(v)}" for k, v in kept if _is_scalar(v))
        yield f"{head}: {type(value).__name__}({short})"
        for key, item in kept:
            if not _is_scalar(item):
                yield from _tree(item, key, depth + 1)
    else:
        yield f"{head}: {_scalar(value)}"


def _is_scalar(value: object) -> bool:
    return isinstance(value, (str, int, float, bool, Fraction, Dim)) or value in ((), None)


def _scalar(value: object) -> str:
    return repr(value) if isinstance(value, str) else "none" if value == () else str(value)
