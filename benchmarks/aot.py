"""What every kernel of every shipped program becomes for sm_90, without a GPU.

`python -m benchmarks.aot [PROGRAM...] [--steps]` compiles the kernels of the training step, the
samplers and the evaluation of each program at its default sizes (with `--steps` of the training
step only), and writes `benchmarks/tables/aot.md`; for programs that are named it prints the table.
In it: registers, stack, shared memory, tensor-core instructions, 128-bit loads. A kernel that is
written with `tl.dot` should use tensor cores; one that reads rows of a multiple of 16 bytes should
read 16 bytes at once; those that do not are listed with the reason. The table also names the text
that was compiled: a test compiles what is of another text than the table.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import islice
from multiprocessing import get_context
from pathlib import Path

from backends.triton_cuda import TARGET, aot, loader
from backends.triton_cuda.launch import KernelPlan
from gendsl import resources
from gendsl.diagnostics.model import Sink
from gendsl.options import RunOptions
from gendsl.run.compiled import evaluation_outputs
from gendsl.run.job import Job
from gendsl.run.prepare import prepare, program_of, read_program
from gendsl.run.session import joint_graphs

PATH = Path(__file__).parent / "tables" / "aot.md"


@dataclass(frozen=True)
class Line:
    """One compiled kernel: of which part of which program, and what the assembly says."""

    program: str
    part: str
    kernel: str
    tasks: int
    facts: aot.Facts
    product: bool
    rows: bool

    @property
    def without_tensor(self) -> bool:
        return self.product and not self.facts.tensor

    @property
    def without_wide(self) -> bool:
        return self.rows and not self.facts.wide


def programs() -> list[str]:
    return [Path(name).stem for name in resources.names("programs")]


def job_of(program: str) -> Job:
    """The program at its default sizes, on its own data."""
    path = resources.shipped("programs", program)
    assert path is not None, program
    options = RunOptions(str(path), device="cuda")
    source = program_of(read_program(options, Sink(), prove=False), options)
    return prepare(options, source, TARGET.name, to_run=False)


def parts(program: str) -> Iterator[tuple[str, KernelPlan, str]]:
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


def lines(program: str, steps: bool = False) -> tuple[list[Line], dict[str, str]]:
    """Every kernel of a program (or of its step) compiled, and the content hash of each part's
    text."""
    found, texts = [], {}
    for part, plan, text in islice(parts(program), 1 if steps else None):
        texts[part] = loader.digest(text)
        found += compiled(program, part, plan, text)
    return found, texts


def compiled(program: str, part: str, plan: KernelPlan, text: str) -> Iterator[Line]:
    """Every kernel of a part."""
    for made in aot.survey(plan, text, loader.load(plan.name, text)):
        kernel, tasks = made.launch.kernel, len(made.launch.tasks)
        yield Line(program, part, kernel, tasks, made.facts, made.product, made.rows)


def reason(line: Line) -> str:
    """Why a kernel multiplies without tensor cores, or reads narrow."""
    if line.without_tensor:
        return "the compiler found no layout for it"
    return "it reads these rows entry by entry: windows of images, sums along other axes, numbers"


HEAD = (
    "| program | part | kernel | tasks | registers | stack | shared | tensor | loads | 128-bit |\n"
    "|---|---|---|---:|---:|---:|---:|---:|---:|---:|\n"
)


def table(found: list[Line], texts: Mapping[str, Mapping[str, str]]) -> str:
    spilled = sum(line.facts.stack + line.facts.local > 0 for line in found)
    products = [line for line in found if line.product]
    wide = [line for line in found if line.rows]
    text = (
        "# Kernels ahead of time, for sm_90\n\n"
        f"{len(found)} kernels of {len(texts)} programs: {spilled or 'none'} of them spills; "
        f"{sum(not x.without_tensor for x in products)} of {len(products)} with products "
        f"use tensor cores, {sum(not x.without_wide for x in wide)} of "
        f"{len(wide)} that read rows of a multiple of 16 bytes read 16 bytes at once.\n\n"
    )
    text += HEAD + "".join(_row(line) for line in found)
    for title, chosen in (
        ("Products without tensor cores", [x for x in found if x.without_tensor]),
        ("Rows without 128-bit loads", [x for x in found if x.without_wide]),
    ):
        text += f"\n## {title}\n\n"
        text += "".join(f"- {x.program} {x.part}, {x.kernel}: {reason(x)}\n" for x in chosen)
        text += "" if chosen else "None.\n"
    text += "\n## Compiled texts\n\n| program | part | text |\n|---|---|---|\n"
    for program, parts_ in texts.items():
        text += "".join(f"| {program} | {part} | {text_} |\n" for part, text_ in parts_.items())
    return text


def _row(line: Line) -> str:
    f = line.facts
    cells = (line.program, line.part, line.kernel, line.tasks, f.registers, f.stack, f.shared)
    return f"| {' | '.join(map(str, (*cells, f.tensor, f.loads, f.wide)))} |\n"


def recorded() -> dict[tuple[str, str], str]:
    """The texts that the committed table is of, by program and part."""
    rows = PATH.read_text(encoding="utf-8").partition("## Compiled texts")[2].splitlines()
    cells = [[c.strip() for c in row.strip("|").split("|")] for row in rows if row.count("|") == 4]
    return {(a, b): c for a, b, c in cells if a not in ("program", "---")}


def main() -> int:
    steps = "--steps" in sys.argv
    named = [word for word in sys.argv[1:] if not word.startswith("-")]
    found: list[Line] = []
    texts = {}
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        chosen = named or programs()
        for program, result in zip(
            chosen, pool.map(partial(lines, steps=steps), chosen), strict=True
        ):
            found += result[0]
            texts[program] = result[1]
            print(f"{program}: {len(result[0])} kernels", file=sys.stderr, flush=True)
    text = table(found, texts)
    if named:
        print(text, end="")
    else:
        PATH.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
