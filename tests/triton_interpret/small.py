"""Shipped programs at small, odd sizes, with made data, for both targets and the reference."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
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
_IMAGE = {"B": 3, "C": 1, "H": 8, "W": 8}
_MLP = {**_ROW, "hidden": 17, "Z": 3}
_CODES = {**_IMAGE, "width": 5, "Cd": 3, "K": 7}

# Odd sizes and non-multiples of every block wherever the program allows them.
ODD: Mapping[str, Mapping[str, int]] = {
    "autoencoder": _MLP,
    "beta_vae": _MLP,
    "conditional_vae": _MLP,
    "conv_vae": {**_IMAGE, "width": 3, "hidden": 7, "Z": 3},
    "ddpm": {**_IMAGE, "H": 4, "W": 6, "width": 8, "T": 50},
    "ddpm_unet": {**_IMAGE, "width": 8, "T": 50},
    "flow_matching": {**_IMAGE, "H": 6, "W": 4, "width": 8, "T": 50},
    "gan": _MLP,
    "lsgan": _MLP,
    "lsgan_ring": {"B": 5, "hidden": 17, "Z": 3, "D": 2},
    "mae": {**_IMAGE, "H": 4, "W": 6, "P": 2, "kept": 3, "E": 6, "heads": 2},
    "vae": _MLP,
    "vq_vae": _CODES,
    "vq_vae_ema": _CODES,
    "wgan_gp": _MLP,
}

_ONE = {"B": 1, "C": 1, "H": 1, "W": 1}
_ONE_MLP = {**_ONE, "hidden": 1, "Z": 1}
_ONE_CODE = {**_ONE, "H": 4, "W": 8, "width": 1, "Cd": 1, "K": 1}

# Every size 1, or the least that the program allows.
ONES: Mapping[str, Mapping[str, int]] = {
    "autoencoder": _ONE_MLP,
    "beta_vae": _ONE_MLP,
    "conditional_vae": _ONE_MLP,
    "conv_vae": {**_ONE_MLP, "H": 4, "W": 4, "width": 1},
    "ddpm": {**_ONE, "H": 2, "W": 2, "width": 8, "T": 50},
    "ddpm_unet": {**_ONE, "H": 8, "W": 8, "width": 8, "T": 50},
    "flow_matching": {**_ONE, "H": 4, "W": 4, "width": 8, "T": 50},
    "gan": _ONE_MLP,
    "lsgan": _ONE_MLP,
    "lsgan_ring": {"B": 1, "hidden": 1, "Z": 1, "D": 1},
    "mae": {**_ONE, "H": 2, "P": 1, "kept": 1, "E": 1, "heads": 1},
    "vae": _ONE_MLP,
    "vq_vae": _ONE_CODE,
    "vq_vae_ema": _ONE_CODE,
    "wgan_gp": _ONE_MLP,
}

# More than one tile of a product in every direction, the last one in part; one more sample than a
# power of two.
WIDE: Mapping[str, Mapping[str, int]] = {
    "vae": {"B": 67, "C": 1, "H": 9, "W": 9, "hidden": 70, "Z": 33},
    "vq_vae": {"B": 5, "C": 3, "H": 8, "W": 12, "width": 17, "Cd": 9, "K": 67},
    "lsgan_ring": {"B": 129, "hidden": 65, "Z": 2, "D": 2},
}
SIZES = {"odd": ODD, "ones": ONES, "wide": WIDE}


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

    def batch(self, number: int, sizes: Mapping[str, int] | None = None) -> dict[str, Array]:
        """Made data: reals in 0..1, indices below their bounds."""
        sizes = self.sizes if sizes is None else sizes
        rng = np.random.default_rng(number)
        found: dict[str, Array] = {}
        for name, field in self.interface.data.items():
            shape = tuple(axis.size.size(sizes) for axis in field.type.items)
            match field.type.elem:
                case Fin(bound):
                    found[name] = rng.integers(0, bound.size(sizes), shape)
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


def inputs(
    values: Mapping[str, Array], batch: Mapping[str, Array], hypers: Mapping[str, float], step: int
) -> dict[str, Any]:
    """The inputs of the reference by key; a sampler's arguments are given as a batch too."""
    found: dict[str, Any] = {**values, "step:step": float(step)}
    for name, array in batch.items():
        found[f"data:{name}"] = found[f"argument:{name}"] = array
    return found | {f"hyper:{name}": value for name, value in hypers.items()}


def small(name: str, kind: str = "odd") -> Small:
    """The program at the sizes of that kind."""
    sizes = dict(SIZES[kind][name])
    program = _made(name)
    assert set(program.interface.dims) <= set(sizes), name
    check_conditions(program.interface.conditions, sizes)
    return replace(program, sizes=sizes)


@cache
def _made(name: str) -> Small:
    sink = Sink()
    analysis = analyse(str(PROGRAMS / f"{name}.gml"), sink, prove=False)
    assert not sink.has_errors, sink.sorted()
    graph, interface = analysis.graph, analysis.interface
    assert graph is not None and interface is not None and interface.recipe is not None
    step = transform_step(joint(graph, interface.recipe), select("all"))
    return Small(name, interface, graph, {}, step)
