"""Compiled steps and functions of this target: plans with the values of a program.

In: a joint graph or outputs, and sizes. Out: `Step` and `Function` (see `gendsl.target`). Always:
making one is text only; memory, kernels and the machine come with the first `load` or `run`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from backends.triton_cuda.emit import emit
from backends.triton_cuda.launch import KernelPlan, Launch
from backends.triton_cuda.tiling import Choose, as_written
from gendsl.diagnostics.model import fail
from gendsl.ir.graph import Node
from gendsl.ir.step import StepGraph
from gendsl.precision import FLOAT32
from gendsl.shape.tensor_type import Bool, Fin, Real

if TYPE_CHECKING:
    import numpy as np

    from backends.common.text import Source
    from backends.triton_cuda.feed import Feed
    from backends.triton_cuda.runtime import Running
    from backends.triton_cuda.tune import Result, Say
    from gendsl.noise import Noise

    Array = np.ndarray[Any, Any]

Sizes = Mapping[str, int]
Make = Callable[[Sizes], "tuple[KernelPlan, Source]"]


class Compiled:
    """A plan with its source, brought onto the machine when it is first asked for."""

    def __init__(
        self,
        make: Callable[[Sizes], tuple[KernelPlan, Source]],
        sizes: Sizes,
        roots: Iterable[Node],
    ) -> None:
        self._make = make
        self._roots = tuple(roots)
        self.plan, made = make(sizes)
        self.source = made.text
        self.keys = {m.key: m.name for m in self.plan.memory.values() if m.key}
        self._running: Running | None = None
        self._feed: Feed | None = None

    @property
    def running(self) -> Running:
        """The plan in memory. Raises E0903 when it does not fit."""
        if self._running is None:
            from backends.triton_cuda import ahead, fit, loader, machine
            from backends.triton_cuda.runtime import Running

            device = machine.here()
            fit.addressable(self.plan)
            kernels = loader.load(self.plan.name, self.source)
            try:
                self._running = Running(self.plan, kernels, device)
            except machine.OutOfMemory as problem:
                name = fit.batch_name(self._roots)
                raise fit.does_not_fit(
                    self.plan, lambda sizes: self._make(sizes)[0], name, problem.free
                ) from None
            if isinstance(device, machine.Cuda):
                ahead.compile_all(self.plan, self.source, device.capability())
        return self._running

    def fill(
        self, batch: Mapping[str, Array], hypers: Mapping[str, float], noise: Noise
    ) -> Callable[[Mapping[str, Array]], None]:
        """What writes the inputs of a run into the inbox."""
        if self._feed is None:
            from backends.triton_cuda.feed import Feed

            self._feed = Feed(self.plan)
        return self._feed.writer(batch, hypers, noise)


class Step:
    """A compiled training step; see `gendsl.target.CompiledStep`."""

    def __init__(
        self, step: StepGraph, sizes: Sizes, precision: str = FLOAT32, tiles: Choose = as_written
    ) -> None:
        roots = (*step.metrics.values(), *step.updates.values())
        self._compiled = Compiled(
            lambda s: emit(step, s, precision=precision, tiles=tiles), sizes, roots
        )
        self.plan, self.source = self._compiled.plan, self._compiled.source
        self._updates = tuple(step.updates)
        self._metrics = tuple(step.metrics)
        self._arrived: list[tuple[int, dict[str, float]]] = []
        self._newest: dict[str, float] = {}

    def load(self, values: Mapping[str, Array]) -> None:
        """Set every carried value; the keys must be those of the step graph's updates."""
        if set(values) != set(self._updates):
            odd = sorted(set(values) ^ set(self._updates))
            raise ValueError(f"values to load do not fit the step: {', '.join(odd)}")
        keys = self._compiled.keys
        self._compiled.running.load({keys[k]: v for k, v in values.items() if k in keys})

    def run(self, batch: Mapping[str, Array], hypers: Mapping[str, float], noise: Noise) -> None:
        """One step, at number `noise.step`; returns as soon as it is under way."""
        running = self._compiled.running
        if running.outbox.full:
            running.outbox.take(self._read)
        running.run(self._compiled.fill(batch, hypers, noise), noise.step)

    def tuned(self, say: Say) -> Result:
        """The step's tiles, measured on the device at hand."""
        from backends.triton_cuda import aot, machine
        from backends.triton_cuda.timing import measurer
        from backends.triton_cuda.tune import tune

        device = machine.here()
        if not isinstance(device, machine.Cuda):
            raise fail("E0901", "cannot measure tiles: there is no NVIDIA GPU here")
        running, text = self._compiled.running, self.source
        running.load({})
        kernels, read = running.kernels, aot.reader(self.plan, text)
        return tune(
            self.plan,
            lambda launch: aot.compile_unit(read(launch), kernels),
            measurer(running, device),
            device.shared(),
            say,
        )

    def timed(self) -> tuple[float, dict[str, float]]:
        """Seconds by the device's clock of a step that has run: whole, and by kernel, those in
        loops left out. The carried values are other ones afterwards."""
        from backends.triton_cuda import machine
        from backends.triton_cuda.timing import measurer, whole

        device = machine.here()
        if not isinstance(device, machine.Cuda):
            raise fail("E0901", "cannot measure kernels: there is no NVIDIA GPU here")
        running = self._compiled.running
        measure = measurer(running, device)
        alone = [step for step in self.plan.launches if isinstance(step, Launch)]
        kernels = {launch.kernel: measure(launch) for launch in alone}
        return whole(running, device), kernels

    def _read(self, number: int, arrays: Mapping[str, Array]) -> None:
        running, outputs = self._compiled.running, self.plan.outputs
        self._newest = {n: float(running.result(outputs[n], arrays)) for n in self._metrics}
        self._arrived.append((number, self._newest))

    def latest(self) -> list[tuple[int, dict[str, float]]]:
        """Metrics with step numbers of the steps whose results were read since the last call, in
        order; waits for nothing, so the last few steps may be missing."""
        found, self._arrived = self._arrived, []
        return found

    def metrics(self) -> dict[str, float]:
        """The metrics of the last step; waits for it."""
        outbox = self._compiled.running.outbox
        while len(outbox):
            outbox.take(self._read)
        return self._newest

    def values(self) -> dict[str, Array]:
        """Copies of every carried value by key."""
        carried = self._compiled.running.carried()
        places = {key: self.plan.outputs[key] for key in self._updates}
        return {key: outside(self.plan, name, carried[name]) for key, name in places.items()}


class Function:
    """Compiled pure outputs; see `gendsl.target.CompiledFunction`."""

    def __init__(
        self,
        outputs: Mapping[str, Node],
        sizes: Sizes,
        precision: str = FLOAT32,
        tiles: Choose = as_written,
    ) -> None:
        self._compiled = Compiled(
            lambda s: emit(outputs, s, precision=precision, tiles=tiles), sizes, outputs.values()
        )
        self.plan, self.source = self._compiled.plan, self._compiled.source

    def run(
        self,
        values: Mapping[str, Array],
        batch: Mapping[str, Array],
        hypers: Mapping[str, float],
        noise: Noise,
    ) -> dict[str, Array]:
        """The outputs for these parameters, data, hyperparameters and noise."""
        running, keys = self._compiled.running, self._compiled.keys
        running.load({name: values[key] for key, name in keys.items() if key in values})
        running.run(self._compiled.fill(batch, hypers, noise), noise.step)
        found: dict[str, Array] = {}

        def read(_: int, arrays: Mapping[str, Array]) -> None:
            for name, memory in self.plan.outputs.items():
                found[name] = outside(self.plan, memory, running.result(memory, arrays))

        running.outbox.take(read)
        return found


def outside(plan: KernelPlan, name: str, array: Array) -> Array:
    """A memory's entries as the rest of gendsl has them: indices int64, truth values bool."""
    match plan.memory[name].elem:
        case Fin():
            return array.astype("int64")
        case Bool():
            return array.astype("bool")
        case Real():
            return array
