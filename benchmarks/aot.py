"""What every kernel of every shipped program becomes for sm_90, without a GPU.

`python -m benchmarks.aot` compiles the kernels of the training step, the evaluation and the
samplers of each program at its default sizes and writes `benchmarks/tables/aot.md`; for programs
that are named it prints the table. In it: registers, stack, shared memory, tensor-core
instructions, 128-bit loads. A kernel that is written with `tl.dot` should use tensor cores; one
that reads rows of a multiple of 16 bytes should read 16 bytes at once; those that do not are listed
with the reason. Each row names the content of its kernel, so that a test compiles what is of
another content than the table. What was compiled once is kept in a cache by that name: a run that
was stopped goes on where it was, and kernels that did not change are not compiled again.
`--cached` compiles nothing and writes what is there, with a list of what is not; `--check` says
which kernels are written now that the committed table has not.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, replace
from importlib.metadata import version
from multiprocessing import get_context
from pathlib import Path

from backends.triton_cuda import TARGET, aot, loader
from backends.triton_cuda.launch import KernelPlan
from benchmarks import aot_table as table
from benchmarks.aot_table import Line
from gendsl import resources
from gendsl.diagnostics.model import Sink
from gendsl.options import RunOptions
from gendsl.run.compiled import evaluation_outputs
from gendsl.run.job import Job
from gendsl.run.prepare import prepare, program_of, read_program
from gendsl.run.session import joint_graphs

PATH = Path(__file__).parent / "tables" / "aot.md"


@dataclass(frozen=True)
class Part:
    """The step, the evaluation or a sampler of a program: its text and the kernels in it."""

    program: str
    name: str
    text: str
    units: tuple[aot.Unit, ...]


def programs() -> list[str]:
    return [Path(name).stem for name in resources.names("programs")]


def job_of(program: str) -> Job:
    """The program at its default sizes, on its own data."""
    path = resources.shipped("programs", program)
    assert path is not None, program
    options = RunOptions(str(path), device="cuda")
    source = program_of(read_program(options, Sink(), prove=False), options)
    return prepare(options, source, TARGET.name, to_run=False)


def plans(program: str) -> Iterator[tuple[str, KernelPlan, str]]:
    """Plan and text of the step, the evaluation and every sampler."""
    job = job_of(program)
    step = TARGET.compile_step(joint_graphs(job)[0], job.sizes)
    yield "step", step.plan, step.source  # type: ignore[attr-defined]
    functions = {"evaluation": (evaluation_outputs(job), dict(job.sizes))}
    for name, sampler in job.source.graph.samplers.items():
        outputs = {key: show.node for key, show in sampler.outputs.items()}
        functions[f"sampler {name}"] = (outputs, sampler.bound(job.sizes, sampler.default_size))
    for name, (outputs, sizes) in functions.items():
        made = TARGET.compile_function(outputs, sizes)
        yield name, made.plan, made.source  # type: ignore[attr-defined]


def parts(program: str) -> Iterator[Part]:
    """The same, with the kernels to compile."""
    for name, plan, text in plans(program):
        yield Part(program, name, text, tuple(aot.units(plan, text)))


# ---- what was compiled before ----------------------------------------------------------------


class Compiled:
    """Facts by the content of kernels, in a file that several processes append lines to."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @classmethod
    def of_this_compiler(cls) -> Compiled:
        return cls(loader.folder().parent / "aot" / f"triton-{version('triton')}.jsonl")

    def read(self) -> dict[str, aot.Facts]:
        """A line that a killed process left half written is left out."""
        found = {}
        for line in self.path.read_text("utf-8").splitlines() if self.path.is_file() else ():
            try:
                entry = json.loads(line)
                key = entry.pop("key")
                found[key] = aot.Facts(**entry)
            except (ValueError, TypeError, KeyError):
                print(f"{self.path}: not a line of ours: {line[:60]}", file=sys.stderr)
        return found

    def add(self, key: str, facts: aot.Facts) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"key": key, **asdict(facts)}) + "\n")


def compile_part(text: str, units: Sequence[aot.Unit], path: Path) -> int:
    """Compile these kernels of one text, each kept as soon as it is done."""
    kernels, keep = loader.load("aot", text), Compiled(path)
    known = keep.read()  # another process may have been here in the meantime
    for unit in (unit for unit in units if unit.key not in known):
        start = time.monotonic()
        keep.add(unit.key, aot.compile_unit(unit, kernels))
        seconds = time.monotonic() - start
        if seconds > 20:
            print(f"{unit.launch.kernel}: {seconds:.0f} s", file=sys.stderr, flush=True)
    return len(units)


def compile_missing(found: Sequence[Part], keep: Compiled, workers: int) -> None:
    """Bring every kernel of these parts into the cache."""
    known = set(keep.read())
    orders = []
    for part in found:
        # nodes of the graph stay here: a worker needs the launch only
        todo = [replace(u, launch=replace(u.launch, tasks=())) for u in part.units]
        todo = [u for u in todo if u.key not in known]
        known |= {u.key for u in todo}
        if todo:
            orders.append((f"{part.program} {part.name}", part.text, todo))
    print(f"{sum(len(o[2]) for o in orders)} kernels to compile", file=sys.stderr, flush=True)
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        running = [
            (name, pool.submit(compile_part, text, todo, keep.path)) for name, text, todo in orders
        ]
        for name, made in running:
            print(f"{name}: {made.result()} kernels", file=sys.stderr, flush=True)


def report(found: Sequence[Part], facts: Mapping[str, aot.Facts]) -> str:
    """The table of these parts, as far as their kernels were compiled."""
    lines = [
        Line.of(part.program, part.name, unit, facts[unit.key])
        for part in found
        for unit in part.units
        if unit.key in facts
    ]
    missing = [
        f"{part.program} {part.name}, {unit.launch.kernel}"
        for part in found
        for unit in part.units
        if unit.key not in facts
    ]
    return table.write(lines, version("triton"), missing)


def stale(found: Sequence[Part]) -> list[str]:
    """Kernels that are written now and that the committed table has not."""
    known = {line.key for line in table.read(PATH.read_text(encoding="utf-8"))}
    return [
        f"{p.program} {p.name}, {unit.launch.kernel}"
        for p in found
        for unit in p.units
        if unit.key not in known
    ]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("programs", nargs="*", help="shipped programs; all when none is named")
    parser.add_argument("--check", action="store_true", help="say what the table lacks")
    parser.add_argument("--cached", action="store_true", help="take what was compiled before only")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    args = parser.parse_args()
    found = [part for program in args.programs or programs() for part in parts(program)]
    if args.check:
        missing = stale(found)
        print("\n".join(missing) or "the table is of the kernels that are written now")
        return 1 if missing else 0
    keep = Compiled.of_this_compiler()
    if not args.cached:
        compile_missing(found, keep, args.workers)
    text = report(found, keep.read())
    if args.programs:
        print(text, end="")
    else:
        PATH.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
