"""What is printed when gendsl itself fails: where, on what, and what to send along.

The stage is read off the traceback: the innermost frame that belongs to a stage's package. The
graph hash is taken from the frames' variables, where a stage after lowering has one.
"""

from __future__ import annotations

import platform
import shlex
import sys
from collections.abc import Sequence
from traceback import walk_tb
from types import FrameType

from gendsl import __version__

# Module prefix -> the stage of the pipeline (see `gendsl.driver`); the longest prefix counts.
STAGES = {
    "gendsl.source": "read",
    "gendsl.syntax": "parse",
    "gendsl.core": "check",
    "gendsl.lower": "lower",
    "gendsl.ir": "lower",
    "gendsl.ir.plan": "plan",
    "gendsl.ops": "lower",
    "gendsl.prove": "prove",
    "gendsl.passes": "differentiate",
    "backends": "emit",
    "gendsl.data": "data",
    "gendsl.run": "run",
    "gendsl.driver": "driver",
    "gendsl.cli": "command line",
}


def crash_report(problem: BaseException, words: Sequence[str]) -> str:
    """The text for stderr; ends with a newline."""
    frames = [frame for frame, _ in walk_tb(problem.__traceback__)]
    lines = [line for _, line in walk_tb(problem.__traceback__)]
    own = [i for i, frame in enumerate(frames) if _stage(_module(frame))]
    stage = _stage(_module(frames[own[-1]])) if own else None
    head = f"internal error in stage `{stage}`" if stage else "internal error"
    report = [f"{head}: {type(problem).__name__}: {_first_line(problem)}"]
    if own:
        frame = frames[own[-1]]
        report.append(f"  at      {_module(frame)}, line {lines[own[-1]]}, {frame.f_code.co_name}")
    digest = _graph_hash(frames)
    if digest:
        report.append(f"  graph   {digest}")
    report += [
        f"  command gendsl {shlex.join(words)}",
        f"  version gendsl {__version__}, Python {platform.python_version()}, "
        f"{platform.system()} {platform.machine()}",
        "This is a bug in gendsl, not in your program. Please report it with these lines, the",
        "program, and what the same command prints with GENDSL_DEBUG=1.",
    ]
    return "\n".join(report) + "\n"


def missing_package(problem: BaseException) -> str | None:
    """The third-party package whose absence is the problem; None when it is anything else."""
    if not isinstance(problem, ModuleNotFoundError) or not problem.name:
        return None
    package = problem.name.split(".")[0]
    return (
        None if package in ("gendsl", "backends") or package in sys.stdlib_module_names else package
    )


def _module(frame: FrameType) -> str:
    return str(frame.f_globals.get("__name__", ""))


def _stage(module: str) -> str | None:
    fitting = [p for p in STAGES if module == p or module.startswith(p + ".")]
    return STAGES[max(fitting, key=len)] if fitting else None


def _first_line(problem: BaseException) -> str:
    lines = str(problem).splitlines()
    return lines[0] if lines else "(no message)"


def _graph_hash(frames: Sequence[FrameType]) -> str | None:
    """`graph_hash` of an analysis or source that some frame holds."""
    for frame in reversed(frames):
        for value in frame.f_locals.values():
            digest = getattr(value, "graph_hash", None)
            if isinstance(digest, str):
                return digest
    return None
