"""A kernel plan: what to launch, in which order, over which memory, for given sizes.

In: nothing of its own; `backends.triton_cuda.plan` makes it. Out: plain data for the runtime, the
ahead-of-time compiler and the validator; `str(plan)` is what `--emit plan` prints. Always:

- every memory is contiguous and row-major; reals are float32, indices int32, truth values int8;
- a launch passes its kernel the memories `arguments` in order, then `constants` by name;
- launches run in order; two that follow each other see each other's writes;
- `setup` runs once, before the first run: it fills constants, which nothing else writes;
- memories of role "param", "slot", "state" and "ema" are updated in place: `outputs` names for
  each output the memory where it is after a run.

Note [What the host writes]: `data` and `argument` memories (by `key`, "data:x"); the memory `host`,
float32, entry k is the value of `host[k]`, a node without tensors below it; for each of `draws` a
memory of int32 with the Philox key words of `gendsl.noise.draw_key` in its last axis, the axes
before it are loop indices; and `step`, int32: low and high word of the step, and the global index
of example 0.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from math import prod

from gendsl.ir.graph import Node
from gendsl.ir.plan import quantity
from gendsl.precision import FLOAT32, PRECISIONS
from gendsl.shape.tensor_type import Bool, Elem

ROLES = (
    *("param", "slot", "state", "ema", "data", "argument", "hyper"),
    *("host", "step", "temporary", "output"),
)
ALIGNMENT = 64


@dataclass(frozen=True)
class Memory:
    """A tensor in memory. `key` is that of the value it holds ("param:encoder.h.w", "output:NAME"),
    "" for temporaries; these lie in one arena, at `offset` bytes."""

    name: str
    shape: tuple[int, ...]
    elem: Elem
    role: str
    offset: int = 0
    key: str = ""

    @property
    def bytes(self) -> int:
        return prod(self.shape) * (1 if isinstance(self.elem, Bool) else 4)

    def __str__(self) -> str:
        sizes = ", ".join(map(str, self.shape))
        return f"{self.name}: {self.elem}[{sizes}]" if self.shape else f"{self.name}: {self.elem}"


@dataclass(frozen=True)
class DrawKeys:
    """The memory that holds the key words of the draw `path`; `loops` are the extents of the
    indices of its loops."""

    memory: str
    path: str
    loops: tuple[int, ...]


@dataclass(frozen=True)
class Product:
    """A product that a task computes tile by tile: `batch` times `rows` by `columns`, each entry a
    sum of `depth`. `key` is a hash of the task's text, sizes and precision; `tile` are the rows,
    columns and summands of a tile."""

    key: str
    rows: int
    columns: int
    depth: int
    batch: int
    tile: tuple[int, int, int]


@dataclass(frozen=True)
class TaskInfo:
    """One task of a launch: the function that does it, what it computes and how much it moves."""

    name: str
    about: str
    programs: int
    reads: tuple[str, ...]
    writes: tuple[str, ...]
    flops: int
    bytes: int
    nodes: tuple[Node, ...] = field(default=(), repr=False)
    product: Product | None = None


@dataclass(frozen=True)
class Launch:
    """One kernel launch over `grid` programs."""

    kernel: str
    grid: int
    arguments: tuple[str, ...]
    constants: Mapping[str, int | str]
    warps: int
    stages: int
    tasks: tuple[TaskInfo, ...]


@dataclass(frozen=True)
class Repeat:
    """`body` in order, `count` times. The body itself counts, in the memory `index`."""

    count: int
    index: str
    body: tuple[Launch | Repeat, ...]


Step = Launch | Repeat


@dataclass(frozen=True)
class KernelPlan:
    """See the module. `arena_bytes` is the size of the arena of temporaries; `precision` that of
    products, a policy of `gendsl.precision`."""

    name: str
    sizes: Mapping[str, int]
    launches: tuple[Step, ...]
    memory: Mapping[str, Memory]
    arena_bytes: int
    outputs: Mapping[str, str]
    host: tuple[Node, ...] = field(default=(), repr=False)
    draws: tuple[DrawKeys, ...] = ()
    setup: tuple[Launch, ...] = ()
    precision: str = FLOAT32

    @property
    def turns(self) -> int:
        """How many inboxes are written in turn: a training step's batch comes while the step
        before it is under way; who calls a function waits for it anyway."""
        return 2 if self.name == "step" else 1

    @property
    def kernels(self) -> tuple[Launch, ...]:
        """Every distinct launch, those of setup and of loops included."""
        return (*self.setup, *_flat(self.launches))

    @property
    def launch_count(self) -> int:
        """How many kernels one run launches."""
        return _count(self.launches)

    @property
    def flops(self) -> int:
        return _total(self.launches, "flops")

    @property
    def bytes(self) -> int:
        """What one run moves between kernels and memory, if each kernel moves everything once."""
        return _total(self.launches, "bytes")

    def __str__(self) -> str:
        return "\n".join(_lines(self)) + "\n"


def _flat(steps: tuple[Step, ...]) -> Iterator[Launch]:
    for step in steps:
        match step:
            case Launch():
                yield step
            case Repeat(body=body):
                yield from _flat(body)


def _count(steps: tuple[Step, ...]) -> int:
    return sum(s.count * _count(s.body) if isinstance(s, Repeat) else 1 for s in steps)


def _total(steps: tuple[Step, ...], what: str) -> int:
    total = 0
    for step in steps:
        match step:
            case Repeat(count=count, body=body):
                total += count * _total(body, what)
            case Launch(tasks=tasks):
                total += sum(getattr(task, what) for task in tasks)
    return total


# ---- text --------------------------------------------------------------------------------


def _lines(plan: KernelPlan) -> Iterator[str]:
    sizes = ", ".join(f"{name} = {value}" for name, value in plan.sizes.items())
    yield f"kernel plan {plan.name}" + (f" at {sizes}" if sizes else "")
    yield (
        f"  {plan.launch_count} launches, {quantity(plan.flops, 'flop')}, "
        f"{quantity(plan.bytes, 'B')} moved, {quantity(plan.arena_bytes, 'B')} of temporaries"
    )
    if any("PRECISION" in launch.constants for launch in plan.kernels):
        yield f"  products in {plan.precision}: {PRECISIONS[plan.precision]}"
    if plan.setup:
        yield "  once:"
        yield from _steps(plan.setup, "    ")
    yield from _steps(plan.launches, "  ")
    for name, memory in plan.outputs.items():
        if plan.memory[memory].key != name:
            yield f"  yields {name} = {memory}"


def _steps(steps: tuple[Step, ...], indent: str) -> Iterator[str]:
    for step in steps:
        match step:
            case Repeat(count=count, body=body):
                yield f"{indent}{count} times:"
                yield from _steps(body, indent + "  ")
            case Launch():
                yield f"{indent}{step.kernel}: {step.grid} programs of {step.warps} warps"
                for task in step.tasks:
                    cost = f"{quantity(task.flops, 'flop')}, {quantity(task.bytes, 'B')}"
                    yield f"{indent}  {task.name} x {task.programs}: {task.about}   # {cost}"
