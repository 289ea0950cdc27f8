"""Choosing tiles by measuring: every product of a plan in turn, a short list of tiles for each.

In: a plan, what compiling ahead of time says of a launch, and what measures one. Out: the tiles
that were quicker than those before, by the products' keys. Always: a tile that spills, leaves the
tensor cores or takes more shared memory than the device has is not measured; a product keeps its
tile unless another one is quicker by more than chance; each launch is measured with the tiles that
its other products have got so far. Nothing here needs a GPU but the measuring.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from backends.triton_cuda.aot import Facts
from backends.triton_cuda.launch import KernelPlan, Launch, Product
from backends.triton_cuda.tiling import Tiling, candidates, products, retiled

Compile = Callable[[Launch], Facts]
Measure = Callable[[Launch], float]  # seconds; infinite where it cannot run
Say = Callable[[str], None]

_CHANCE = 0.97  # of the time before: what a tile has to reach to replace another
REGISTERS = 255


@dataclass(frozen=True)
class Result:
    """What tuning found: tiles by product, and seconds of all launches with products, before and
    after; `measured` and `pruned` count candidates."""

    chosen: Mapping[str, Tiling]
    before: float
    after: float
    measured: int
    pruned: int


def fits(facts: Facts, shared: int, tensor: bool) -> bool:
    """Whether a kernel is worth measuring: nothing spills, tensor cores multiply (where they did
    before), and shared memory suffices."""
    whole = facts.stack == 0 and facts.local == 0 and facts.registers <= REGISTERS
    return whole and facts.shared <= shared and (facts.tensor > 0 or not tensor)


def tune(plan: KernelPlan, compiled: Compile, measure: Measure, shared: int, say: Say) -> Result:
    """See the module; `shared` is how many bytes of shared memory a program may take."""
    chosen: dict[str, Tiling] = {}
    before = after = 0.0
    counts = {"measured": 0, "pruned": 0}
    seen: set[tuple[str, ...]] = set()
    launches = {launch.kernel: launch for launch, _, _ in products(plan)}
    for name, launch in launches.items():
        keys = {i: t.product for i, t in enumerate(launch.tasks) if t.product is not None}
        if tuple(p.key for p in keys.values()) in seen:
            continue
        seen.add(tuple(p.key for p in keys.values()))
        now, start = launch, measure(launch)
        best, facts = start, compiled(launch)
        for number, product in keys.items():
            for tiling in _others(product, now):
                trial = retiled(now, {number: tiling})
                if not fits(compiled(trial), shared, facts.tensor > 0):
                    counts["pruned"] += 1
                    continue
                counts["measured"] += 1
                seconds = measure(trial)
                if seconds < _CHANCE * best:
                    best, now, chosen[product.key] = seconds, trial, tiling
        before, after = before + start, after + best
        say(f"{name}: {_micro(start)}" + (f" -> {_micro(best)}" if best < start else ""))
    return Result(chosen, before, after, **counts)


def _others(product: Product, launch: Launch) -> list[Tiling]:
    """Candidates apart from what the launch has."""
    own = Tiling(*product.tile, launch.warps, launch.stages)
    return [tiling for tiling in candidates(product) if tiling != own]


def _micro(seconds: float) -> str:
    return "does not run" if math.isinf(seconds) else f"{seconds * 1e6:.1f} us"
