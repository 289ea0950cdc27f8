"""`gendsl sample RUN [SAMPLER]`: draw from a trained run, as many examples as wanted.

In: a reopened run and a `SampleRequest`. Out: a picture or an `.npy` file. Always: example i is the
same for every number of examples asked for, and the first ones are those that the run drew at its
end (same seed); nothing of the run folder is overwritten without being named.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from gendsl.diagnostics.model import fail
from gendsl.diagnostics.suggest import did_you_mean
from gendsl.ir.graph import Node, SamplerGraph
from gendsl.noise import Noise
from gendsl.ops.leaf import Input
from gendsl.run import pictures
from gendsl.run.files import write_whole
from gendsl.run.reopen import Reopened
from gendsl.run.sample import Result, arguments, picture_of, result_of
from gendsl.shape.dim import Dim
from gendsl.shape.tensor_type import Fin, Range

Array = np.ndarray[Any, Any]

CHUNK = 64  # examples at a time: what is drawn does not depend on it


@dataclass(frozen=True)
class SampleRequest:
    """`sampler` "" is the first one; `count` None its default; `settings` set its arguments and its
    other sizes; `seed` None is the run's."""

    sampler: str = ""
    count: int | None = None
    settings: tuple[tuple[str, str], ...] = ()
    seed: int | None = None
    out: Path | None = None


def find_sampler(run: Reopened, name: str) -> SamplerGraph:
    """The sampler of that name, the first one for ""; E1081 when there is none."""
    samplers = run.job.source.graph.samplers
    if not samplers:
        raise fail(
            "E1081",
            f"{run.job.source.path} has no sampler: there is nothing to draw",
            help=f"add `sampler examples[N = 64] -> {_like_data(run)}:` to the program",
        )
    if not name:
        return next(iter(samplers.values()))
    if name not in samplers:
        listed = ", ".join(f"`{known}`" for known in samplers)
        raise fail(
            "E1081",
            f"{run.job.source.path} has no sampler `{name}`",
            help=did_you_mean(name, list(samplers)) or f"its samplers are {listed}",
        )
    return samplers[name]


def _like_data(run: Reopened) -> str:
    """The type of examples as the program declares its data, `[N, C, H, W] in 0..1`."""
    fields = [f for f in run.job.source.interface.data.values() if f.factors]
    if not fields:
        return "[N, (C H W)] in 0..1"
    axes = ", ".join(["N", *(str(item) for item in fields[0].type.items[1:])])
    return f"[{axes}]" + (f" in {fields[0].range}" if fields[0].range is not None else "")


def draw(
    run: Reopened,
    sampler: SamplerGraph,
    count: int,
    settings: Mapping[str, str] | None = None,
    seed: int | None = None,
) -> list[Result]:
    """`count` examples in pieces; an argument along the examples goes on from piece to piece."""
    sampler = _set(run, sampler, settings or {})
    whole = arguments(sampler, count, run.job.sizes)
    long = {
        node.op.key if isinstance(node.op, Input) else name
        for name, node in sampler.inputs.items()
        if node.type.shape and node.type.shape[0] == Dim.name(sampler.size)
    }
    outputs = {key: show.node for key, show in sampler.outputs.items()}
    made: dict[int, Any] = {}
    parts: list[dict[str, Array]] = []
    for first in range(0, count, CHUNK):
        size = min(CHUNK, count - first)
        if size not in made:
            made[size] = run.compile(outputs, sampler.bound(run.job.sizes, size))
        given = {k: v[first : first + size] if k in long else v for k, v in whole.items()}
        source = Noise(run.job.seed if seed is None else seed, "sample", first_example=first)
        parts.append(made[size].run(run.values, given, dict(run.job.settings.hypers), source))
    return [
        result_of(run.job, key, np.concatenate([part[key] for part in parts]), show)
        for key, show in sampler.outputs.items()
    ]


def _set(run: Reopened, sampler: SamplerGraph, settings: Mapping[str, str]) -> SamplerGraph:
    """The sampler with other sizes and defaults."""
    sizes, numbers = dict(sampler.sizes), dict(sampler.defaults)
    for name, text in settings.items():
        if name in sizes and name != sampler.size:
            sizes[name] = Dim.of(_whole(name, text, 1))
        elif name in sampler.inputs:
            fin = isinstance(sampler.inputs[name].type.elem, Fin)
            numbers[name] = Fraction(_whole(name, text, 0)) if fin else _number(name, text)
        else:
            raise fail(
                "E1082",
                f"the sampler `{sampler.name}` has no argument `{name}` that can be set",
                help=_instead(run, sampler, name, text),
            )
    made = replace(sampler, sizes=sizes, defaults=numbers)
    for name in settings:
        _allowed(made, name, run.job.sizes)
    return made


def _allowed(sampler: SamplerGraph, name: str, sizes: Mapping[str, int]) -> None:
    """Refuse a number that the argument's type has not: an index beyond its end, a real outside of
    the declared range."""
    node, value = sampler.inputs.get(name), sampler.defaults.get(name)
    if node is None or not isinstance(value, Fraction):
        return
    wanted = ""
    if isinstance(node.type.elem, Fin):
        end = node.type.elem.bound.size(sampler.bound(sizes, 1))
        wanted = "" if value < end else f"0 to {end - 1}"
    elif (declared := sampler.ranges.get(name)) is not None and not declared.holds(value):
        wanted = str(declared)
    if wanted:
        raise fail(
            "E1082",
            f"`{name} = {value}` is not in {wanted}, where `{sampler.name}` takes it from",
            help=f"for example `--set {name}={_example(node, sampler.ranges.get(name))}`",
        )


def _example(node: Node, declared: Range | None) -> str:
    if declared is None:
        return "0"
    low, high = declared.low, declared.high
    return str(float(low if low is not None else high if high is not None else 0))


def _settable(sampler: SamplerGraph) -> list[str]:
    return [*(n for n in sampler.sizes if n != sampler.size), *sampler.inputs]


def _instead(run: Reopened, sampler: SamplerGraph, name: str, text: str) -> str:
    """What somebody who sets `name` may have meant."""
    job, known = run.job, _settable(sampler)
    if name in (sampler.size, "n", "count"):
        return f"how many examples are drawn is a flag: `--n {text}`"
    if name == "seed":
        return f"the seed of samples is a flag: `--seed {text}`"
    others = [s.name for s in job.source.graph.samplers.values() if name in _settable(s)]
    if others:
        return f"`{others[0]}` has it: `gendsl sample {run.folder.path} {others[0]} --set ...`"
    if name in job.sizes or name in job.settings.hypers:
        return (
            f"`{name}` was trained with: `gendsl run ... --set {name}={text}` trains another model"
        )
    had = f"it has {', '.join(f'`{k}`' for k in known)}" if known else "it has none"
    return did_you_mean(name, known) or f"{had}; `--n` says how many examples, `--seed` which ones"


def _whole(name: str, text: str, least: int) -> int:
    if text.isdecimal() and int(text) >= least:
        return int(text)
    raise fail(
        "E1082",
        f"`{name} = {text}` is not a whole number >= {least}",
        help=f"for example `--set {name}={max(least, 3)}`",
    )


def _number(name: str, text: str) -> Fraction:
    try:
        return Fraction(text)
    except (ValueError, ZeroDivisionError) as error:
        raise fail(
            "E1082", f"`{name} = {text}` is not a number", help=f"for example `--set {name}=0.5`"
        ) from error


def write(run: Reopened, request: SampleRequest) -> list[tuple[Path, Result]]:
    """Draw what was asked for and write it; the files with what they hold."""
    sampler = find_sampler(run, request.sampler)
    count = request.count or sampler.default_size
    results = draw(run, sampler, count, dict(request.settings), request.seed)
    return [(write_result(run, sampler, result, request.out), result) for result in results]


def write_result(run: Reopened, sampler: SamplerGraph, result: Result, out: Path | None) -> Path:
    """A picture as PNG (as `.npy` where the name says so), anything else as `.npy`."""
    name = sampler.name if not result.name else f"{sampler.name}-{result.name}"
    suffix = ".png" if result.drawable else ".npy"
    path = out or run.folder.path / f"sample-{name}-{len(result.values)}{suffix}"
    if out is not None and result.name:
        path = out.with_name(f"{out.stem}-{result.name}{out.suffix}")
    if path.suffix not in (".png", ".npy") or (path.suffix == ".png" and not result.drawable):
        kinds = "`.png` or `.npy`" if result.drawable else "`.npy`"
        raise fail(
            "E1083",
            f"cannot write `{sampler.name}` to {path}",
            notes=() if result.drawable else (f"no picture: {result.reason}",),
            help=f"name a file that ends in {kinds}",
        )
    if path.suffix == ".npy":
        buffer = io.BytesIO()
        np.save(buffer, result.values, allow_pickle=False)
        write_whole(path, buffer.getvalue())
    else:
        pictures.write(path, picture_of(run.job, result, result.name or sampler.name))
    return path
