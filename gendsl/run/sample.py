"""Samplers and `show` values: run them, draw what is a picture, save the rest.

In: a job's current values. Out: PNG files (grids where an image shape and a finite range were
declared, points of a plane over those of the data) or `.npy` files. Always: the same seed draws the
same latent variables at every step, so pictures of different steps show the model change and
nothing else.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from gendsl.core.program import DataField
from gendsl.data.order import permutation
from gendsl.diagnostics.model import fail
from gendsl.ir.graph import SamplerGraph, Show
from gendsl.noise import Noise
from gendsl.ops.leaf import Input
from gendsl.run import pictures
from gendsl.run.chart_png import panel_sheet
from gendsl.run.compiled import Compiled, hypers_at, shown_count
from gendsl.run.evaluate import readable
from gendsl.run.files import write_whole
from gendsl.run.job import Job
from gendsl.run.scatter import SHOWN_POINTS, scatter
from gendsl.shape.tensor_type import Fin, Real

if TYPE_CHECKING:
    from PIL import Image

Array = np.ndarray[Any, Any]
Image3 = tuple[int, int, int]
REAL = Real()

FEW = 20  # examples in a picture made during training
FEW_COLUMNS = 5
FEW_POINTS = 1000  # the same for points of a plane
POINTS_ZOOM = 1.25  # two of these pictures stand side by side in a report


@dataclass(frozen=True)
class Result:
    """One named result: values, and what it takes to draw them: `image` where they are images,
    `plane` the data field where they are points like its own; for anything else `reason` says why
    it is no picture, with what to write instead."""

    name: str
    values: Array
    image: Image3 | None
    low: float
    high: float
    reason: str = ""
    plane: str = ""

    @property
    def drawable(self) -> bool:
        return self.image is not None or bool(self.plane)


def sampler_sizes(job: Job, sampler: SamplerGraph) -> tuple[int, ...]:
    """The numbers of examples that a run asks for: a few on the way, all at the end."""
    points = any(plane_of(job, show) for show in sampler.outputs.values())
    few = FEW_POINTS if points else FEW
    return tuple(sorted({min(few, sampler.default_size), sampler.default_size}))


def arguments(sampler: SamplerGraph, count: int, sizes: Mapping[str, int]) -> dict[str, Array]:
    """Values for a sampler's arguments: their defaults; an index without one cycles 0, 1, 2, ..."""
    found: dict[str, Array] = {}
    bound = sampler.bound(sizes, count)
    for name, node in sampler.inputs.items():
        shape = tuple(d.size(bound) for d in node.type.shape)
        default = sampler.defaults.get(name)
        key = _key(name, node.op)
        if isinstance(node.type.elem, Fin):
            cycle = np.arange(prod(shape)) % node.type.elem.bound.size(bound)
            found[key] = cycle.reshape(shape)
            if isinstance(default, Fraction):
                found[key] = np.full(shape, int(default))
        elif isinstance(default, Fraction):
            found[key] = np.full(shape, float(default), np.float32)
        else:
            raise fail(
                "E1059",
                f"the sampler `{sampler.name}` needs a value for `{name}`",
                help=f"give it a default in the program: `{name}: real = 0.0`",
            )
    return found


def _key(name: str, op: object) -> str:
    return op.key if isinstance(op, Input) else name


def check_samplers(job: Job) -> None:
    """Every sampler's arguments have values (raises E1059): asked before a folder is made."""
    for sampler in job.source.graph.samplers.values():
        arguments(sampler, sampler.default_size, job.sizes)


def sample(
    job: Job, compiled: Compiled, name: str, count: int, values: Mapping[str, Array], step: int
) -> list[Result]:
    """Run one sampler for `count` examples, with averaged weights unless the job says `--raw`."""
    sampler = job.source.graph.samplers[name]
    outputs = compiled.samplers[name, count].run(
        readable(values, ema=not job.raw),
        arguments(sampler, count, job.sizes),
        hypers_at(job, compiled, step),
        Noise(job.seed, "sample"),
    )
    return [result_of(job, key, outputs[key], show) for key, show in sampler.outputs.items()]


def result_of(job: Job, name: str, values: Array, show: Show) -> Result:
    image, (low, high) = _image(job, show), _range(show)
    plane = plane_of(job, show)
    if plane:
        return Result(name, values, None, 0.0, 1.0, plane=plane)
    if not pictures.drawable(image, low, high) or low is None or high is None:
        return Result(name, values, None, 0.0, 1.0, no_picture(job, show))
    return Result(name, values, image, low, high)


def _range(show: Show) -> tuple[float | None, float | None]:
    if show.range is None:
        return None, None
    low, high = show.range.low, show.range.high
    return None if low is None else float(low), None if high is None else float(high)


def no_picture(job: Job, show: Show) -> str:
    """Why a tensor is no picture and what would make it one; "" when it is."""
    image, (low, high) = _image(job, show), _range(show)
    if pictures.drawable(image, low, high) or plane_of(job, show):
        return ""
    if image is None:
        shape = ", ".join(str(d) for d in show.node.type.shape)
        return f"[{shape}] has no (C H W), as in `[N, (C H W)] in 0..1`"
    if image[0] not in (1, 3):
        return f"{image[0]} channels, where a picture has 1 or 3"
    had = "no range is declared" if show.range is None else f"its range is {show.range}"
    return f"{had}: write what stands for black and white, as in `in 0..1`"


def plane_of(job: Job, show: Show) -> str:
    """The data field whose examples are points of a plane, where the tensor holds such too."""
    axes = show.node.type.shape
    if len(axes) != 2 or show.node.type.elem != REAL or not axes[1].names <= job.sizes.keys():
        return ""
    if axes[1].size(job.sizes) != 2:
        return ""
    fields = job.source.interface.data.items()
    found = (n for n, f in fields if f.elem == REAL and _factors(job, f) == (2,))
    return next(found, "")


def picture_of(job: Job, result: Result, title: str, columns: int | None = None) -> Image.Image:
    """A drawable result: images as a grid, points over those of the held-out part."""
    if result.image is not None:
        tiles = pictures.tiles(result.values, result.image, result.low, result.high)
        return pictures.grid(tiles, columns)
    assert job.examples is not None
    count = job.examples.held_out_count
    # Data may come in order: the points are a random choice of it.
    rows = permutation(count, job.seed, "points", 0)[:SHOWN_POINTS]
    data = job.examples.held_out(rows)[result.plane]
    return panel_sheet([scatter(title, result.values, data, count)], POINTS_ZOOM)


def sample_files(job: Job) -> dict[tuple[str, str], str]:
    """The file of each sampler's results at the end of a run, by the names of both: `samples.png`
    for the first picture, `samples-NAME.png` for the others, `.npy` for what is no picture."""
    files: dict[tuple[str, str], str] = {}
    for name, sampler in job.source.graph.samplers.items():
        for key, show in sampler.outputs.items():
            file = f"samples-{name if not key else f'{name}-{key}'}"
            if no_picture(job, show):
                files[name, key] = f"{file}.npy"
            else:
                first = "samples.png" not in files.values()
                files[name, key] = "samples.png" if first else f"{file}.png"
    return files


def not_drawn(job: Job, compiled: Compiled) -> dict[str, str]:
    """The files of a run that hold numbers instead of a picture, each with the reason."""
    samplers = job.source.graph.samplers
    files = {file: samplers[name].outputs[key] for (name, key), file in sample_files(job).items()}
    if compiled.show is not None:
        files |= {f"{name}.npy": show for name, show in compiled.shows.items()}
    reasons = {file: no_picture(job, show) for file, show in files.items()}
    return {file: reason for file, reason in reasons.items() if reason}


def _image(job: Job, show: Show) -> Image3 | None:
    if show.image is None:
        return None
    channels, height, width = (d.size(job.sizes) for d in show.image)
    return channels, height, width


# ---- files -------------------------------------------------------------------------------


def write_samples(
    job: Job, compiled: Compiled, values: Mapping[str, Array], step: int, folder: Path
) -> list[Path]:
    """The final samples of every sampler."""
    written: list[Path] = []
    files = sample_files(job)
    for name, sampler in job.source.graph.samplers.items():
        for result in sample(job, compiled, name, sampler.default_size, values, step):
            path = folder / files[name, result.name]
            if result.drawable:
                pictures.write(path, picture_of(job, result, result.name or name))
            else:
                _write_npy(path, result.values)
            written.append(path)
    return written


def write_progress(
    job: Job, compiled: Compiled, values: Mapping[str, Array], step: int, folder: Path
) -> None:
    """A few samples of the first sampler that draws pictures: `samples/step-%08d.png`. The others
    wait for the end, since a program puts its fastest sampler first."""
    for name, sampler in job.source.graph.samplers.items():
        results = sample(job, compiled, name, sampler_sizes(job, sampler)[0], values, step)
        drawn = [result for result in results if result.drawable]
        for count, result in enumerate(drawn):
            suffix = f"-{result.name}" if count else ""
            picture = picture_of(job, result, result.name or name, FEW_COLUMNS)
            pictures.write(folder / f"step-{step:08d}{suffix}.png", picture)
        if drawn:
            return


def write_shows(
    job: Job, compiled: Compiled, values: Mapping[str, Array], step: int, folder: Path
) -> list[Path]:
    """Each `show` value on the first held-out examples, below the originals: `NAME.png`."""
    if compiled.show is None or job.examples is None:
        return []
    batch = job.examples.held_out(np.arange(shown_count(job)))
    outputs = compiled.show.run(
        readable(values, ema=not job.raw),
        batch,
        hypers_at(job, compiled, step),
        Noise(job.seed, "eval"),
    )
    written = []
    for name, show in compiled.shows.items():
        result = result_of(job, name, outputs[name], show)
        path = folder / f"{name}.{'png' if result.drawable else 'npy'}"
        if result.plane:
            pictures.write(path, picture_of(job, result, name))
        elif result.image is None:
            _write_npy(path, result.values)
        else:
            shown = pictures.tiles(result.values, result.image, result.low, result.high)
            rows = [*_original(job, batch, result.image), pictures.Row(name, shown)]
            pictures.write(path, pictures.comparison(rows))
        written.append(path)
    return written


def _original(job: Job, batch: Mapping[str, Array], image: Image3) -> list[pictures.Row]:
    """The data field that a picture of this shape is to be compared with, if there is one."""
    for name, field in job.source.interface.data.items():
        bounds = field.range
        if bounds is None or bounds.low is None or bounds.high is None:
            continue
        if _factors(job, field) == image:
            low, high = float(bounds.low), float(bounds.high)
            return [pictures.Row("original", pictures.tiles(batch[name], image, low, high))]
    return []


def _factors(job: Job, field: DataField) -> tuple[int, ...]:
    sizes = tuple(f.size.size(job.sizes) for f in field.factors)
    return (1, *sizes) if len(sizes) == 2 else sizes


def _write_npy(path: Path, values: Array) -> None:
    buffer = io.BytesIO()
    np.save(buffer, values, allow_pickle=False)
    write_whole(path, buffer.getvalue())
