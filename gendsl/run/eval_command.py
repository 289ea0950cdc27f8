"""`gendsl eval RUN`: what a trained run is worth, on the held-out part.

In: a reopened run and an `EvalRequest`. Out: an `Evaluation` (groups of named numbers, each with
what it is), pictures in the run folder, and `eval.json`. What is measured follows from the program:
terms of every objective; a likelihood bound by importance sampling where a claim `... bounds
nll(x) under ...` declares the model; active units where it names the posterior; use of a codebook
for every index that the objective computes; quality of every `show` that has the data's shape;
Fréchet distance and KID for every sampler of the data's shape.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from math import isfinite, log, prod
from pathlib import Path
from typing import Any

import numpy as np

from gendsl.core.claim import Bounds, HasLaw
from gendsl.core.program import DataField
from gendsl.data.order import permutation
from gendsl.diagnostics.counted import counted
from gendsl.diagnostics.model import fail
from gendsl.ir.graph import Node, reachable
from gendsl.noise import Noise
from gendsl.ops.leaf import Draw, Input
from gendsl.run import metrics_values as values_of
from gendsl.run.compiled import evaluation_outputs, shows_of
from gendsl.run.eval_pictures import write_pictures
from gendsl.run.files import write_whole
from gendsl.run.metrics_features import Features, frechet, kid
from gendsl.run.reopen import Reopened
from gendsl.run.sample_command import draw
from gendsl.run.units import unit_of
from gendsl.shape.dim import Dim
from gendsl.shape.tensor_type import Fin

Array = np.ndarray[Any, Any]

REFERENCES = 20  # random choices of training examples, whose distances are averaged


@dataclass(frozen=True)
class EvalRequest:
    """`split` "held_out" or "train"; `samples` for the distances; `importance` draws of an IWAE."""

    split: str = "held_out"
    samples: int = 256
    importance: int = 64
    pictures: bool = True


@dataclass(frozen=True)
class Measured:
    """One number: its name, what it is, and a standard error where it is an estimate."""

    name: str
    value: float
    unit: str = ""
    error: float | None = None
    note: str = ""


@dataclass(frozen=True)
class Evaluation:
    """Everything measured, and the pictures that were drawn."""

    step: int
    examples: int
    measured: tuple[Measured, ...]
    pictures: tuple[Path, ...] = ()

    def json(self) -> dict[str, Any]:
        rows = [
            {
                "name": m.name,
                "value": m.value if isfinite(m.value) else None,
                "unit": m.unit,
                "standard_error": m.error,
                "note": m.note,
            }
            for m in self.measured
        ]
        drawn = [str(path) for path in self.pictures]
        return {"step": self.step, "examples": self.examples, "measured": rows, "pictures": drawn}


def evaluate(run: Reopened, request: EvalRequest) -> Evaluation:
    """Measure, draw, and write `eval.json` into the run folder."""
    part = Part(run, request.split)
    measured = [
        *_terms(part),
        *_bounds(part, request.importance),
        *_bits(part),
        *_units(part),
        *_codes(part),
        *_shows(part),
        *_distances(part, request.samples),
    ]
    pictures = tuple(write_pictures(run)) if request.pictures else ()
    found = Evaluation(run.step, part.count, tuple(measured), pictures)
    text = json.dumps(found.json(), indent=2, allow_nan=False) + "\n"
    write_whole(run.folder.path / "eval.json", text)
    return found


@dataclass
class Part:
    """One part of the data, read in batches: `values` gives any nodes over all its examples."""

    run: Reopened
    split: str
    _made: dict[tuple[frozenset[tuple[str, Node]], int], Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.run.job.examples is None or not self.count:
            raise fail(
                "E1084",
                f"{self.run.job.source.path} reads no data: there is nothing to evaluate on",
                help="`gendsl sample` draws from the run",
            )

    @property
    def count(self) -> int:
        examples = self.run.job.examples
        if examples is None:
            return 0
        return examples.train_count if self.split == "train" else examples.held_out_count

    def batches(self) -> Iterator[tuple[int, int, Mapping[str, Array]]]:
        """First example, size, and data of consecutive batches."""
        examples = self.run.job.examples
        assert examples is not None
        read = examples.train if self.split == "train" else examples.held_out
        for first in range(0, self.count, self.run.job.batch):
            size = min(self.run.job.batch, self.count - first)
            yield first, size, read(np.arange(first, first + size))

    def values(self, nodes: Mapping[str, Node], draw_number: int = 0) -> dict[str, list[Array]]:
        """The nodes on every batch; `draw_number` counts independent draws of their noise."""
        job = self.run.job
        hypers = hypers_of(self.run)
        found: dict[str, list[Array]] = {name: [] for name in nodes}
        for first, size, batch in self.batches():
            key = frozenset(nodes.items()), size
            if key not in self._made:
                self._made[key] = self.run.compile(nodes, {job.batch_name: size})
            noise = Noise(job.seed, "eval", draw_number, first)
            for name, value in self._made[key].run(self.run.values, batch, hypers, noise).items():
                found[name].append(np.asarray(value))
        return found

    def whole(self, nodes: Mapping[str, Node], draw_number: int = 0) -> dict[str, Array]:
        """The same for nodes whose first axis is the examples, put together."""
        return {k: np.concatenate(v) for k, v in self.values(nodes, draw_number).items()}

    def data(self, name: str) -> Array:
        return np.concatenate([batch[name] for _, _, batch in self.batches()])

    def of_examples(self, node: Node) -> bool:
        """Whether the node's first axis counts the examples."""
        return bool(node.type.shape) and node.type.shape[0] == Dim.name(self.run.job.batch_name)


def hypers_of(run: Reopened) -> dict[str, float]:
    """The hyperparameters of the last step, scheduled ones evaluated."""
    nodes = run.job.source.graph.schedules
    hypers = dict(run.job.settings.hypers)
    if not nodes:
        return hypers
    last = Noise(run.job.seed, "train", max(0, run.step - 1))
    found = run.compile(nodes, {}).run({}, {}, hypers, last)
    return hypers | {name: float(value) for name, value in found.items() if name in hypers}


def _terms(part: Part) -> list[Measured]:
    """Losses and named terms, weighted by the examples of each batch."""
    nodes = evaluation_outputs(part.run.job)
    weights = [size for _, size, _ in part.batches()]
    found = part.values(nodes)
    bounds = frozenset(c.subject for c in part.run.claims if isinstance(c.body, Bounds))
    return [
        Measured(
            name,
            float(np.average([float(v) for v in found[name]], weights=weights)),
            unit_of(name, bounds),
        )
        for name in nodes
    ]


def _bounds(part: Part, count: int) -> list[Measured]:
    """-log p(x) by importance sampling, for each model that a claim declares."""
    found: list[Measured] = []
    for claim in part.run.claims:
        body = claim.body
        if not isinstance(body, Bounds):
            continue
        laws = {"p": body.likelihood, "z": body.prior, "q": body.posterior}
        nodes = {f"{k}.{a}": n for k, law in laws.items() for a, n in law.arguments.items()}
        nodes |= {"x": body.target, "latent": body.latent}
        weights = []
        for number in range(count):
            got = _aligned(part, nodes, number)
            logs = {
                k: values_of.log_density(
                    law.dist,
                    got["x"] if k == "p" else got["latent"],
                    {a: got[f"{k}.{a}"] for a in law.arguments},
                )
                for k, law in laws.items()
            }
            likelihood, prior, posterior = logs["p"], logs["z"], logs["q"]
            if likelihood is None or prior is None or posterior is None:
                break
            weights.append(likelihood + prior - posterior)
        if len(weights) == count:
            table = np.stack(weights)
            subject = claim.subject
            bound, error = values_of.iwae(table[:1])
            note = "one draw an example; the likelihood's constants are included"
            found.append(Measured(f"{subject}: negative ELBO", bound, "nats", error, note))
            bound, error = values_of.iwae(table)
            draws = counted(count, "draw")
            note = f"importance-weighted bound on -log p(x) with k = {draws} an example"
            found.append(Measured(f"{subject}: IWAE-{count}", bound, "nats", error, note))
    return found


def _aligned(part: Part, nodes: Mapping[str, Node], number: int) -> dict[str, Array]:
    """Nodes over all examples; one without an example axis is the same for all of them."""
    own = {k: n for k, n in nodes.items() if part.of_examples(n)}
    got = part.whole(own, number)
    rest = {k: n for k, n in nodes.items() if k not in own}
    if rest:
        got |= {k: v[0] for k, v in part.values(rest, number).items()}
    return got


DISCRETISED = "discretised_logistic_nll"


def _bits(part: Part) -> list[Measured]:
    """Bits per dimension of objectives whose likelihood is over the 256 levels of an image."""
    found = []
    for name, definition in part.run.program.objectives.items():
        if not any(_calls(term, DISCRETISED) for term in definition.terms.values()):
            continue
        fields = part.run.job.source.interface.data.values()
        sizes = [prod(f.size.size(part.run.job.sizes) for f in d.factors) for d in fields]
        nats = {m.name: m.value for m in _terms(part)}[name]
        note = "the negative ELBO in bits, over the number of pixels"
        found.append(
            Measured(f"{name}: bits per dim", nats / max(sizes) / log(2), "bits", note=note)
        )
    return found


def _calls(term: object, name: str) -> bool:
    """Whether a core term calls the stdlib function `name` somewhere."""
    from gendsl.core.term import CallResult, FnDef

    seen: set[int] = set()
    stack = [term]
    while stack:
        now = stack.pop()
        if id(now) in seen or isinstance(now, (str, int, float)):
            continue
        seen.add(id(now))
        if isinstance(now, CallResult):
            target = now.call.target
            if isinstance(target, FnDef) and target.signature.name == name:
                return True
        if isinstance(now, Mapping):
            stack += now.values()
        elif isinstance(now, (tuple, list)):
            stack += now
        elif hasattr(now, "__dataclass_fields__"):
            stack += [getattr(now, f) for f in now.__dataclass_fields__]
    return False


def _units(part: Part) -> list[Measured]:
    """Active coordinates of every latent that a claim gives a normal law with a learned mean."""
    found, seen = [], set()
    for claim in part.run.claims:
        body = claim.body
        if not isinstance(body, HasLaw) or body.law.dist != "normal" or claim.given:
            continue
        mean = body.law.arguments["mean"]
        drawn = any(isinstance(n.op, Draw) for n in reachable([mean]))
        if _learned(mean) and not drawn and part.of_examples(mean) and mean not in seen:
            seen.add(mean)
            means = part.whole({"mean": mean})["mean"]
            total = prod(means.shape[1:])
            note = f"of {total}; variance of the posterior mean over examples above 0.01"
            name = f"{claim.subject}: active units"
            found.append(Measured(name, values_of.active_units(means), "", note=note))
    return found


def _codes(part: Part) -> list[Measured]:
    """Use of the codes of every index that an objective computes from data and parameters."""
    found = []
    for name in dict.fromkeys(line.objective for line in part.run.job.source.recipe.steps_lines):
        for key, node in part.run.job.source.graph.objectives[name].scope.items():
            leaf = isinstance(node.op, (Input, Draw))
            if leaf or not isinstance(node.type.elem, Fin) or not part.of_examples(node):
                continue
            if any(isinstance(n.op, Draw) for n in reachable([node])):
                continue
            bound = node.type.elem.bound.size(part.run.job.sizes)
            use = values_of.code_use(part.whole({"k": node})["k"], bound)
            note = f"of {use.codes} codes, over all examples"
            found.append(Measured(f"{name}.{key}: perplexity", use.perplexity, note=note))
            found.append(Measured(f"{name}.{key}: dead codes", use.dead, note=note))
    return found


def _shows(part: Part) -> list[Measured]:
    """PSNR of each `show` against the data field of its shape and range. A picture that no
    parameter has a part in is no reconstruction: what it keeps of an example, or hides, was there
    before any training."""
    found = []
    for name, show in shows_of(part.run.job).items():
        target = _field_like(part.run, show.node)
        if target is None or target.range is None or show.range is None or not _learned(show.node):
            continue
        low, high = target.range.low, target.range.high
        if low is None or high is None or not part.of_examples(show.node):
            continue
        shown = part.whole({"show": show.node})["show"]
        original = part.data(target.name)
        quality = values_of.psnr(original, shown, float(high - low))
        found.append(Measured(f"{name}: PSNR", quality, "dB", note=f"against `{target.name}`"))
    return found


def _learned(node: Node) -> bool:
    """Whether parameters have a part in a value."""
    return any(isinstance(n.op, Input) and n.op.kind == "param" for n in reachable([node]))


def _field_like(run: Reopened, node: Node) -> DataField | None:
    """The data field with as many entries an example as the node."""
    sizes = run.job.sizes
    entries = prod(d.size(sizes) for d in node.type.shape[1:])
    for target in run.job.source.interface.data.values():
        if target.factors and prod(f.size.size(sizes) for f in target.factors) == entries:
            return target
    return None


def _distances(part: Part, count: int) -> list[Measured]:
    """Fréchet distance and KID of each sampler's first result to the part, on declared features."""
    examples = part.run.job.examples
    assert examples is not None
    found: list[Measured] = []
    for name, sampler in part.run.job.source.graph.samplers.items():
        target = _field_like(part.run, next(iter(sampler.outputs.values())).node)
        if target is None:
            continue
        train = examples.train(np.arange(examples.train_count))[target.name]
        features = Features.of(train)
        samples = features(draw(part.run, sampler, count)[0].values)
        data = features(part.data(target.name))
        numbers = f"{counted(count, 'sample')}, {counted(part.count, 'example')}"
        note = f"{numbers}; features: {features.description}"
        found.append(Measured(f"{name}: Fréchet distance", frechet(samples, data), note=note))
        found.append(_reference(part, name, features(train), data, count))
        value, error = kid(samples, data)
        found.append(
            Measured(f"{name}: KID", value, error=error if isfinite(error) else None, note=note)
        )
    return found


def _reference(part: Part, name: str, train: Array, data: Array, count: int) -> Measured:
    """The distance of as many training examples in place of the samples: what a sampler that draws
    from the data itself would get. They are chosen at random, since data often comes in order (by
    class, by writer), and its first examples are then like no sample of it."""
    count = min(count, len(train))
    draws = REFERENCES if count < len(train) else 1
    seed = part.run.job.seed
    rows = [permutation(len(train), seed, "reference", i)[:count] for i in range(draws)]
    distances = [frechet(train[chosen], data) for chosen in rows]
    what = "real examples in place of samples, for comparison"
    if draws > 1:
        what += f": mean of {draws} random choices, standard deviation {np.std(distances):.2g}"
    if part.split == "train":
        what += "; they are among the examples that they are compared with"
    return Measured(
        f"{name}: the same of {counted(count, 'training example')}",
        float(np.mean(distances)),
        note=what,
    )
