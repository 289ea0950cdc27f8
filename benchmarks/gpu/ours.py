"""Our contender: the step that `gendsl run --cuda` replays, and its losses next to the CPU's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from backends.torch_cpu import TARGET as CPU
from backends.triton_cuda import TARGET as CUDA
from backends.triton_cuda.blocks import CARRIED, INBOX, group, places
from backends.triton_cuda.compiled import Step
from backends.triton_cuda.target import TritonCuda
from benchmarks.gpu.device import Work
from benchmarks.speed.workloads import SEED, Loaded, batches, first_values, load
from gendsl.ir.step import StepGraph
from gendsl.noise import Noise
from gendsl.passes.joint import joint
from gendsl.passes.pipeline import select, transform_step
from gendsl.target import CompiledStep


@dataclass
class Ours:
    """One workload: the graph of its step, compiled for CUDA (`step`), and what it starts from."""

    name: str
    loaded: Loaded
    graph: StepGraph
    step: Step
    values: Mapping[str, Any]
    batches: list[Any]
    expected: dict[int, Any] = field(default_factory=dict)  # the CPU target's losses, by count

    @property
    def plan(self) -> Any:
        return self.step.plan

    @property
    def source(self) -> str:
        return self.step.source

    @property
    def traffic(self) -> int:
        """Bytes that every step has to move through main memory: what it carries, read and
        written, and its batch."""
        carried, given = (places(group(self.plan, roles))[1] for roles in (CARRIED, INBOX))
        return 2 * carried + given

    def feed(self, number: int) -> tuple[dict[str, Any], dict[str, float], Noise]:
        """Batch, hyperparameters and noise of step `number`."""
        field = next(iter(self.loaded.interface.data))
        hypers = {n: float(h.default) for n, h in self.loaded.interface.hypers.items()}
        x = self.batches[number % len(self.batches)]
        return {field: x}, hypers, Noise(SEED, "train", number)

    def losses(self, step: CompiledStep, count: int) -> np.ndarray[Any, Any]:
        """The objectives of the first steps, from the initial values."""
        recipe = self.loaded.interface.recipe
        assert recipe is not None
        names = dict.fromkeys(line.objective for line in recipe.steps_lines)
        step.load(self.values)
        rows = []
        for number in range(count):
            step.run(*self.feed(number))
            metrics = step.metrics()
            rows.append([metrics[name] for name in names])
        return np.asarray(rows)

    def reference(self, count: int) -> np.ndarray[Any, Any]:
        """The same losses by the CPU target."""
        if count not in self.expected:
            step = CPU.compile_step(self.graph, self.loaded.sizes)
            self.expected[count] = self.losses(step, count)
        return self.expected[count]

    def difference(self, count: int) -> float:
        """The largest relative difference of a loss from the CPU target's, same noise."""
        reference, found = self.reference(count), self.losses(self.step, count)
        return float(np.max(np.abs(found - reference) / np.maximum(np.abs(reference), 1e-3)))

    def on_the_device(self) -> tuple[float, dict[str, float]]:
        """Seconds by the device's clock: of a whole step, and of each launch on its own. After a
        step has run."""
        found = self.step.timed()
        self.step.load(self.values)
        return found

    def contender(self) -> Work:
        """A step, as often as it is called."""
        self.step.load(self.values)
        number = 0

        def run() -> None:
            nonlocal number
            self.step.run(*self.feed(number))
            number += 1

        run()
        return run


def ours(name: str, extra: Mapping[str, int], target: TritonCuda = CUDA) -> Ours:
    """The workload compiled for CUDA; `extra` are sizes in place of the program's."""
    loaded = load(name, extra)
    recipe = loaded.interface.recipe
    assert recipe is not None
    graph = transform_step(joint(loaded.graph, recipe), select("all"))
    step = target.compile_step(graph, loaded.sizes)
    assert isinstance(step, Step)
    made = batches(name, loaded.sizes["B"])
    return Ours(name, loaded, graph, step, first_values(loaded), made)
