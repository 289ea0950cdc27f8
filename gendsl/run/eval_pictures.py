"""Pictures of a trained run: walks along latent coordinates, interpolations, nearest examples,
samples of a plane over held-out ones, and denoising strips (see `eval_strips`).

In: a reopened run. Out: PNG files in its folder. A sampler that draws one latent tensor per example
(`z: [N, Z] ~ normal(mean = 0, var = 1)`) and nothing else is walked: its draw is replaced in the
graph by an input, so the pictures show the very function that the run samples from.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from gendsl.ir.graph import Node, SamplerGraph, reachable
from gendsl.ir.rewrite import substitute
from gendsl.noise import Noise
from gendsl.ops.leaf import Draw, Input
from gendsl.run import pictures
from gendsl.run.eval_strips import write_strips
from gendsl.run.metrics_features import nearest
from gendsl.run.reopen import Reopened
from gendsl.run.sample import Result, arguments, picture_of, plane_of, result_of
from gendsl.run.sample_command import draw
from gendsl.run.scatter import SHOWN_POINTS
from gendsl.shape.dim import Dim

Array = np.ndarray[Any, Any]

STEPS = 9  # pictures along a walk
REACH = 2.5  # standard deviations from the mean
MOST = 12  # coordinates that are walked
SHOWN = 12  # samples that are compared with their nearest training examples
_LATENT = "latent"


@dataclass(frozen=True)
class Labels:
    """What stands over a picture, and before each of its rows."""

    caption: str
    rows: tuple[str, ...] = ()


def write_pictures(run: Reopened) -> Iterator[Path]:
    """Whatever the program's shape allows."""
    yield from write_strips(run.job, run.values, run.folder.path)
    for name, sampler in run.job.source.graph.samplers.items():
        latent = latent_of(sampler)
        if latent is not None:
            size = latent.type.shape[1].size(run.job.sizes)
            walks = traversals(size)
            drawn = latent.op.path.rpartition("/")[2].rpartition(".")[2]
            labels = Labels(
                f"{drawn}[i] from {-REACH} to {REACH}, the others 0",
                tuple(f"{drawn}[{i}]" for i in range(len(walks))),
            )
            yield from _walk(run, sampler, latent, f"traversal-{name}.png", walks, labels)
            ends = Noise(run.job.seed, "sample").draw(latent.op.path, "normal", (12, size), 0)
            labels = Labels(f"from one draw of {drawn} to another")
            walks = between(ends)
            yield from _walk(run, sampler, latent, f"interpolation-{name}.png", walks, labels)
        yield from _nearest(run, sampler)
        yield from _points(run, sampler)


def latent_of(sampler: SamplerGraph) -> Any:
    """The draw of a sampler that draws nothing else: one normal vector per example."""
    nodes = reachable([show.node for show in sampler.outputs.values()])
    drawn = [n for n in nodes if isinstance(n.op, Draw)]
    loops = any(n.op.name == "loop" for n in nodes)
    if len(drawn) != 1 or loops:
        return None
    (node,) = drawn
    op = node.op
    assert isinstance(op, Draw)
    fits = op.dist == "normal" and len(node.type.shape) == 2
    return node if fits and node.type.shape[0] == Dim.name(sampler.size) else None


def traversals(size: int) -> Array:
    """Rows that differ in one coordinate each, from -REACH to REACH; all others are 0."""
    rows = np.zeros((min(size, MOST), STEPS, size), np.float32)
    for coordinate in range(len(rows)):
        rows[coordinate, :, coordinate] = np.linspace(-REACH, REACH, STEPS)
    return rows


def between(ends: Array) -> Array:
    """Spherical interpolation between consecutive pairs: the norm of a normal draw is kept."""
    rows = []
    for a, b in zip(ends[0::2], ends[1::2], strict=True):
        cosine = float(a @ b / (np.linalg.norm(a) * np.linalg.norm(b)))
        angle = np.arccos(np.clip(cosine, -1 + 1e-7, 1 - 1e-7))
        w = np.linspace(0, 1, STEPS)[:, None]
        rows.append((np.sin((1 - w) * angle) * a + np.sin(w * angle) * b) / np.sin(angle))
    return np.stack(rows).astype(np.float32)


def _walk(
    run: Reopened, sampler: SamplerGraph, latent: Node, file: str, rows: Array, labels: Labels
) -> Iterator[Path]:
    """One row of pictures for each row of latent vectors."""
    build = run.job.source.graph.builder
    given = build.apply(Input("argument", _LATENT, latent.type.shape))
    count = rows.shape[0] * rows.shape[1]
    names = list(sampler.outputs)
    roots = substitute(build, [sampler.outputs[n].node for n in names], {latent: given})
    function = run.compile(
        dict(zip(names, roots, strict=True)), sampler.bound(run.job.sizes, count)
    )
    batch = _same_along(arguments(sampler, count, run.job.sizes), rows.shape[0], rows.shape[1])
    batch[_LATENT] = rows.reshape(count, -1)
    hypers = dict(run.job.settings.hypers)
    found = function.run(run.values, batch, hypers, Noise(run.job.seed, "sample"))
    result = result_of(run.job, names[0], found[names[0]], sampler.outputs[names[0]])
    if result.image is not None:
        yield _grid(run, result, file, rows.shape[1], labels)


def _same_along(given: dict[str, Array], rows: int, columns: int) -> dict[str, Array]:
    """Arguments that count examples stay the same along a row of the picture."""
    return {
        key: np.repeat(value[:rows], columns, axis=0)
        if value.ndim and len(value) == rows * columns
        else value
        for key, value in given.items()
    }


def _grid(run: Reopened, result: Result, file: str, columns: int, labels: Labels) -> Path:
    assert result.image is not None
    path = run.folder.path / file
    tiles = pictures.tiles(result.values, result.image, result.low, result.high)
    pictures.write(path, pictures.grid(tiles, columns, labels.caption, labels.rows))
    return path


def _points(run: Reopened, sampler: SamplerGraph) -> Iterator[Path]:
    """Points of a plane over held-out ones."""
    if not plane_of(run.job, next(iter(sampler.outputs.values()))):
        return
    result = draw(run, sampler, min(sampler.default_size, SHOWN_POINTS))[0]
    path = run.folder.path / f"scatter-{sampler.name}.png"
    pictures.write(path, picture_of(run.job, result, sampler.name))
    yield path


def _nearest(run: Reopened, sampler: SamplerGraph) -> Iterator[Path]:
    """Samples over the training examples that are closest to them: copies would show here."""
    examples = run.job.examples
    if examples is None:
        return
    result = draw(run, sampler, SHOWN)[0]
    if result.image is None:
        return
    data = examples.train(np.arange(examples.train_count))
    for name, declared in run.job.source.interface.data.items():
        if declared.range is None or data[name][0].size != result.values[0].size:
            continue
        low, high = declared.range.low, declared.range.high
        if low is None or high is None:
            continue
        rows, _ = nearest(result.values, data[name])
        samples = pictures.tiles(result.values, result.image, result.low, result.high)
        found = pictures.tiles(data[name][rows], result.image, float(low), float(high))
        both = [pictures.Row("sample", samples), pictures.Row("nearest", found)]
        path = run.folder.path / f"nearest-{sampler.name}.png"
        pictures.write(path, pictures.comparison(both))
        yield path
