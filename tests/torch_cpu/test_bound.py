"""The two stages of a step against the plain source they are made from: the same bits."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from backends.common.arena import Life, aligned, arrange, most_alive
from backends.torch_cpu import runtime
from backends.torch_cpu.bound import wrapped
from backends.torch_cpu.emit import emit
from backends.torch_cpu.target import Step, _carried
from gendsl.noise import Ahead
from tests.passes.test_programs import NOISE, PROGRAMS
from tests.torch_cpu.test_all_programs import Run, joint_step

Arrays = dict[str, np.ndarray]
STEPS = 4


class Dirty(runtime.Arena):
    """An arena that holds no number before something is written to it."""

    def __init__(self, size: int, real: torch.dtype) -> None:
        super().__init__(size, real)
        self._memory.fill_(255)


def plain(run: Run, real: torch.dtype) -> Callable[[int], Arrays]:
    """Steps by the plain source, which allocates everything anew."""
    step = run.compiled
    space = runtime.namespace(real)
    exec(emit(step.plan, carries=True).text, space)
    carried = _carried(step.stored(run.start))
    kinds = {"p": "param", "slot": "slot", "state": "state", "ema": "ema"}

    def once(number: int) -> Arrays:
        draw = runtime.drawer(NOISE.at(number), Ahead() if real is torch.float64 else AHEAD, real)
        with torch.inference_mode():
            found = space["step"](
                **carried, data=step._exe.batch(run.batch), hyper=run.hypers, number=number,
                draw=draw,
            )  # fmt: skip
        cells = {f"{kinds[c]}:{k}": x for c, table in carried.items() for k, x in table.items()}
        return {k: np.asarray(x).copy() for k, x in (*found.items(), *cells.items())}

    return once


AHEAD = Ahead((runtime.cosine, runtime.sine))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", PROGRAMS)
def test_the_bits_are_those_of_the_plain_source(
    name: str, dtype: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also when the arena holds rubbish at first, and what an earlier step left later on."""
    monkeypatch.setattr(runtime, "Arena", Dirty)
    run = Run(joint_step(name), name, "all", dtype)
    once = plain(run, torch.float64 if dtype == "float64" else torch.float32)
    for number in range(STEPS):
        wanted, found = once(number), run.steps(number)
        for key in found:
            given = wanted[key] if key in run.start else np.asarray(float(wanted[key]))
            assert np.array_equal(found[key], given, equal_nan=True), (number, key)


def test_carried_tensors_keep_their_memory() -> None:
    """Names and views are bound once: nothing may put another tensor in a carried one's place."""
    step: Step = Run(joint_step("vq_vae_ema"), "vq_vae_ema", "all", "float32").compiled

    def places() -> dict[str, Any]:
        return {
            f"{c}.{k}": x.data_ptr() for c, table in step._carried.items() for k, x in table.items()
        }

    before = places()
    run = Run(joint_step("vq_vae_ema"), "vq_vae_ema", "all", "float32")
    step.load(run.start)
    before = places()
    step.run(run.batch, run.hypers, NOISE.at(0))
    assert places() == before


def test_a_step_needs_values() -> None:
    run = Run(joint_step("vae"), "vae", "all", "float32")
    step = Step(run.compiled._graph, run.compiled._sizes, "float32")
    with pytest.raises(RuntimeError, match="load them first"):
        step.run(run.batch, run.hypers, NOISE.at(0))


def test_room_of_the_arena() -> None:
    lives = [Life("a", 100, 0, 2), Life("b", 60, 1, 3), Life("c", 128, 3, 4)]
    offsets, size = arrange(lives)
    assert most_alive(lives) == 60 + 128 == 188
    assert size == aligned(60) + aligned(128) == 192
    assert offsets["a"] == offsets["c"] == 0


def test_room_beside_what_has_a_place_already() -> None:
    """What is given a place may lie anywhere; the rest stays aligned, also in its place later."""
    lives = [Life("a", 100, 0, 3), Life("b", 20, 2, 3), Life("c", 64, 0, 1), Life("d", 64, 3, 3)]
    offsets, size = arrange(lives, {"a": 0, "b": 100})
    assert (offsets["a"], offsets["b"]) == (0, 100)
    assert offsets["c"] == offsets["d"] == 128
    assert size == 192


@pytest.mark.parametrize("room", [20, 40, 60, 100])
def test_long_statements_are_broken_at_commas(room: int) -> None:
    text = 'foo(bar(one, two), {"a": first, "b": (second, third)}, out=name).add_(more, value=0.5)'
    lines = wrapped(text, room)
    assert "".join(x.strip() for x in lines).replace(",", "").replace(" ", "") == text.replace(
        ",", ""
    ).replace(" ", "")
    assert max(map(len, lines)) <= room
    compile("\n".join(lines), "<test>", "exec")
