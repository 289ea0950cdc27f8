"""Our contender: `python -m benchmarks.speed.ours WORKLOAD gendsl MATERIAL`.

The step as `gendsl run` compiles it, on numpy batches, with the noise that it draws itself. With
`write` in place of `gendsl` the material is written.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

from backends.torch_cpu import TARGET
from benchmarks.peers.speed.turns import Arrays, arguments, serve, weights
from benchmarks.speed.workloads import SEED, load, write_material
from gendsl.noise import Noise
from gendsl.passes.joint import initial, joint
from gendsl.passes.pipeline import select, transform_step


class Gendsl:
    """See `turns.Contender`."""

    def __init__(
        self, workload: str, arrays: Arrays, sizes: Mapping[str, int] | None = None
    ) -> None:
        loaded = load(workload, sizes)
        recipe = loaded.interface.recipe
        assert recipe is not None
        self.names = [line.objective for line in recipe.steps_lines]
        self.field = next(iter(loaded.interface.data))
        self.hypers = {n: float(h.default) for n, h in loaded.interface.hypers.items()}
        graph = transform_step(joint(loaded.graph, recipe), select("all"))
        self.compiled = TARGET.compile_step(graph, loaded.sizes)
        first = TARGET.compile_function(initial(loaded.graph, recipe), loaded.sizes)
        self.compiled.load(first.run({}, {}, {}, Noise(SEED, "init", 0)))
        self.batches = list(arrays["batch"])
        start = self.compiled.values()
        assert all((start[f"param:{k}"] == v).all() for k, v in weights(arrays).items())

    def given_step(self, number: int) -> list[float]:
        """The step's own noise is what the file holds."""
        self.run(number)
        metrics = self.compiled.metrics()
        return [metrics[name] for name in self.names]

    def step(self, number: int) -> None:
        self.run(number + len(self.batches))

    def run(self, number: int) -> None:
        x = self.batches[number % len(self.batches)]
        self.compiled.run({self.field: x}, self.hypers, Noise(SEED, "train", number))

    def wait(self) -> None:
        """Everything on the CPU is done when it returns."""


def main() -> None:
    if len(sys.argv) == 4 and sys.argv[2] == "write":
        write_material(sys.argv[1], Path(sys.argv[3]))
        return
    workload, _, arrays = arguments(("gendsl",))
    serve(Gendsl(workload, arrays), arrays)


if __name__ == "__main__":
    main()
