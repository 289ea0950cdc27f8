"""gendsl against plain PyTorch: the same model, initial weights, batches and noise.

`python -m benchmarks.parity` trains every program that has a peer both ways and writes
`benchmarks/tables/parity.md`: the largest relative difference of any loss or named term in the
first 100 steps, in float32 and in float64, and the held-out objective after a quarter of the
program's budget in float32, for three seeds. Choices among codes amplify rounding without bound, so
that only float64 tells a different program from a different order of additions. It takes about half
an hour on two cores; `--programs`, `--seeds` and `--steps` make it shorter.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import mean, stdev

import numpy as np
import torch
from torch import Tensor

from backends.torch_cpu import TARGET
from benchmarks.peers import conv_vae, diffusion, gan, mae, vae, vq_vae
from benchmarks.peers.common import DrawSpec, Peer
from gendsl.core.program import RecipeStep
from gendsl.data import batch_indices, bind, default_source, load
from gendsl.diagnostics.model import Sink
from gendsl.driver import Analysis, analyse
from gendsl.noise import Noise
from gendsl.passes.joint import initial, joint
from gendsl.passes.pipeline import select, transform_step

PEERS: Mapping[str, Callable[[Mapping[str, int]], Peer]] = {
    "autoencoder": vae.autoencoder,
    "vae": vae.vae,
    "beta_vae": vae.beta_vae,
    "conv_vae": conv_vae.conv_vae,
    "conditional_vae": vae.conditional_vae,
    "vq_vae": vq_vae.vq_vae,
    "vq_vae_ema": vq_vae.vq_vae_ema,
    "gan": gan.gan,
    "lsgan": gan.lsgan,
    "lsgan_ring": gan.lsgan_ring,
    "wgan_gp": gan.wgan_gp,
    "ddpm": diffusion.ddpm,
    "ddpm_unet": diffusion.ddpm_unet,
    "flow_matching": diffusion.flow_matching,
    "mae": mae.mae,
}
COMPARED = 100
SHARE = 4  # the part of a program's budget that is trained: one quarter


@dataclass(frozen=True)
class Outcome:
    """One seed: largest relative differences of losses and of named terms in the compared steps,
    and of either in float64; both held-out objectives in nats, with averaged weights where there
    are some."""

    loss: float
    term: float
    double: float
    ours: float
    theirs: float


class Setup:
    """A program with its data, compiled for training, and its peer."""

    def __init__(self, name: str, seed: int, dtype: str = "float32") -> None:
        self.dtype = dtype
        torch.set_default_dtype(getattr(torch, dtype))
        sink = Sink()
        self.analysis: Analysis = analyse(f"programs/{name}.gml", sink, prove=False)
        assert not sink.has_errors, sink.sorted()
        graph, interface = self.analysis.graph, self.analysis.interface
        assert graph is not None and interface is not None and interface.recipe is not None
        self.seed, self.recipe, self.graph = seed, interface.recipe, graph
        self.objective = self.recipe.steps_lines[0].objective
        source = default_source(interface.data)
        assert source is not None
        (self.batch_name,) = {f.batch for f in interface.data.values()}
        given = {n: d.default for n, d in interface.dims.items() if d.default is not None}
        self.bound = bind(load(source), interface.data, interface.dims, given)
        self.sizes = {**self.bound.sizes, self.batch_name: self.recipe.batch}
        self.hypers = {n: float(h.default) for n, h in interface.hypers.items()}
        make = TARGET.compile_function(initial(graph, self.recipe), self.sizes, dtype)
        self.start = make.run({}, {}, {}, Noise(seed, "init", 0))
        step = transform_step(joint(graph, self.recipe), select("all"))
        self.step = TARGET.compile_step(step, self.sizes, dtype)
        self.step.load(self.start)
        self.scheduled = TARGET.compile_function(graph.schedules, self.sizes, dtype)
        self.peer = PEERS[name](self.sizes)
        self.peer.load(_of_kind(self.start, "param"))
        for key, value in _of_kind(self.start, "state").items():
            getattr(self.peer.module, key).copy_(torch.from_numpy(value))

    def batch(self, step: int) -> dict[str, np.ndarray]:
        rows = batch_indices(self.bound.train_count, self.recipe.batch, self.seed, step)
        return {name: self.real(value) for name, value in self.bound.train(rows).items()}

    def real(self, value: np.ndarray) -> np.ndarray:
        return value.astype(self.dtype) if value.dtype.kind == "f" else value

    def rates(self, step: int) -> dict[str, float]:
        """The scheduled values of a step, "lr" among them; also given to the peer."""
        noise = Noise(self.seed, "train", step)
        found = self.scheduled.run({}, {}, self.hypers, noise) if self.graph.schedules else {}
        rates = {name: float(value) for name, value in found.items()}
        self.peer.hypers.update(self.hypers)
        self.peer.hypers.update({n: v for n, v in rates.items() if n in self.hypers})
        return rates

    def noise(
        self, source: Noise, count: int, objective: str, repeat: int = 0
    ) -> dict[str, Tensor]:
        """The draws of one evaluation of an objective; repetitions have paths of their own."""
        suffix = f"#{repeat}" if repeat else ""
        return {
            path: _drawn(source, path + suffix, spec, count, np.dtype(self.dtype))
            for path, spec in self.peer.draws.items()
            if path.startswith(f"{objective}.")
        }

    def held_out_ours(self) -> float:
        count = self.bound.held_out_count
        sizes = {**self.sizes, self.batch_name: count}
        loss = TARGET.compile_function({"loss": self.graph.objectives[self.objective].loss}, sizes)
        data = dict(self.bound.held_out(np.arange(count)))
        values = self.step.values()
        values |= {f"param:{path}": v for path, v in _of_kind(values, "ema").items()}
        hypers = self.peer.hypers or self.hypers
        return float(loss.run(values, data, hypers, Noise(self.seed, "eval", 0))["loss"])

    def held_out_theirs(self) -> float:
        count = self.bound.held_out_count
        data = {k: torch.from_numpy(v) for k, v in self.bound.held_out(np.arange(count)).items()}
        noise = self.noise(Noise(self.seed, "eval", 0), count, self.objective)
        with torch.no_grad():
            losses = self.peer.objectives[self.objective](data, noise)
        return float(losses["loss"])


def _of_kind(values: Mapping[str, np.ndarray], kind: str) -> dict[str, np.ndarray]:
    return {k.partition(":")[2]: v for k, v in values.items() if k.startswith(f"{kind}:")}


def _drawn(source: Noise, path: str, spec: DrawSpec, count: int, dtype: np.dtype) -> Tensor:
    shape = (count, *spec.shape) if spec.examples else spec.shape
    axis = 0 if spec.examples else None
    drawn = source.draw(path, spec.dist, shape, axis, (), spec.bound, dtype)
    return torch.from_numpy(drawn + spec.low if spec.dist == "bits" else drawn)


class Theirs:
    """The peer's training: one optimizer per step line, and averaged weights."""

    def __init__(self, setup: Setup) -> None:
        self.setup, self.peer = setup, setup.peer
        self.optimizers = [self._optimizer(line) for line in setup.recipe.steps_lines]
        trained = [p for line in setup.recipe.steps_lines for p in self._parameters(line)]
        self.averages = [(p, p.detach().clone()) for p in trained] if setup.recipe.ema else []

    def _parameters(self, line: RecipeStep) -> list[torch.nn.Parameter]:
        return self.peer.parameters(line.groups)

    def _optimizer(self, line: RecipeStep) -> torch.optim.Optimizer:
        spec = {name: float(value) for name, value in line.optimizer.options.items()}
        betas = (spec["beta1"], spec["beta2"])
        parameters = self._parameters(line)
        return torch.optim.Adam(parameters, lr=spec["lr"], betas=betas, eps=spec["eps"])

    def step(self, data: Mapping[str, Tensor], source: Noise, lr: float | None) -> dict[str, float]:
        """One training step; the metrics by our names."""
        setup, found, runs = self.setup, {}, dict[str, int]()
        for line, optimizer in zip(setup.recipe.steps_lines, self.optimizers, strict=True):
            for group in optimizer.param_groups:
                group["lr"] = group["lr"] if lr is None else lr
            for _ in range(line.times):
                repeat = runs.get(line.objective, 0)
                runs[line.objective] = repeat + 1
                noise = setup.noise(source, setup.recipe.batch, line.objective, repeat)
                losses = self.peer.objectives[line.objective](data, noise)
                optimizer.zero_grad(set_to_none=True)
                losses["loss"].backward(inputs=self._parameters(line))
                if self.peer.after is not None:
                    self.peer.after(data, noise)
                optimizer.step()
            for term, value in losses.items():
                name = line.objective if term == "loss" else f"{line.objective}.{term}"
                found[name] = value.item()
        decay = float(setup.recipe.ema or 0)
        for parameter, average in self.averages:
            average.mul_(decay).add_(parameter.detach(), alpha=1 - decay)
        return found

    def use_averages(self) -> None:
        with torch.no_grad():
            for parameter, average in self.averages:
                parameter.copy_(average)


def train_both(setup: Setup, steps: int) -> tuple[Theirs, dict[str, float]]:
    """Train side by side; the peer's training, and the largest relative differences in the first
    steps by kind ("loss", "term")."""
    theirs, worst = Theirs(setup), {"loss": 0.0, "term": 0.0}
    for step in range(steps):
        batch, rates = setup.batch(step), setup.rates(step)
        source = Noise(setup.seed, "train", step)
        setup.step.run(batch, setup.hypers, source)
        data = {k: torch.from_numpy(v) for k, v in batch.items()}
        losses = theirs.step(data, source, rates.get("lr"))
        if step < COMPARED:
            ours = setup.step.metrics()
            for term, value in losses.items():
                kind = "term" if "." in term else "loss"
                relative = abs(ours[term] - value) / max(abs(value), 1e-3)
                worst[kind] = max(worst[kind], relative)
    return theirs, worst


def double(name: str, seed: int, steps: int = COMPARED) -> float:
    """The largest relative difference of any loss or term in the first steps, in float64."""
    _, worst = train_both(Setup(name, seed, "float64"), steps)
    return max(worst.values())


def compare(name: str, seed: int, steps: int | None) -> Outcome:
    """Train both ways side by side, in float64 for a while, then in float32."""
    exact = double(name, seed, min(COMPARED, steps or COMPARED))
    setup = Setup(name, seed)
    theirs, worst = train_both(setup, steps or setup.recipe.steps // SHARE)
    theirs.use_averages()
    held_out = setup.held_out_ours(), setup.held_out_theirs()
    return Outcome(worst["loss"], worst["term"], exact, *held_out)


def _spread(values: list[float]) -> str:
    return f"{mean(values):.4g} ± {stdev(values) if len(values) > 1 else 0.0:.2g}"


def table(results: Mapping[str, list[Outcome]], steps: int | None) -> str:
    """The committed table."""
    seeds = max(len(outcomes) for outcomes in results.values())
    budget = "a quarter of the program's budget" if steps is None else f"{steps} steps"
    lines = [
        "# gendsl against plain PyTorch",
        "",
        f"Same initial weights, batches and noise; {seeds} seeds; first objective of the recipe, "
        f"on held-out data, after {budget}, with averaged weights where the recipe keeps some: "
        "mean ± standard deviation over seeds. Made by `python -m benchmarks.parity` with torch "
        f"{torch.__version__.split('+')[0]} on CPU.",
        "",
        "Differences are the largest relative ones in the first "
        f"{COMPARED} steps, of the losses and of any named term. Choices among codes amplify "
        "rounding, so vq_vae and vq_vae_ema part in float32. In float64 they do not, but for seed "
        "2 of vq_vae_ema: from step 35 the counts of two codes differ, which fits two codes "
        "restarted at equal inputs (rounding decides which is nearest); that they are equal was "
        "not checked.",
        "",
        "| program | loss | any term | either, in float64 | held out, gendsl | held out, PyTorch "
        "| gap of means |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, outcomes in results.items():
        ours, theirs = [o.ours for o in outcomes], [o.theirs for o in outcomes]
        gap = abs(mean(ours) - mean(theirs)) / abs(mean(theirs))
        loss, term = max(o.loss for o in outcomes), max(o.term for o in outcomes)
        exact = max(o.double for o in outcomes)
        differences = (f"{loss:.1e}", f"{term:.1e}", f"{exact:.1e}")
        cells = (name, *differences, _spread(ours), _spread(theirs), f"{gap:.3%}")
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--programs", default=",".join(PEERS))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=None)
    options = parser.parse_args()
    results: dict[str, list[Outcome]] = {}
    for name in options.programs.split(","):
        for seed in range(options.seeds):
            found = compare(name, seed, options.steps)
            results.setdefault(name, []).append(found)
            print(json.dumps({"program": name, "seed": seed, **asdict(found)}), flush=True)
    text = table(results, options.steps)
    print(text)
    folder = Path(__file__).parent / "tables"
    folder.mkdir(exist_ok=True)
    (folder / "parity.md").write_text(text)


if __name__ == "__main__":
    main()
