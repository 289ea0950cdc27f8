"""One program trained both ways on the same initial weights, batches and noise.

In: a program's name and a seed. Out: a `Setup` with both trainings, and what their first steps have
in common. Always: the peer gets from us its initial weights, batches, noise and scheduled values,
and nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

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
from gendsl.run.metrics_features import Features, frechet
from gendsl.run.sample import arguments

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
SAMPLES = 256  # drawn by each side for the sample metric

Array = np.ndarray


class Setup:
    """A program with its data, compiled for training, and its peer."""

    def __init__(
        self, name: str, seed: int, dtype: str = "float32", batch: int | None = None
    ) -> None:
        self.dtype = dtype
        torch.set_default_dtype(getattr(torch, dtype))
        sink = Sink()
        self.analysis: Analysis = analyse(f"programs/{name}.gml", sink, prove=False)
        assert not sink.has_errors, sink.sorted()
        graph, interface = self.analysis.graph, self.analysis.interface
        assert graph is not None and interface is not None and interface.recipe is not None
        self.seed, self.recipe, self.graph = seed, interface.recipe, graph
        if batch is not None:
            self.recipe = replace(self.recipe, batch=batch)
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
        self.name, self.hypers_now = name, dict(self.hypers)
        self.peer = self.fresh_peer(_of_kind(self.start, "param"))

    def fresh_peer(self, params: Mapping[str, Array]) -> Peer:
        """The peer before its first step, with these weights."""
        peer = PEERS[self.name](self.sizes)
        peer.load(params)
        for key, value in _of_kind(self.start, "state").items():
            getattr(peer.module, key).copy_(torch.from_numpy(value))
        return peer

    def nudged_peer(self) -> Peer:
        """The peer with every weight moved by one rounding: every other one up, the others down."""
        moved = {}
        for path, value in _of_kind(self.start, "param").items():
            signs = np.where(np.arange(value.size).reshape(value.shape) % 2, np.inf, -np.inf)
            moved[path] = np.nextafter(value, signs.astype(value.dtype))
        return self.fresh_peer(moved)

    def batch(self, step: int) -> dict[str, np.ndarray]:
        rows = batch_indices(self.bound.train_count, self.recipe.batch, self.seed, step)
        return {name: self.real(value) for name, value in self.bound.train(rows).items()}

    def real(self, value: np.ndarray) -> np.ndarray:
        return value.astype(self.dtype) if value.dtype.kind == "f" else value

    def rates(self, step: int) -> dict[str, float]:
        """The scheduled values of a step, "lr" among them; `hypers_now` are those of the peers."""
        noise = Noise(self.seed, "train", step)
        found = self.scheduled.run({}, {}, self.hypers, noise) if self.graph.schedules else {}
        rates = {name: float(value) for name, value in found.items()}
        self.hypers_now = {n: rates.get(n, value) for n, value in self.hypers.items()}
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
        found = loss.run(self.trained(), data, self.hypers_now, Noise(self.seed, "eval", 0))
        return float(found["loss"])

    def trained(self) -> dict[str, Array]:
        """Our values, with averaged weights where there are some."""
        values = self.step.values()
        return values | {f"param:{path}": v for path, v in _of_kind(values, "ema").items()}

    def held_out_theirs(self) -> float:
        count = self.bound.held_out_count
        data = {k: torch.from_numpy(v) for k, v in self.bound.held_out(np.arange(count)).items()}
        noise = self.noise(Noise(self.seed, "eval", 0), count, self.objective)
        with torch.no_grad():
            losses = self.peer.objectives[self.objective](data, noise)
        return float(losses["loss"])

    def samples(self) -> tuple[Array, Array] | None:
        """Samples of the first sampler by both sides from the same noise; None without one."""
        ours, theirs = next(iter(self.graph.samplers.values()), None), self.peer.sampler
        if ours is None or theirs is None:
            assert (ours is None) == (theirs is None), f"{self.name}: one side has no sampler"
            return None
        sizes = ours.bound(self.sizes, SAMPLES)
        function = TARGET.compile_function({"": ours.outputs[""].node}, sizes)
        given = arguments(ours, SAMPLES, self.sizes)
        noise = Noise(self.seed, "sample")
        made = function.run(self.trained(), given, self.hypers_now, noise)[""]
        start = _drawn(noise, theirs.path, DrawSpec(theirs.shape), SAMPLES, np.dtype(self.dtype))
        with torch.no_grad():
            return made, theirs.run(start).numpy()

    def distances(self) -> tuple[float, float] | None:
        """Fréchet distances of both sides' samples to held-out data, on principal components."""
        made = self.samples()
        if made is None:
            return None
        train = self.bound.train(np.arange(self.bound.train_count))["x"]
        features = Features.of(train)
        real = features(self.bound.held_out(np.arange(self.bound.held_out_count))["x"])
        ours, theirs = (frechet(features(samples), real) for samples in made)
        return ours, theirs


def _of_kind(values: Mapping[str, np.ndarray], kind: str) -> dict[str, np.ndarray]:
    return {k.partition(":")[2]: v for k, v in values.items() if k.startswith(f"{kind}:")}


def _drawn(source: Noise, path: str, spec: DrawSpec, count: int, dtype: np.dtype) -> Tensor:
    shape = (count, *spec.shape) if spec.examples else spec.shape
    axis = 0 if spec.examples else None
    drawn = source.draw(path, spec.dist, shape, axis, (), spec.bound, dtype)
    return torch.from_numpy(drawn + spec.low if spec.dist == "bits" else drawn)


class Theirs:
    """The peer's training: one optimizer per step line, and averaged weights."""

    def __init__(self, setup: Setup, peer: Peer) -> None:
        self.setup, self.peer = setup, peer
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
        self.peer.hypers.update(setup.hypers_now)
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


@dataclass(frozen=True)
class Parting:
    """The first step at which the sides chose different codes, at so many places. `gap` is the
    largest relative difference of the squared distances to the two codes, `inputs` the largest
    difference of what was to be encoded, relative to its largest entry; `before` is the largest
    relative difference of a loss or term until then."""

    step: int
    places: int
    gap: float
    inputs: float
    before: float


@dataclass
class Curves:
    """Largest relative differences in the compared steps by kind ("loss", "term"), and of the peer
    from itself with weights moved by one rounding ("alone")."""

    worst: dict[str, float]
    parting: Parting | None = None


def relative(a: float, b: float) -> float:
    return abs(a - b) / max(abs(b), 1e-3)


def train_both(setup: Setup, steps: int, compared: int, alone: bool) -> tuple[Theirs, Curves]:
    """Train side by side; with `alone` also a nudged peer, as long as steps are compared."""
    theirs, curves = Theirs(setup, setup.peer), Curves({"loss": 0.0, "term": 0.0, "alone": 0.0})
    nudged = Theirs(setup, setup.nudged_peer()) if alone else None
    choices = Choices(setup) if setup.peer.choices is not None else None
    for step in range(steps):
        batch, rates = setup.batch(step), setup.rates(step)
        source = Noise(setup.seed, "train", step)
        data = {k: torch.from_numpy(v) for k, v in batch.items()}
        if choices is not None and curves.parting is None and step < compared:
            before = max(curves.worst["loss"], curves.worst["term"])
            curves.parting = choices.differ(step, batch, before)
        setup.step.run(batch, setup.hypers, source)
        losses = theirs.step(data, source, rates.get("lr"))
        if step >= compared:
            continue
        ours = setup.step.metrics()
        for term, value in losses.items():
            kind = "term" if "." in term else "loss"
            curves.worst[kind] = max(curves.worst[kind], relative(ours[term], value))
        if nudged is not None:
            other = nudged.step(data, source, rates.get("lr"))
            gaps = [relative(other[term], value) for term, value in losses.items()]
            curves.worst["alone"] = max(curves.worst["alone"], *gaps)
    return theirs, curves


class Choices:
    """Which code each side takes, before a step."""

    def __init__(self, setup: Setup) -> None:
        self.setup = setup
        scope = setup.graph.objectives[setup.objective].scope
        nodes = {name: scope[name] for name in ("z", "k", "codes") if name in scope}
        self.function = TARGET.compile_function(nodes, setup.sizes, setup.dtype)

    def differ(self, step: int, batch: Mapping[str, Array], before: float) -> Parting | None:
        setup = self.setup
        values, noise = setup.step.values(), Noise(setup.seed, "train", step)
        found = self.function.run(values, batch, setup.hypers, noise)
        assert setup.peer.choices is not None
        with torch.no_grad():
            z, k = setup.peer.choices({n: torch.from_numpy(v) for n, v in batch.items()})
        places = found["k"] != k.numpy()
        if not places.any():
            return None
        book = np.float64(found.get("codes", values.get("param:codebook")))
        points = np.float64(found["z"])[places]
        ours = np.square(points - book[found["k"][places]]).sum(-1)
        theirs = np.square(points - book[k.numpy()[places]]).sum(-1)
        gap = np.abs(ours - theirs) / np.minimum(ours, theirs)
        inputs = np.abs(found["z"] - z.numpy()).max() / np.abs(found["z"]).max()
        return Parting(step, int(places.sum()), float(gap.max()), float(inputs), before)
