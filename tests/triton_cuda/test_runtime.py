"""The runtime on the fake of CUDA: capture, double buffers, results without waiting."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
import torch

from backends.triton_cuda.blocks import bytes_of
from backends.triton_cuda.machine import OutOfMemory
from backends.triton_cuda.runtime import Running
from tests.triton_cuda import toy
from tests.triton_cuda.fake_cuda import FakeCuda, FakeMachine


def running(cuda: FakeCuda) -> Running:
    kernels = {"scale": cuda.kernel(toy.scale), "update": cuda.kernel(toy.update)}
    made = Running(toy.plan(), kernels, FakeMachine(cuda))
    made.load({"w": np.array([2.0])})
    return made


def collected(made: Running) -> list[tuple[int, float]]:
    found: list[tuple[int, float]] = []

    def read(number: int, arrays: Mapping[str, np.ndarray[Any, Any]]) -> None:
        found.append((number, float(arrays["loss"])))

    while len(made.outbox):
        made.outbox.take(read)
    return found


def test_runs_are_replays_and_nothing_waits() -> None:
    cuda = FakeCuda()
    made = running(cuda)
    for number in range(6):
        made.run(toy.fill(number), number)
    assert (cuda.captures, cuda.replays, cuda.launches) == (1, 6, 4)
    w, losses = toy.expected(6)
    found = collected(made)
    assert [number for number, _ in found] == list(range(6))
    assert [value for _, value in found] == pytest.approx(losses, rel=1e-5)
    assert made.carried()["w"] == pytest.approx([w], rel=1e-5)


def test_the_warm_up_leaves_no_trace() -> None:
    made = running(FakeCuda())
    made.run(toy.fill(0), 0)
    assert made.carried()["w"] == pytest.approx([toy.expected(1)[0]], rel=1e-6)


def test_steps_without_a_graph_are_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    made = running(FakeCuda(refuses_capture=True))
    for number in range(3):
        made.run(toy.fill(number), number)
    assert made.carried()["w"] == pytest.approx([toy.expected(3)[0]], rel=1e-5)


def test_the_outbox_says_when_it_is_full() -> None:
    made = running(FakeCuda())
    count = 0
    while not made.outbox.full:
        made.run(toy.fill(count), count)
        count += 1
    assert count == 8
    assert len(collected(made)) == 8
    assert not made.outbox.full


def test_a_plan_that_does_not_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    cuda = FakeCuda()
    device = FakeMachine(cuda)
    given = device.block

    def block(size: int) -> torch.Tensor:
        if size >= 4096:
            raise OutOfMemory(size, 1000)
        return given(size)

    monkeypatch.setattr(device, "block", block)
    big = toy.plan(2000)
    with pytest.raises(OutOfMemory) as caught:
        Running(big, {}, device)
    # 64 bytes of parameters were there already; the inbox did not fit
    assert (caught.value.wanted, caught.value.free) == (bytes_of(big), 1064)
    assert bytes_of(big) >= 2 * 8000


def test_every_memory_starts_at_a_multiple_of_64() -> None:
    made = running(FakeCuda())
    parts = (made.blocks.carried, made.blocks.inbox, made.blocks.outbox, made.blocks.arena)
    assert [list(part.memories) for part in parts] == [["w"], ["x", "host"], ["loss"], ["y"]]
    assert all(offset % 64 == 0 for part in parts for offset in part.offsets.values())
    assert made.blocks.views["x"].shape == (5,)
    assert made.blocks.views["loss"].shape == ()
