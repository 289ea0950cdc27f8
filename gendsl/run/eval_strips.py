"""Denoising strips: what a sampler's loop carries on its way from noise to samples.

In: a job and its values. Out: a PNG file per sampler that loops over the tensor it ends with.
Always: the pictures come from the sampler's own loop. It is given more values to carry, each of
which keeps the carried tensor as it was before one iteration, and what the sampler does after the
loop (scaling, clamping) is done to each of them; so the last picture of a row is the sample itself.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from gendsl.ir.graph import Node, SamplerGraph, postorder, reachable
from gendsl.ir.rewrite import substitute
from gendsl.noise import Noise
from gendsl.ops.broadcast import Broadcast
from gendsl.ops.compare import LessEqual, Where
from gendsl.ops.leaf import Index
from gendsl.ops.loop import Instruction, Loop, LoopBody, LoopCarry
from gendsl.run import pictures
from gendsl.run.job import Job
from gendsl.run.sample import arguments, result_of
from gendsl.shape.dim import Dim

Array = np.ndarray[Any, Any]

COLUMNS = 9  # of which the last one is the sample
ROWS = 6


def write_strips(
    job: Job, values: Mapping[str, Array], folder: Path, *, first: bool = False
) -> Iterator[Path]:
    """For every sampler, or the first one, with a picture, one loop and one tensor that comes out
    of it. `values` are what functions of the program read."""
    for sampler in list(job.source.graph.samplers.values())[: 1 if first else None]:
        node = loop_of(sampler)
        if node is not None:
            yield from _strip(job, values, folder, sampler, node)


def loop_of(sampler: SamplerGraph) -> Node | None:
    """The value of the sampler's loop that its first result is made from."""
    show = next(iter(sampler.outputs.values()))
    found = [n for n in reachable([show.node]) if isinstance(n.op, Loop)]
    if show.image is None or len(found) != 1 or found[0].type != show.node.type:
        return None
    return found[0]


def moments(count: int) -> list[int]:
    """The iterations before which the carried tensor is kept: the first one, then evenly."""
    return sorted({i * count // (COLUMNS - 1) for i in range(COLUMNS - 1)})


def watched(node: Node, at: Sequence[int]) -> tuple[LoopBody, tuple[Node, ...]]:
    """The loop with one more carried value for each of `at`: the tensor before that iteration.
    Also its operands."""
    loop = node.op
    assert isinstance(loop, Loop)
    body, opened = loop.body, loop.body.open()
    build, kept = opened.builder, opened.carries[loop.result]
    extra, results = [], []
    for place, moment in enumerate(at):
        slot = build.apply(LoopCarry("", len(body.carries) + place, kept.type.shape))
        bound = build.apply(Index(Dim.of(moment), body.count))
        early = build.apply(LessEqual(), opened.index, bound)
        everywhere = build.apply(Broadcast(kept.type.shape, ()), early)
        extra.append(slot)
        results.append(build.apply(Where(), everywhere, kept, slot))
    leaves = (opened.index, *opened.carries, *extra, *opened.captures)
    placed = {leaf: number for number, leaf in enumerate(leaves)}
    instructions: list[Instruction] = []
    for inner in postorder([*opened.results, *results]):
        if inner not in placed:
            placed[inner] = len(leaves) + len(instructions)
            instructions.append(Instruction(inner.op, tuple(placed[n] for n in inner.inputs)))
    more = replace(
        body,
        carries=(*body.carries, *(slot.type for slot in extra)),
        instructions=tuple(instructions),
        results=tuple(placed[n] for n in (*opened.results, *results)),
    )
    count = len(body.carries)
    initial, captured = node.inputs[:count], node.inputs[count:]
    return more, (*initial, *(initial[loop.result] for _ in at), *captured)


def _strip(
    job: Job, values: Mapping[str, Array], folder: Path, sampler: SamplerGraph, node: Node
) -> Iterator[Path]:
    loop = node.op
    assert isinstance(loop, Loop)
    name, show = next(iter(sampler.outputs.items()))
    sizes = {**job.sizes, **sampler.bound(job.sizes, ROWS)}
    at = moments(loop.body.count.size(sizes))
    body, operands = watched(node, at)
    build = job.source.graph.builder
    first = len(loop.body.carries)
    ends = [build.apply(Loop(body, first + place), *operands) for place in range(len(at))]
    ends.append(build.apply(Loop(body, loop.result), *operands))
    columns = {
        str(place): substitute(build, [show.node], {node: end})[0] for place, end in enumerate(ends)
    }
    given = arguments(sampler, ROWS, job.sizes)
    hypers, noise = dict(job.settings.hypers), Noise(job.seed, "sample")
    found = job.target.compile_function(columns, sizes).run(values, given, hypers, noise)
    rows = np.stack([found[key] for key in columns], axis=1)
    result = result_of(job, name, rows.reshape(-1, *rows.shape[2:]), show)
    if result.image is None:
        return
    tiles = pictures.tiles(result.values, result.image, result.low, result.high)
    path = folder / f"denoising-{sampler.name}.png"
    caption = f"before iteration {', '.join(str(moment) for moment in at)}; last: the sample"
    pictures.write(path, pictures.grid(tiles, len(columns), caption))
    yield path
