"""The seven workloads: sizes, noise, work, and the material that every contender starts from.

The programs are `benchmarks/workloads/NAME.gml`. Pictures are made (smooth, in 0..1), since a step
costs the same on any; weights and noise are ours, so that the loss curves can be compared.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from backends.torch_cpu import TARGET
from benchmarks.peers.common import DrawSpec
from gendsl.core.program import Interface
from gendsl.diagnostics.model import Sink
from gendsl.driver import analyse
from gendsl.ir.graph import Graph
from gendsl.noise import Noise
from gendsl.passes.joint import initial

Array = np.ndarray
FOLDER = Path(__file__).parent.parent / "workloads"
SEED = 0
BATCHES = 10  # so many different ones; their losses are compared


@dataclass(frozen=True)
class Workload:
    """A training step. `mflop` is the arithmetic of its contractions per step, none done twice;
    `tolerance` the largest relative difference of two loss curves."""

    title: str
    picture: tuple[int, int, int]
    flat: bool
    draws: Mapping[str, DrawSpec]
    mflop: float
    tolerance: float = 1e-3


GREY, COLOUR = (1, 28, 28), (3, 32, 32)

WORKLOADS: Mapping[str, Workload] = {
    "mlp_vae": Workload(
        "MLP VAE 784-400-20, batch 128", GREY, True, {"neg_elbo.eps": DrawSpec((20,))}, 420
    ),
    "digits_vae": Workload(
        "beta-VAE 64-128-64-8, batch 64", (1, 8, 8), True, {"neg_elbo.eps": DrawSpec((8,))}, 12.1
    ),
    "conv_vae": Workload(
        "conv VAE 3x32x32, 32-64-128 channels, batch 64",
        COLOUR,
        False,
        {"neg_elbo.eps": DrawSpec((64,))},
        3624,
    ),
    "vq_vae": Workload("VQ-VAE 512 x 64, 8x8 places, batch 64", COLOUR, False, {}, 6006),
    "lsgan": Workload(
        "LSGAN 64-256-512-784 / 784-512-256-1, batch 128",
        GREY,
        True,
        {"d_loss.noise": DrawSpec((64,)), "g_loss.noise": DrawSpec((64,))},
        1443,
    ),
    "ddpm": Workload(
        "DDPM, 6 convolutions of 32 channels at 32x32, batch 32",
        COLOUR,
        False,
        {"simple.t": DrawSpec((), "bits", 200, 1), "simple.noise": DrawSpec(COLOUR)},
        7531,
    ),
    "mae": Workload(
        "MAE, 64 patches of which 16 seen, 2 x 96 and 1 x 64, batch 64",
        COLOUR,
        False,
        {"reconstruction.u": DrawSpec((64,), "uniform")},
        2756,
    ),
}


@dataclass(frozen=True)
class Loaded:
    """A workload's program with all sizes."""

    graph: Graph
    interface: Interface
    sizes: Mapping[str, int]

    @property
    def batch(self) -> int:
        assert self.interface.recipe is not None
        return self.interface.recipe.batch


def load(name: str, extra: Mapping[str, int] | None = None) -> Loaded:
    """The program as it is written, but for sizes in `extra`."""
    sink = Sink()
    analysis = analyse(str(FOLDER / f"{name}.gml"), sink, prove=False)
    assert not sink.has_errors, sink.sorted()
    graph, interface = analysis.graph, analysis.interface
    assert graph is not None and interface is not None and interface.recipe is not None
    sizes = {n: d.default for n, d in interface.dims.items() if d.default is not None}
    sizes |= dict(zip(("C", "H", "W"), WORKLOADS[name].picture, strict=True))
    return Loaded(graph, interface, {**sizes, "B": interface.recipe.batch, **(extra or {})})


def pictures(shape: tuple[int, int, int], count: int, seed: int = SEED) -> Array:
    """Sums of a few waves, in 0..1."""
    rng = np.random.default_rng(seed)
    c, h, w = shape
    y, x = np.mgrid[0:h, 0:w] / max(h, w)
    total = np.zeros((count, c, h, w))
    for _ in range(3):
        wave = rng.uniform(-6, 6, (2, count, c, 1, 1))
        phase = rng.uniform(0, 2 * np.pi, (count, c, 1, 1))
        total += np.sin(wave[0] * y + wave[1] * x + phase)
    return (0.5 + total / 6).astype(np.float32)


def batches(name: str, size: int) -> list[Array]:
    workload = WORKLOADS[name]
    made = pictures(workload.picture, BATCHES * size)
    shape = (BATCHES, size, -1) if workload.flat else (BATCHES, size, *workload.picture)
    return list(made.reshape(shape))


def drawn(path: str, spec: DrawSpec, size: int, step: int) -> Array:
    """The noise of a training step as the program draws it."""
    noise = Noise(SEED, "train", step)
    value = noise.draw(path, spec.dist, (size, *spec.shape), 0, (), spec.bound, np.float32)
    return value + spec.low if spec.dist == "bits" else value


def first_values(loaded: Loaded) -> dict[str, Array]:
    """Everything that the step carries, before the first one."""
    recipe = loaded.interface.recipe
    assert recipe is not None
    make = TARGET.compile_function(initial(loaded.graph, recipe), loaded.sizes)
    return make.run({}, {}, {}, Noise(SEED, "init", 0))


def write_material(name: str, path: Path) -> None:
    """What every contender starts from; see `benchmarks.peers.speed.turns`."""
    loaded = load(name)
    arrays = {k: v for k, v in first_values(loaded).items() if k.startswith("param:")}
    arrays["batch"] = np.stack(batches(name, loaded.batch))
    for key, spec in WORKLOADS[name].draws.items():
        steps = [drawn(key, spec, loaded.batch, step) for step in range(BATCHES)]
        arrays[f"noise:{key}"] = np.stack(steps)
    np.savez(path, **arrays)
