"""Graphs as Triton: a plan of launches, and one readable module of source text.

In: a `StepGraph`, or output nodes by name, and a number for every size. Out: a `KernelPlan` and a
`Source`. The text has the device functions that it needs, one function per task, which says what it
computes, and one kernel per launch, whose programs are divided among its tasks; the first ones take
a sample each through the tasks of a chain (`backends.triton_cuda.chains`). Sizes stand in the
text by name; the numbers are constants of the launch. Always: equal graphs and sizes give equal
text; neither torch nor triton is needed.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from backends.common.arena import Life, arrange
from backends.common.text import Source, Writer
from backends.triton_cuda import chains, prelude, products
from backends.triton_cuda.index import SAMPLE, size_text
from backends.triton_cuda.launch import KernelPlan, Launch, Repeat, TaskInfo
from backends.triton_cuda.launch import Step as PlanStep
from backends.triton_cuda.lower import lowered
from backends.triton_cuda.memories import Memories
from backends.triton_cuda.precision import CONSTANT
from backends.triton_cuda.tile import TaskText
from backends.triton_cuda.tiling import Choose, as_written, product_of, tiled
from backends.triton_cuda.unit import Stage, Step, Unit, host_numbers
from gendsl.ir.graph import Node, reachable
from gendsl.ir.step import StepGraph
from gendsl.ops.leaf import Input
from gendsl.precision import FLOAT32

_STAGES = 3
_LARGE = 64 * 64  # entries of a product's tile that four warps cannot hold without spilling
_WIDE = 32 * 4  # entries of which each thread of a warp reads 16 bytes
_ADDRESSES = 255 // 2  # that fit into the registers of a thread: an address takes two
_SHALLOW = 16  # the least that `tl.dot` sums up at once
_CARRIED = ("param", "slot", "state", "ema")


def emit(
    graph: StepGraph | Mapping[str, Node],
    sizes: Mapping[str, int],
    *,
    precision: str = FLOAT32,
    names: Mapping[Node, str] | None = None,
    tiles: Choose = as_written,
) -> tuple[KernelPlan, Source]:
    """See the module. `precision` is that of products, a policy of `gendsl.precision`;
    `tiles` chooses their tiles."""
    if isinstance(graph, StepGraph):
        outputs = {**graph.metrics, **graph.updates}
        return _Program("step", outputs, sizes, graph.builder.names, precision, tiles).made()
    return _Program("function", graph, sizes, names or {}, precision, tiles).made()


@dataclass
class _Program:
    """A plan under construction."""

    name: str
    given: Mapping[str, Node]
    sizes: Mapping[str, int]
    names: Mapping[Node, str]
    precision: str
    tiles: Choose
    position: int = 0
    lives: dict[str, tuple[int, int]] = field(default_factory=dict)
    launches: int = 0

    def made(self) -> tuple[KernelPlan, Source]:
        for size in self.sizes:
            if not size.isidentifier():
                raise AssertionError(f"the size {size} cannot be named in source text")
        build, outputs, named = lowered(self.given, self.names, self.sizes)
        self.memories = Memories(self.sizes, named)
        places = self._targets(outputs)
        written = {n: v for n, v in outputs.items() if n in places and not self._is_given(n, v)}
        targets = {n: places[n] for n in written}
        numbers = host_numbers(list(outputs.values()))
        batch = chains.batch_of(outputs.values())
        unit = Unit(build, self.memories, written, targets, numbers, batch=batch)
        steps = unit.steps()
        setup, steps = self._constants(steps)
        self.memories.finish()
        self.writer = Writer()
        self.kernels: list[tuple[str, Stage]] = []
        done = tuple(self._launch(step) for step in setup)
        self.position = 1
        plan_steps = self._plan(steps)
        plan = tiled(self._finished(places, done, plan_steps), self.tiles)
        return plan, self._text(plan)

    def _is_given(self, name: str, node: Node) -> bool:
        return self.memories.placed.get(node) == self.places.get(name)

    def _targets(self, outputs: Mapping[str, Node]) -> dict[str, str]:
        """Where each output is to be: a carried value in its own memory."""
        places: dict[str, str] = {}
        numbers = ("hyper", "step")
        for node in reachable(outputs.values()):
            if isinstance(node.op, Input) and node.op.kind not in numbers:
                self.memories.given(node)
        byte = {m.key: name for name, m in self.memories.table.items()}
        for name, node in outputs.items():
            role = name.partition(":")[0]
            if name in byte:
                places[name] = byte[name]
            elif self.name == "step" and role in _CARRIED and ":" in name:
                wish = name.partition(":")[2]
                places[name] = self.memories.add(wish, node.type, role, key=name)
            elif self._stays(node):
                places[name] = self.memories.given(node)
            else:
                key = f"output:{name}"
                places[name] = self.memories.add(name or "result", node.type, "output", key=key)
        self.places = places
        return places

    def _stays(self, node: Node) -> bool:
        """Whether an input is an output as it is: what a step updates in place is not, a metric is
        of the value before."""
        op = node.op
        fixed = self.name != "step" or (isinstance(op, Input) and op.kind not in _CARRIED)
        return isinstance(op, Input) and op.kind not in ("hyper", "step") and fixed

    def _constants(self, steps: list[Step]) -> tuple[list[Stage], list[Step]]:
        """Tasks that read nothing that changes run once."""
        fixed: set[str] = set()
        setup: list[Stage] = []
        rest: list[Step] = []
        for step in steps:
            if not isinstance(step, Stage):
                rest.append(step)
                continue
            once = [t for t in step.tasks if self._constant(t, fixed)]
            for task in once:
                fixed.update(task.writes)
            if once:
                setup.append(Stage(tuple(once)))
            others = tuple(t for t in step.tasks if t not in once)
            if others or step.chain:
                rest.append(Stage(others, step.chain))
        self.memories.pinned |= fixed
        return setup, rest

    def _constant(self, task: TaskText, fixed: set[str]) -> bool:
        temporary = all(self.memories.table[w].role == "temporary" for w in task.writes)
        return temporary and bool(task.roots) and set(task.reads) <= fixed

    # ---- launches -----------------------------------------------------------------------

    def _plan(self, steps: Sequence[Step]) -> tuple[PlanStep, ...]:
        found: list[PlanStep] = []
        for step in steps:
            if isinstance(step, Stage):
                found.append(self._launch(step))
                continue
            start = self.position
            body = self._plan(step.steps)
            for name, (first, last) in self.lives.items():
                if last >= start and (first < start or name == step.index):
                    self.lives[name] = (first, max(last, self.position))
            found.append(Repeat(step.count.size(self.sizes), step.index, body))
        return tuple(found)

    def _launch(self, stage: Stage) -> Launch:
        self.launches += 1
        name = f"stage_{self.launches}"
        stage = Stage(
            chain=tuple(tuple(map(self._named, group)) for group in stage.chain),
            tasks=tuple(map(self._named, stage.tasks)),
        )
        self.position += 1
        arguments = tuple(dict.fromkeys(m for t in stage.all for m in t.memories))
        for memory in arguments:
            first, _ = self.lives.get(memory, (self.position, 0))
            self.lives[memory] = (first, self.position)
        constants: dict[str, int | str] = {
            size: self.sizes[size]
            for size in self.sizes
            if any(size in needed(t) for t in stage.all)
        }
        for number, task in enumerate(stage.all):
            for constant, value in blocks(task, stage).items():
                constants[f"{constant}__{number}"] = value
        if any(t.precision for t in stage.all):
            constants["PRECISION"] = CONSTANT[self.precision]
        self.kernels.append((name, stage))
        samples = max((self._samples(t) for t in stage.all if t.sample), default=0)
        return Launch(
            kernel=name,
            grid=samples + sum(t.count for t in stage.tasks),
            arguments=arguments,
            constants=constants,
            warps=warps(stage),
            stages=_STAGES,
            tasks=tuple(self._info(t) for t in stage.all),
        )

    def _named(self, task: TaskText) -> TaskText:
        return replace(task, name=self.memories.name(task.name))

    def _samples(self, task: TaskText) -> int:
        return 1 if task.sample is None else task.sample.size.size(self.sizes)

    def _info(self, task: TaskText) -> TaskInfo:
        table = self.memories.table
        moved = sum(table[m].bytes for m in task.memories if m in table)
        return TaskInfo(
            name=task.name,
            about=about(task),
            programs=self._samples(task) * task.count,
            reads=tuple(m for m in task.memories if m not in task.writes or m in task.reads),
            writes=task.writes,
            flops=sum(products.work(node, self.sizes) for node in task.inlined),
            bytes=moved,
            nodes=task.roots,
            product=None if task.sample else product_of(task, self.sizes, self.precision),
        )

    def _finished(
        self,
        places: Mapping[str, str],
        setup: tuple[Launch, ...],
        steps: tuple[PlanStep, ...],
    ) -> KernelPlan:
        table, end = self.memories.table, self.position + 1
        lives = []
        for name, memory in table.items():
            if memory.role == "temporary" and name in self.lives:
                pinned = name in self.memories.pinned
                first, last = (0, end) if pinned else self.lives[name]
                lives.append(Life(name, memory.bytes, first, last))
        offsets, size = arrange(lives)
        used = {
            name: replace(memory, offset=offsets.get(name, 0))
            for name, memory in table.items()
            if name in offsets or memory.role != "temporary"
        }
        return KernelPlan(
            name=self.name,
            sizes=dict(self.sizes),
            launches=steps,
            memory=used,
            arena_bytes=size,
            outputs=dict(places),
            host=tuple(self.memories.host),
            draws=tuple(self.memories.draws.values()),
            setup=setup,
            precision=self.precision,
        )

    # ---- text -------------------------------------------------------------------------

    def _text(self, plan: KernelPlan) -> Source:
        body = Writer()
        for _, stage in self.kernels:
            for task in stage.all:
                _task(body, task)
        for name, stage in self.kernels:
            _kernel(body, name, stage)
        written = body.source()
        writer = Writer()
        writer.line(f'"""{plan.name}' + "".join(f"\n{line}" for line in _heading(plan)))
        text = "\n".join(
            (
                f'"""{plan.name}: kernels written by gendsl for Triton.',
                "",
                *_heading(plan),
                '"""',
                "",
                "import triton",
                "import triton.language as tl",
                "",
                "",
                prelude.source(prelude.called_in(written.text)),
                "",
            )
        )
        offset = text.count("\n")
        nodes = {line + offset: made for line, made in written.nodes.items()}
        return Source(text + written.text, nodes)


def warps(stage: Stage) -> int:
    """Of each program: eight where a product's tile is large, and where a program is alone with its
    sample, so that there is something to do while others wait; else four, but no more than have 16
    bytes a thread to read of the largest tile."""
    if stage.chain:
        return 8
    tiles = (t.constants.get("BLOCK_M", 1) * t.constants.get("BLOCK_N", 1) for t in stage.all)
    if max(tiles, default=1) >= _LARGE:
        return 8
    return max(1, min(4, max(map(_entries, stage.all), default=1) // _WIDE))


def _entries(task: TaskText) -> int:
    """Of the largest tile of a task."""
    heights = [n for name, n in task.constants.items() if name in ("BLOCK", "BLOCK_M")]
    widths = [n for name, n in task.constants.items() if name not in ("BLOCK", "BLOCK_M")]
    return max(heights, default=1) * max(widths, default=1)


def blocks(task: TaskText, stage: Stage) -> dict[str, int]:
    """The task's constants there: what it multiplies at once is cut where its chain is crowded."""
    if not any(task in group for group in stage.chain) or not _crowded(stage):
        return dict(task.constants)
    return {
        name: min(value, _SHALLOW) if name.startswith("BLOCK_K") else value
        for name, value in task.constants.items()
    }


def _crowded(stage: Stage) -> bool:
    """Whether the products of a chain load more at once than a thread has registers to address. An
    estimate, as if the compiler kept the addresses of all of them: what spilled was beyond it."""
    loaded = sum(task.gathered for group in stage.chain for task in group if task.precision)
    return loaded > _ADDRESSES * 32 * warps(stage)


def _heading(plan: KernelPlan) -> list[str]:
    return [line[2:] if line.startswith("  ") else line for line in str(plan).splitlines()[1:]]


def about(task: TaskText) -> str:
    """What a task computes from what."""
    reads = [m for m in task.memories if m not in task.writes or m in task.reads]
    source = f" from {', '.join(reads)}" if reads else ""
    return f"{', '.join(task.writes)}{source}"


def needed(task: TaskText) -> list[str]:
    """The sizes that a task's launch has to know."""
    own = [] if task.sample is None else _words(size_text(task.sample.size))
    return list(dict.fromkeys((*task.sizes, *own)))


def _words(text: str) -> list[str]:
    return re.findall(r"[A-Za-z_]\w*", text)


def _parameters(task: TaskText) -> list[str]:
    pointers = [f"{m}_ptr" for m in task.memories]
    first = ["pid"] if task.sample is None else [SAMPLE, "pid"]
    return [*first, *pointers, *(f"{name}: tl.constexpr" for name in task.extra)]


def _signature(writer: Writer, heading: str, parameters: Sequence[str]) -> None:
    """A function's heading, one parameter a line where it is long."""
    text = f"def {heading}({', '.join(parameters)}):"
    if len(text) <= 100:
        writer.line(text)
        return
    writer.line(f"def {heading}(")
    for parameter in parameters:
        writer.line(f"    {parameter},")
    writer.line("):")


def _task(writer: Writer, task: TaskText) -> None:
    writer.line()
    writer.line("@triton.jit")
    _signature(writer, task.name, _parameters(task))
    writer.line(f"    # {about(task)}")
    for line in task.lines:
        writer.line(f"    {line}", task.roots)
    writer.line()


def _kernel(writer: Writer, name: str, stage: Stage) -> None:
    """The launch: ranges of programs belong to tasks, the first one to the chain."""
    pointers = list(dict.fromkeys(f"{m}_ptr" for t in stage.all for m in t.memories))
    sizes = list(dict.fromkeys(s for t in stage.all for s in needed(t)))
    blocks = [f"{c}__{k}" for k, t in enumerate(stage.all) for c in t.constants]
    precise = ["PRECISION"] if any(t.precision for t in stage.all) else []
    extra = [f"{c}: tl.constexpr" for c in (*sizes, *blocks, *precise)]
    writer.line()
    writer.line("@triton.jit")
    _signature(writer, name, [*pointers, *extra])
    writer.line("    pid = tl.program_id(0)")
    start = "0"
    numbers = {t.name: number for number, t in enumerate(stage.all)}
    if stage.chain:
        start = "end"
        _chain(writer, stage, numbers)
    for task in stage.tasks:
        number, alone = numbers[task.name], len(stage.all) == 1
        own = "pid" if start == "0" else f"pid - {start}"
        if task is stage.tasks[-1]:
            if not alone:
                writer.line(f"    if pid >= {start}:")
        else:
            end, count = f"end_{number}", _count(task, number)
            total = count if start == "0" else f"{start} + {count}"
            writer.line(f"    {end} = {total}")
            writer.line(f"    if (pid >= {start}) & (pid < {end}):")
            start = end
        writer.line(f"{'    ' if alone else '        '}{_call(task, number, own)}")
    writer.line()


def _chain(writer: Writer, stage: Stage, numbers: Mapping[str, int]) -> None:
    """One program for each sample; the next group starts when all of the one before is written."""
    samples = next(t.sample for t in stage.all if t.sample is not None).size
    writer.line(f"    end = {size_text(samples)}")
    writer.line("    if pid < end:")
    for place, group in enumerate(stage.chain):
        if place:
            writer.line("        tl.debug_barrier()")
        for task in group:
            number = numbers[task.name]
            writer.line(f"        for part in range(0, {_count(task, number)}):")
            writer.line(f"            {_call(task, number, 'pid', 'part')}")


def _count(task: TaskText, number: int) -> str:
    """How many programs a task takes, in the names of its launch."""
    count = task.programs
    for constant in task.constants:
        count = re.sub(rf"\b{constant}\b", f"{constant}__{number}", count)
    return count


def _call(task: TaskText, number: int, *first: str) -> str:
    given = [f"{m}_ptr" for m in task.memories]
    given += [f"{c}__{number}" if c in task.constants else c for c in task.extra]
    return f"{task.name}({', '.join([*first, *given])})"
