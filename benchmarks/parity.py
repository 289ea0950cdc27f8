"""gendsl against plain PyTorch: the same model, initial weights, batches and noise.

`python -m benchmarks.parity` trains every program that has a peer both ways and writes
`benchmarks/tables/parity.md`: the largest relative difference of any named term in the first 100
steps, and the held-out objective after the program's full budget, for three seeds. It takes about
ten minutes on two cores; `--programs`, `--seeds` and `--steps` make it shorter.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import mean, stdev

import numpy as np
import torch

from backends.torch_cpu import TARGET
from benchmarks.peers.common import Peer
from benchmarks.peers.conv_vae import ConvVaePeer
from benchmarks.peers.vae import BetaVaePeer, VaePeer
from gendsl.data import batch_indices, bind, default_source, load
from gendsl.diagnostics.model import Sink
from gendsl.driver import Analysis, analyse
from gendsl.noise import Noise
from gendsl.passes.joint import initial, joint

PEERS: Mapping[str, Callable[[Mapping[str, int]], Peer]] = {
    "vae": VaePeer,
    "beta_vae": BetaVaePeer,
    "conv_vae": ConvVaePeer,
}
COMPARED = 100


@dataclass(frozen=True)
class Outcome:
    """One seed: largest relative differences of the loss and of any named term in the compared
    steps, and both held-out objectives in nats."""

    loss: float
    term: float
    ours: float
    theirs: float


class Setup:
    """A program with its data, compiled for training, and its peer."""

    def __init__(self, name: str, seed: int) -> None:
        sink = Sink()
        self.analysis: Analysis = analyse(f"programs/{name}.gml", sink, prove=False)
        assert not sink.has_errors, sink.sorted()
        graph, interface = self.analysis.graph, self.analysis.interface
        assert graph is not None and interface is not None and interface.recipe is not None
        self.seed, self.recipe = seed, interface.recipe
        self.objective = self.recipe.steps_lines[0].objective
        source = default_source(interface.data)
        assert source is not None
        (self.batch_name,) = {f.batch for f in interface.data.values()}
        given = {n: d.default for n, d in interface.dims.items() if d.default is not None}
        self.bound = bind(load(source), interface.data, interface.dims, given)
        self.sizes = {**self.bound.sizes, self.batch_name: self.recipe.batch}
        self.hypers = {n: float(h.default) for n, h in interface.hypers.items()}
        make = TARGET.compile_function(initial(graph, self.recipe), self.sizes)
        self.start = make.run({}, {}, {}, Noise(seed, "init", 0))
        self.step = TARGET.compile_step(joint(graph, self.recipe), self.sizes)
        self.step.load(self.start)
        self.peer = PEERS[name](self.sizes)
        prefix = "param:"
        self.peer.load({k[len(prefix) :]: v for k, v in self.start.items() if k.startswith(prefix)})

    def batch(self, step: int) -> dict[str, np.ndarray]:
        rows = batch_indices(self.bound.train_count, self.recipe.batch, self.seed, step)
        return dict(self.bound.train(rows))

    def noise(self, source: Noise, count: int) -> dict[str, torch.Tensor]:
        return {
            path: torch.from_numpy(
                source.draw(path, "normal", (count, *shape), 0, (), None, np.dtype(np.float32))
            )
            for path, shape in self.peer.draws.items()
        }

    def held_out_ours(self) -> float:
        graph = self.analysis.graph
        assert graph is not None
        count = self.bound.held_out_count
        sizes = {**self.sizes, self.batch_name: count}
        loss = TARGET.compile_function({"loss": graph.objectives[self.objective].loss}, sizes)
        data = dict(self.bound.held_out(np.arange(count)))
        values = self.step.values()
        return float(loss.run(values, data, self.hypers, Noise(self.seed, "eval", 0))["loss"])

    def held_out_theirs(self) -> float:
        count = self.bound.held_out_count
        data = {k: torch.from_numpy(v) for k, v in self.bound.held_out(np.arange(count)).items()}
        with torch.no_grad():
            losses = self.peer.losses(data, self.noise(Noise(self.seed, "eval", 0), count))
        return float(losses["loss"])


def compare(name: str, seed: int, steps: int | None) -> Outcome:
    """Train both ways side by side."""
    setup = Setup(name, seed)
    module = setup.peer.module()
    spec = setup.recipe.steps_lines[0].optimizer.options
    optimizer = torch.optim.Adam(
        module.parameters(),
        lr=float(spec["lr"]),
        betas=(float(spec["beta1"]), float(spec["beta2"])),
        eps=float(spec["eps"]),
    )
    worst = {"loss": 0.0, "term": 0.0}
    for step in range(steps or setup.recipe.steps):
        batch, source = setup.batch(step), Noise(seed, "train", step)
        setup.step.run(batch, setup.hypers, source)
        data = {k: torch.from_numpy(v) for k, v in batch.items()}
        losses = setup.peer.losses(data, setup.noise(source, setup.recipe.batch))
        optimizer.zero_grad(set_to_none=True)
        losses["loss"].backward()
        optimizer.step()
        if step < COMPARED:
            ours = setup.step.metrics()
            for term, theirs in losses.items():
                key = setup.objective if term == "loss" else f"{setup.objective}.{term}"
                kind = "loss" if term == "loss" else "term"
                relative = abs(ours[key] - theirs.item()) / max(abs(theirs.item()), 1e-3)
                worst[kind] = max(worst[kind], relative)
    return Outcome(worst["loss"], worst["term"], setup.held_out_ours(), setup.held_out_theirs())


def _spread(values: list[float]) -> str:
    return f"{mean(values):.3f} ± {stdev(values) if len(values) > 1 else 0.0:.3f}"


def table(results: Mapping[str, list[Outcome]], steps: int | None) -> str:
    """The committed table."""
    seeds = len(next(iter(results.values())))
    budget = "the program's full budget" if steps is None else f"{steps} steps"
    lines = [
        "# gendsl against plain PyTorch",
        "",
        f"Same initial weights, batches and noise; {seeds} seeds; held-out objective in nats after "
        f"{budget}, mean ± standard deviation over seeds. Made by `python -m benchmarks.parity` "
        f"with torch {torch.__version__.split('+')[0]} on CPU.",
        "",
        "Differences are the largest relative ones in the first "
        f"{COMPARED} steps, of the loss and of any named term.",
        "",
        "| program | loss | any term | held out, gendsl | held out, PyTorch | gap of means |",
        "|---|---|---|---|---|---|",
    ]
    for name, outcomes in results.items():
        ours, theirs = [o.ours for o in outcomes], [o.theirs for o in outcomes]
        gap = abs(mean(ours) - mean(theirs)) / abs(mean(theirs))
        loss, term = max(o.loss for o in outcomes), max(o.term for o in outcomes)
        cells = (name, f"{loss:.1e}", f"{term:.1e}", _spread(ours), _spread(theirs), f"{gap:.3%}")
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
            results.setdefault(name, []).append(compare(name, seed, options.steps))
            print(name, seed, results[name][-1], flush=True)
    text = table(results, options.steps)
    print(text)
    folder = Path(__file__).parent / "tables"
    folder.mkdir(exist_ok=True)
    (folder / "parity.md").write_text(text)


if __name__ == "__main__":
    main()
