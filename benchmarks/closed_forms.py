"""Training and sampling where the right answer is known in closed form.

`python -m benchmarks.closed_forms` runs every check and writes `benchmarks/tables/closed_forms.md`.
Each `*_check` below returns rows; `tests/families` runs shorter versions. Always: a bar is stated
beside its number, and a test of a law says how often it fails by chance.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import erf, log, pi, sqrt
from pathlib import Path
from typing import Any

import numpy as np

from backends.torch_cpu import TARGET
from benchmarks.ring import shares
from gendsl.core.program import Recipe
from gendsl.data import batch_indices, bind, default_source, load
from gendsl.data.binding import Bound
from gendsl.diagnostics.model import Sink
from gendsl.driver import analyse
from gendsl.ir.graph import Graph, Node
from gendsl.noise import Noise
from gendsl.passes.joint import initial, joint
from gendsl.run.evaluate import readable

Array = np.ndarray[Any, Any]
Cdf = Callable[[Array], Array]

HERE = Path(__file__).parent / "programs"
CHANCE = 1e-6  # how often one test of a law may fail although the law is right


@dataclass(frozen=True)
class Row:
    """One check: what was measured, its bar, and whether it holds."""

    name: str
    measured: str
    bar: str
    holds: bool


@dataclass(frozen=True)
class Trained:
    """A program after training: values as functions of the program read them."""

    graph: Graph
    bound: Bound
    sizes: Mapping[str, int]
    values: Mapping[str, Array]
    hypers: Mapping[str, float]

    def run(
        self,
        outputs: Mapping[str, Node],
        sizes: Mapping[str, int],
        data: Mapping[str, Array],
        noise: Noise,
    ) -> dict[str, Array]:
        function = TARGET.compile_function(outputs, {**self.sizes, **sizes})
        return function.run(self.values, data, self.hypers, noise)

    def sample(self, name: str, count: int, seed: int = 0) -> Array:
        sampler = self.graph.samplers[name]
        outputs = {"": sampler.outputs[""].node}
        sizes = sampler.bound(self.sizes, count)
        return self.run(outputs, sizes, {}, Noise(seed, "sample"))[""]


def train(path: Path, seed: int = 0, steps: int | None = None) -> Trained:
    """Train a program on its own data, without a run folder."""
    sink = Sink()
    analysis = analyse(str(path), sink, prove=False)
    assert not sink.has_errors, sink.sorted()
    graph, interface = analysis.graph, analysis.interface
    assert graph is not None and interface is not None and interface.recipe is not None
    recipe: Recipe = interface.recipe
    source = default_source(interface.data)
    assert source is not None
    given = {n: d.default for n, d in interface.dims.items() if d.default is not None}
    bound = bind(load(source), interface.data, interface.dims, given)
    sizes = {**bound.sizes, "B": recipe.batch}
    hypers = {n: float(h.default) for n, h in interface.hypers.items()}
    start = TARGET.compile_function(initial(graph, recipe), sizes)
    step = TARGET.compile_step(joint(graph, recipe), sizes)
    step.load(start.run({}, {}, {}, Noise(seed, "init", 0)))
    for number in range(steps or recipe.steps):
        rows = batch_indices(bound.train_count, recipe.batch, seed, number)
        step.run(dict(bound.train(rows)), hypers, Noise(seed, "train", number))
    return Trained(graph, bound, sizes, readable(step.values(), ema=True), hypers)


# ---- a linear VAE and probabilistic PCA --------------------------------------------------


def ppca_nll(points: Array, latent: int) -> float:
    """The least mean negative log-likelihood of probabilistic PCA (Tipping & Bishop 1999)."""
    size = points.shape[1]
    values = np.linalg.eigvalsh(np.cov(points, rowvar=False, bias=True))[::-1]
    rest = values[latent:].mean()
    logs = np.log(values[:latent]).sum() + (size - latent) * log(rest)
    return float(0.5 * (size * log(2 * pi) + logs + size))


def linear_vae_check(steps: int | None = None) -> list[Row]:
    made = train(HERE / "linear_vae.gml", steps=steps)
    count = made.bound.train_count
    data = dict(made.bound.train(np.arange(count)))
    best = ppca_nll(np.asarray(data["x"], np.float64), made.sizes["Z"])
    loss = {"loss": made.graph.objectives["neg_elbo"].loss}
    draws = [made.run(loss, {"B": count}, data, Noise(1, "eval", i))["loss"] for i in range(20)]
    found = float(np.mean(draws))
    gap = (found - best) / abs(best)
    text = f"negative ELBO {found:.4f}, optimum {best:.4f} nats: {gap:+.2%}"
    return [Row("linear VAE against probabilistic PCA", text, "within 1%", abs(gap) < 0.01)]


# ---- codes of clustered points -----------------------------------------------------------


def vq_points_check(steps: int | None = None) -> list[Row]:
    made = train(HERE / "vq_points.gml", steps=steps)
    count = made.bound.held_out_count
    data = dict(made.bound.held_out(np.arange(count)))
    objective = made.graph.objectives["vq"]
    outputs = {"k": objective.scope["k"], "recon": objective.terms["recon"]}
    found = made.run(outputs, {"B": count}, data, Noise(0, "eval"))
    codes = made.sizes["K"]
    used = len(np.unique(found["k"]))
    recon = float(found["recon"])
    text = f"{used} of {codes} codes are used, squared error {recon:.4f}"
    # Each cluster has variance 2 * 0.05^2 = 0.005: one code per cluster reaches that.
    return [
        Row(
            "VQ on eight clusters",
            text,
            "all codes, error < 0.006",
            used == codes and recon < 0.006,
        )
    ]


# ---- laws of samplers --------------------------------------------------------------------


def normal_cdf(mean: float, sd: float) -> Cdf:
    return np.vectorize(lambda x: 0.5 * (1 + erf((x - mean) / (sd * sqrt(2)))))


def gaussian(x: Array) -> Array:
    """The law of the Gaussian samplers."""
    return normal_cdf(0, 0.5)(x)


def mixture(x: Array) -> Array:
    """The law of the mixture samplers."""
    found: Array = 0.3 * normal_cdf(1.5, 0.2)(x) + 0.7 * normal_cdf(-1, 0.2)(x)
    return found


def distance(points: Array, cdf: Cdf) -> float:
    """Kolmogorov's distance between the empirical law and `cdf`."""
    x = np.sort(points.astype(np.float64))
    law, n = cdf(x), len(x)
    above, below = np.arange(1, n + 1) / n - law, law - np.arange(n) / n
    return float(max(above.max(), below.max()))


def critical(count: int, chance: float = CHANCE) -> float:
    """Exceeded with probability at most `chance` when the law is right (Massart 1990)."""
    return sqrt(log(2 / chance) / (2 * count))


RIGHT = {
    "ddpm_gaussian": gaussian,
    "ddim_gaussian": gaussian,
    "euler_gaussian": gaussian,
    "ddpm_mixture": mixture,
    "half_eta_mixture": mixture,
    "ddim_mixture": mixture,
    "euler_mixture": mixture,
    "heun_mixture": mixture,
}
WRONG = {
    "reversed_mixture": mixture,
    "no_half_mixture": mixture,
}


def exact_samples(name: str, count: int, seed: int = 0) -> Array:
    """Samples of a sampler of `exact_samplers.gml`, in float64."""
    sink = Sink()
    analysis = analyse(str(HERE / "exact_samplers.gml"), sink, prove=False)
    assert analysis.graph is not None and analysis.interface is not None
    sampler = analysis.graph.samplers[name]
    sizes = {n: d.default for n, d in analysis.interface.dims.items() if d.default is not None}
    outputs = {"": sampler.outputs[""].node}
    function = TARGET.compile_function(outputs, sampler.bound(sizes, count), "float64")
    return function.run({}, {}, {}, Noise(seed, "sample"))[""]


def sampler_checks(count: int = 4000) -> list[Row]:
    bar = critical(count)
    rows = []
    for name, cdf in (RIGHT | WRONG).items():
        found = distance(exact_samples(name, count), cdf)
        right = name in RIGHT
        holds = found < bar if right else found > bar
        want = f"< {bar:.3f} (fails by chance at most once in 10^6)" if right else f"> {bar:.3f}"
        rows.append(Row(f"{name}: law of {count:,} samples", f"distance {found:.3f}", want, holds))
    return rows


def ddpm_weights_check(count: int = 10_000, steps: int | None = None) -> list[Row]:
    made = train(HERE / "ddpm_points.gml", steps=steps)
    found = shares(made.sample("points", count))
    worst, near = float(np.abs(found / found.sum() - 0.125).max()), float(found.sum())
    text = f"largest error of a weight {worst:.3f}, near some mode {near:.1%}"
    bar = "error < 0.02, near some mode > 90%"
    return [Row("DDPM on eight modes of weight 1/8", text, bar, worst < 0.02 and near > 0.9)]


def ring_check(seeds: tuple[int, ...] = (0, 1, 2)) -> list[Row]:
    program = Path(__file__).parent.parent / "programs" / "lsgan_ring.gml"
    rows = []
    for seed in seeds:
        found = shares(train(program, seed).sample("points", 10_000))
        text = f"smallest share within 3 sd of a mode {found.min():.1%}"
        rows.append(
            Row(f"LSGAN on eight modes, seed {seed}", text, "at least 2%", found.min() >= 0.02)
        )
    return rows


def table(rows: list[Row]) -> str:
    lines = [
        "# Known answers",
        "",
        "Made by `python -m benchmarks.closed_forms`. The samplers marked reversed or no_half are "
        "wrong on purpose: the test of the law has to see it.",
        "",
        "| check | measured | bar | |",
        "|---|---|---|---|",
    ]
    lines += [
        f"| {r.name} | {r.measured} | {r.bar} | {'holds' if r.holds else 'FAILS'} |" for r in rows
    ]
    return "\n".join(lines) + "\n"


def main(words: Sequence[str] | None = None) -> int:
    """Check everything, print and write the table."""
    argparse.ArgumentParser("python -m benchmarks.closed_forms", description=__doc__).parse_args(
        words
    )
    rows = [*sampler_checks(), *vq_points_check(), *linear_vae_check()]
    rows += [*ddpm_weights_check(), *ring_check()]
    text = table(rows)
    print(text)
    folder = Path(__file__).parent / "tables"
    folder.mkdir(exist_ok=True)
    (folder / "closed_forms.md").write_text(text)
    return 0 if all(row.holds for row in rows) else 1


if __name__ == "__main__":
    raise SystemExit(main())
