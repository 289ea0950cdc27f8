"""Tiles of products: what a task's product is, which tiles suit it, and a plan with other tiles.

In: written tasks and plans. Out: `Product` of a task, candidates for its tile with the likely best
first, and `tiled`: the plan with the tiles that somebody chose. Always: a kernel's text does not
depend on its tiles (they are constants of the launch), so every choice computes the same and what
is proved of the text holds for each.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from types import SimpleNamespace
from typing import TYPE_CHECKING

from backends.triton_cuda.launch import KernelPlan, Launch, Product, Repeat, Step, TaskInfo

if TYPE_CHECKING:
    from backends.triton_cuda.tile import TaskText

SIDES = (16, 32, 64, 128)
DEPTHS = (16, 32, 64)
CANDIDATES = 12
_EXTENT = re.compile(r"tl\.cdiv\((.+?), (BLOCK_[MNK])\)")
# An H100 or H200, for the order of candidates only: multiprocessors, and for each of them products
# of float32's accuracy and bytes per second, and what a step of the summed index takes at least.
_SMS, _RATE, _BYTES, _STEP = 132, 1.0e12, 40e9, 0.4e-6


@dataclass(frozen=True)
class Tiling:
    """Rows and columns of a tile, summands taken at once; warps and pipeline stages."""

    rows: int
    columns: int
    depth: int
    warps: int
    stages: int

    def __str__(self) -> str:
        return (
            f"{self.rows} x {self.columns} x {self.depth}, {self.warps} warps, {self.stages} stages"
        )


Choose = Callable[[Product], Tiling | None]


def as_written(product: Product) -> Tiling | None:
    """Products keep the tile that they are written with."""
    return None


def product_of(task: TaskText, sizes: Mapping[str, int], precision: str) -> Product | None:
    """The product that a task is about, if its tile is one of a product."""
    names = ("BLOCK_M", "BLOCK_N", "BLOCK_K")
    if not task.precision or not all(name in task.constants for name in names):
        return None
    text = "\n".join((*task.lines, task.programs))
    extents = {name: _value(size, sizes) for size, name in _EXTENT.findall(text)}
    if set(extents) != set(names):
        return None
    m, n, k = (task.constants[name] for name in names)
    rows, columns, depth = (extents[name] for name in names)
    whole = -(-rows // m) * -(-columns // n)
    if task.count % whole:
        return None
    used = {name: value for name, value in sizes.items() if name in task.sizes}
    content = f"{text}\n{sorted(used.items())}\n{precision}"
    key = sha256(content.encode()).hexdigest()[:16]
    return Product(key, rows, columns, depth, task.count // whole, (m, n, k))


def _value(text: str, sizes: Mapping[str, int]) -> int:
    """An expression over sizes that the compiler wrote, as a number."""
    space = {"__builtins__": {}, "tl": SimpleNamespace(cdiv=lambda a, b: -(-a // b))}
    return int(eval(text, space, dict(sizes)))  # our own text, sizes and integers only


# ---- candidates ------------------------------------------------------------------------------


def candidates(product: Product) -> tuple[Tiling, ...]:
    """Tiles to try, the likely best first: none is larger than the product, none so large that its
    sums do not fit into registers."""
    found = []
    for m in _up_to(product.rows, SIDES):
        for n in _up_to(product.columns, SIDES):
            for k in _up_to(product.depth, DEPTHS):
                if m * n <= 128 * 64:
                    warps = 8 if m * n >= 64 * 64 else 4
                    stages = 3 if product.depth > 2 * k else 2
                    found.append(Tiling(m, n, k, warps, stages))
    return tuple(sorted(found, key=lambda tiling: _seconds(product, tiling))[:CANDIDATES])


def _up_to(size: int, numbers: Sequence[int]) -> list[int]:
    """Numbers that are not larger than it has to be to hold `size`."""
    return [x for x in numbers if x == numbers[0] or x < 2 * size]


def _seconds(product: Product, tiling: Tiling) -> float:
    """A rough estimate, which only decides what is tried first."""
    m, n, k = tiling.rows, tiling.columns, tiling.depth
    programs = product.batch * -(-product.rows // m) * -(-product.columns // n)
    steps = -(-product.depth // k)
    step = max(2 * m * n * k / _RATE, 4 * k * (m + n) / _BYTES / 8, _STEP)
    return -(-programs // _SMS) * (steps * step + 2e-6)


# ---- plans -----------------------------------------------------------------------------------


def products(plan: KernelPlan) -> Iterator[tuple[Launch, int, Product]]:
    """Every product of a plan: its launch and the number of its task there."""
    for launch in plan.kernels:
        for number, task in enumerate(launch.tasks):
            if task.product is not None:
                yield launch, number, task.product


def retiled(launch: Launch, chosen: Mapping[int, Tiling]) -> Launch:
    """The launch with these tiles in place of those of some of its tasks."""
    if not chosen:
        return launch
    constants, tasks, grid = dict(launch.constants), list(launch.tasks), launch.grid
    for number, tiling in chosen.items():
        task = tasks[number]
        assert task.product is not None
        sides = (tiling.rows, tiling.columns, tiling.depth)
        for name, value in zip(("BLOCK_M", "BLOCK_N", "BLOCK_K"), sides, strict=True):
            constants[f"{name}__{number}"] = value
        tasks[number] = _with_tile(task, tiling)
        grid += tasks[number].programs - task.programs
    warps = [tiling.warps for tiling in chosen.values()]
    if len(chosen) < len(tasks):  # other tasks have the warps that they need
        warps.append(launch.warps)
    return replace(
        launch,
        grid=grid,
        constants=constants,
        tasks=tuple(tasks),
        warps=max(warps),
        stages=max(tiling.stages for tiling in chosen.values()),
    )


def _with_tile(task: TaskInfo, tiling: Tiling) -> TaskInfo:
    product = task.product
    assert product is not None
    sides = (tiling.rows, tiling.columns, tiling.depth)
    count = -(-product.rows // tiling.rows) * -(-product.columns // tiling.columns)
    return replace(task, programs=product.batch * count, product=replace(product, tile=sides))


def tiled(plan: KernelPlan, choose: Choose) -> KernelPlan:
    """The plan with the tiles that are chosen for its products; None leaves one as it is."""

    def launch(given: Launch) -> Launch:
        found = {i: choose(t.product) for i, t in enumerate(given.tasks) if t.product is not None}
        return retiled(given, {i: tiling for i, tiling in found.items() if tiling is not None})

    def step(given: Step) -> Step:
        if isinstance(given, Repeat):
            return replace(given, body=tuple(map(step, given.body)))
        return launch(given)

    setup = tuple(map(launch, plan.setup))
    return replace(plan, launches=tuple(map(step, plan.launches)), setup=setup)
