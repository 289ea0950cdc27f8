"""Samplers and `show` values: run them, draw what is a picture, save the rest.

In: a job's current values. Out: PNG grids (an image shape and a finite range were declared) or
`.npy` files. Always: the same seed draws the same latent variables at every step, so pictures of
different steps show the model change and nothing else.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from gendsl.core.program import DataField
from gendsl.diagnostics.model import fail
from gendsl.ir.graph import SamplerGraph, Show
from gendsl.noise import Noise
from gendsl.ops.leaf import Input
from gendsl.run import pictures
from gendsl.run.compiled import Compiled, hypers_at, shown_count
from gendsl.run.evaluate import readable
from gendsl.run.files import write_whole
from gendsl.run.job import Job
from gendsl.shape.tensor_type import Fin

Array = np.ndarray[Any, Any]
Image3 = tuple[int, int, int]

FEW = 20  # examples in a picture made during training
FEW_COLUMNS = 5


@dataclass(frozen=True)
class Result:
    """One named result: values, and what it takes to draw them: `image` is None when it is no
    picture, and `reason` says why, with what to write instead."""

    name: str
    values: Array
    image: Image3 | None
    low: float
    high: float
    reason: str = ""


def sampler_sizes(sampler: SamplerGraph) -> tuple[int, ...]:
    """The numbers of examples that a run asks for: a few on the way, all at the end."""
    return tuple(sorted({min(FEW, sampler.default_size), sampler.default_size}))


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
    if pictures.drawable(image, low, high):
        return ""
    if image is None:
        shape = ", ".join(str(d) for d in show.node.type.shape)
        return f"[{shape}] has no (C H W), as in `[N, (C H W)] in 0..1`"
    if image[0] not in (1, 3):
        return f"{image[0]} channels, where a picture has 1 or 3"
    had = "no range is declared" if show.range is None else f"its range is {show.range}"
    return f"{had}: write what stands for black and white, as in `in 0..1`"


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
            if result.image is None:
                _write_npy(path, result.values)
            else:
                drawn = pictures.tiles(result.values, result.image, result.low, result.high)
                pictures.write(path, pictures.grid(drawn))
            written.append(path)
    return written


def write_progress(
    job: Job, compiled: Compiled, values: Mapping[str, Array], step: int, folder: Path
) -> None:
    """A few samples of the first sampler that draws pictures: `samples/step-%08d.png`. The others
    wait for the end, since a program puts its fastest sampler first."""
    for name, sampler in job.source.graph.samplers.items():
        results = sample(job, compiled, name, sampler_sizes(sampler)[0], values, step)
        drawn = [(r, r.image) for r in results if r.image is not None]
        for count, (result, image) in enumerate(drawn):
            suffix = f"-{result.name}" if count else ""
            tiles = pictures.tiles(result.values, image, result.low, result.high)
            picture = pictures.grid(tiles, FEW_COLUMNS)
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
        if result.image is None:
            path = folder / f"{name}.npy"
            _write_npy(path, result.values)
        else:
            path = folder / f"{name}.png"
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
