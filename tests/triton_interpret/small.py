"""Shipped programs at small, odd sizes, with made data, for both targets and the reference."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from backends.torch_cpu import TARGET as CPU
from gendsl.core.program import Interface
from gendsl.data import check_conditions
from gendsl.diagnostics.model import Sink
from gendsl.driver import analyse
from gendsl.ir.graph import Graph, Node
from gendsl.ir.step import StepGraph
from gendsl.noise import Noise
from gendsl.passes.joint import initial, joint
from gendsl.passes.pipeline import select, transform_step
from gendsl.shape.tensor_type import Fin

Array = np.ndarray[Any, Any]
PROGRAMS = Path(__file__).parent.parent.parent / "programs"

_ROW = {"B": 5, "C": 1, "H": 3, "W": 3}
_IMAGE = {"B": 2, "C": 1, "H": 8, "W": 8}
_SMALL_IMAGE = {"B": 2, "C": 1, "H": 4, "W": 4}

# Odd sizes and non-multiples of every block wherever the program allows them.
SIZES: Mapping[str, Mapping[str, int]] = {
    "autoencoder": {**_ROW, "hidden": 17, "Z": 3},
    "beta_vae": {**_ROW, "hidden": 17, "Z": 3},
    "conditional_vae": {**_ROW, "hidden": 17, "Z": 3},
    "conv_vae": {**_IMAGE, "width": 3, "hidden": 7, "Z": 3},
    "ddpm": {**_SMALL_IMAGE, "width": 8, "T": 50},
    "ddpm_unet": {**_SMALL_IMAGE, "B": 1, "width": 8, "T": 50},
    "flow_matching": {**_SMALL_IMAGE, "width": 8, "T": 50},
    "gan": {**_ROW, "hidden": 17, "Z": 3},
    "lsgan": {**_ROW, "hidden": 17, "Z": 3},
    "lsgan_ring": {"B": 5, "hidden": 17, "Z": 3, "D": 2},
    "mae": {**_SMALL_IMAGE, "B": 1, "P": 2, "kept": 3, "E": 4, "heads": 2},
    "vae": {**_ROW, "hidden": 17, "Z": 3},
    "vq_vae": {**_IMAGE, "width": 5, "Cd": 3, "K": 7},
    "vq_vae_ema": {**_IMAGE, "width": 5, "Cd": 3, "K": 7},
    "wgan_gp": {**_ROW, "hidden": 17, "Z": 3},
}


@dataclass(frozen=True)
class Small:
    """A program with sizes; `step` is its training step after all passes."""

    name: str
    interface: Interface
    graph: Graph
    sizes: Mapping[str, int]
    step: StepGraph

    @property
    def hypers(self) -> dict[str, float]:
        return {n: float(h.default) for n, h in self.interface.hypers.items()}

    def batch(self, number: int) -> dict[str, Array]:
        """Made data: reals in 0..1, indices below their bounds."""
        rng = np.random.default_rng(number)
        found: dict[str, Array] = {}
        for name, field in self.interface.data.items():
            shape = tuple(axis.size.size(self.sizes) for axis in field.type.items)
            match field.type.elem:
                case Fin(bound):
                    found[name] = rng.integers(0, bound.size(self.sizes), shape)
                case _:
                    found[name] = rng.random(shape, dtype=np.float32)
        return found

    def values(self) -> dict[str, Array]:
        """Everything that the step carries, before the first one."""
        assert self.interface.recipe is not None
        nodes = initial(self.graph, self.interface.recipe)
        return CPU.compile_function(nodes, self.sizes).run({}, {}, self.hypers, Noise(0, "init"))

    def gradients(self) -> dict[str, Node]:
        """Metrics, and the gradient of every parameter as the optimizers take it."""
        found = dict(self.step.metrics)
        for place, group in enumerate(self.step.groups):
            named = zip(group.parameters, group.gradients, strict=True)
            found |= {f"gradient {place} of {key}": node for key, node in named}
        assert len(found) > len(self.step.metrics)
        return found


@cache
def small(name: str) -> Small:
    sink = Sink()
    analysis = analyse(str(PROGRAMS / f"{name}.gml"), sink, prove=False)
    assert not sink.has_errors, sink.sorted()
    graph, interface = analysis.graph, analysis.interface
    assert graph is not None and interface is not None and interface.recipe is not None
    sizes = dict(SIZES[name])
    assert set(interface.dims) <= set(sizes), name
    check_conditions(interface.conditions, sizes)
    step = transform_step(joint(graph, interface.recipe), select("all"))
    return Small(name, interface, graph, sizes, step)
