"""The CUDA machine on a fake of `torch.cuda`: order, capture, what is said when something fails."""

from __future__ import annotations

import pytest
import torch

from backends.triton_cuda import machine, notice
from backends.triton_cuda.machine import OutOfMemory
from gendsl.diagnostics.model import GendslError
from tests.triton_cuda.fake_cuda import FakeCuda, FakeMachine


def test_a_recorded_function_is_one_replay() -> None:
    cuda = FakeCuda()
    device = FakeMachine(cuda)
    x = device.block(4)
    add = cuda.kernel(lambda grid, t, by: t.add_(by))

    def enqueue() -> None:
        add[(1,)](x, by=1)
        add[(1,)](x, by=2)

    replay = device.record(enqueue)
    assert x.tolist() == [3] * 4  # the warm-up ran; the capture did not
    assert (cuda.launches, cuda.captures) == (4, 1)
    mirror = device.mirror(4)
    for _ in range(3):
        replay()
    wait = device.copy(mirror, x)
    assert mirror.tolist() == [0] * 4  # nothing is there before somebody waits
    wait()
    assert mirror.tolist() == [12] * 4
    assert (cuda.launches, cuda.replays) == (4, 3)


def test_a_copy_reads_its_source_when_its_turn_comes() -> None:
    """The hazard that double buffers are for: the fake shows it."""
    device = FakeMachine(FakeCuda())
    block, mirror = device.block(1), device.mirror(1)
    mirror.fill_(1)
    wait = device.copy(block, mirror)
    mirror.fill_(2)
    wait()
    assert block.tolist() == [2]


def test_a_failed_capture_is_said_and_kernels_are_launched(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(notice, "_said", set())
    cuda = FakeCuda(refuses_capture=True)
    device = FakeMachine(cuda)
    x = device.block(1)
    add = cuda.kernel(lambda grid, t: t.add_(1))
    replay = device.record(lambda: add[(1,)](x))
    replay()
    said = capsys.readouterr().err
    assert "warning[W0901]" in said and "not permitted" in said
    wait = device.copy(device.mirror(1), x)
    wait()
    assert x.tolist() == [2]


def test_memory_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    device = FakeMachine(FakeCuda())

    def full(*arguments: object, **options: object) -> torch.Tensor:
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(machine.torch, "zeros", full)
    with pytest.raises(OutOfMemory) as caught:
        device.block(5000)
    assert (caught.value.wanted, caught.value.free) == (5000, 1000)


def test_no_gpu_is_one_clear_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TRITON_INTERPRET", raising=False)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(GendslError, match="E0901"):
        machine.here()
