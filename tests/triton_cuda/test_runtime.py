"""The runtime on the fake of CUDA: capture, double buffers, results without waiting."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
import torch

from backends.triton_cuda.blocks import bytes_of
from backends.triton_cuda.launch import KernelPlan, Launch, Memory, Repeat
from backends.triton_cuda.machine import Interpreted, OutOfMemory
from backends.triton_cuda.runtime import Running
from backends.triton_cuda.timing import measurer, whole
from gendsl.diagnostics.model import GendslError
from gendsl.shape.dim import Dim
from gendsl.shape.tensor_type import Fin
from tests.triton_cuda import toy
from tests.triton_cuda.fake_cuda import FakeCuda, FakeMachine


def running(
    cuda: FakeCuda, name: str = "step", machine: type[FakeMachine] = FakeMachine
) -> Running:
    kernels = {"scale": cuda.kernel(toy.scale), "update": cuda.kernel(toy.update)}
    made = Running(toy.plan(name=name), kernels, machine(cuda))
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
    assert (cuda.captures, cuda.replays, cuda.launches) == (2, 6, 8)  # one graph for each inbox
    w, losses = toy.expected(6)
    found = collected(made)
    assert [number for number, _ in found] == list(range(6))
    assert [value for _, value in found] == pytest.approx(losses, rel=1e-5)
    assert made.carried()["w"] == pytest.approx([w], rel=1e-5)


SCHEDULES: tuple[tuple[int, ...], ...] = ((), (0,), (1,), (0, 1))  # eager: kernels, what is sent


class AtOnce(FakeMachine):
    """What is sent does not wait for those who read what was sent before."""

    def send(self, target: torch.Tensor, source: torch.Tensor, after: Any) -> Any:
        return super().send(target, source, self.began)

    def mark(self) -> Any:
        self.began = getattr(self, "began", None) or super().mark()
        return self.began


class Unawaited(FakeMachine):
    """Kernels do not wait for what is sent."""

    def send(self, target: torch.Tensor, source: torch.Tensor, after: Any) -> Any:
        waits, self._stream.wait_event = self._stream.wait_event, lambda event: None
        try:
            return super().send(target, source, after)
        finally:
            self._stream.wait_event = waits


def trained(eager: tuple[int, ...], name: str, machine: type[FakeMachine]) -> bool:
    """Whether ten steps, whose results are read when the outbox is full, come out right."""
    made = running(FakeCuda(eager=eager), name, machine)
    found: list[float] = []
    for number in range(10):
        if made.outbox.full:
            made.outbox.take(lambda _, arrays: found.append(float(arrays["loss"])))
        made.run(toy.fill(number), number)
    found += [value for _, value in collected(made)]
    return found == pytest.approx(toy.expected(10)[1], rel=1e-4)


@pytest.mark.parametrize("name", ["step", "function"])
def test_batches_arrive_in_every_order_that_events_allow(name: str) -> None:
    assert all(trained(eager, name, FakeMachine) for eager in SCHEDULES)


@pytest.mark.parametrize("name", ["step", "function"])
@pytest.mark.parametrize("machine", [AtOnce, Unawaited])
def test_a_missing_event_shows(machine: type[FakeMachine], name: str) -> None:
    assert not all(trained(eager, name, machine) for eager in SCHEDULES)


def test_a_batch_is_sent_while_the_step_before_is_under_way() -> None:
    cuda = FakeCuda(eager=(1,))
    made = running(cuda)
    for number in range(4):
        made.run(toy.fill(number), number)
    kernels, sent = cuda.streams
    before = kernels.clock
    made.run(toy.fill(4), 4)
    assert not sent.pending and made.blocks.views[0]["x"].tolist() == [4, 5, 6, 7, 8]
    assert kernels.pending and kernels.clock > before  # up to step 2, which had the same inbox
    assert made.blocks.views[1]["x"].tolist() == [3, 4, 5, 6, 7]


def test_inputs_that_do_not_fit_change_nothing() -> None:
    made = running(FakeCuda())

    def wrong(arrays: Mapping[str, np.ndarray[Any, Any]]) -> None:
        raise ValueError("of another shape")

    for number in range(3):
        with pytest.raises(ValueError, match="shape"):
            made.run(wrong, number)
        made.run(toy.fill(number), number)
    assert [value for _, value in collected(made)] == pytest.approx(toy.expected(3)[1], rel=1e-5)


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
    # 64 bytes of parameters and as many of results were there already; the inbox did not fit
    assert (caught.value.wanted, caught.value.free) == (bytes_of(big), 1128)
    assert bytes_of(big) >= 3 * 8000  # two inboxes and a temporary


def test_every_memory_starts_at_a_multiple_of_64() -> None:
    made = running(FakeCuda())
    blocks = made.blocks
    parts = (blocks.carried, *blocks.inboxes, blocks.outbox, blocks.arena)
    given = ["x", "host"]
    assert [list(part.memories) for part in parts] == [["w"], given, given, ["loss"], ["y"]]
    assert all(offset % 64 == 0 for part in parts for offset in part.offsets.values())
    for views in blocks.views:
        assert views["x"].shape == (5,)
        assert views["loss"].shape == ()
    assert len({views["x"].data_ptr() for views in blocks.views}) == 2


def looped(count: int) -> KernelPlan:
    """y = 0; `count` times y += index + 1; then w += y and the loss is y."""
    index = Memory("index", (1,), Fin(Dim.of(2**31 - 1)), "temporary", 64)
    memories = (
        toy.memory("w", (1,), "param"),
        toy.memory("y", (1,), "temporary"),
        index,
        toy.memory("loss", (), "output"),
    )
    return KernelPlan(
        name="looped",
        sizes={},
        launches=(
            Launch("clear", 1, ("y",), {}, 1, 1, ()),
            Repeat(count, "index", (Launch("add", 1, ("y", "index"), {}, 1, 1, ()),)),
            Launch("end", 1, ("w", "y", "loss"), {}, 1, 1, ()),
        ),
        memory={m.name: m for m in memories},
        arena_bytes=128,
        outputs={"loss": "loss"},
    )


@pytest.mark.parametrize(("count", "captures", "replays"), [(3, 1, 1), (300, 3, 302)])
def test_a_long_loop_is_a_graph_of_its_body(count: int, captures: int, replays: int) -> None:
    cuda = FakeCuda()

    def add(grid: int, y: torch.Tensor, index: torch.Tensor, **_: int) -> None:
        assert 0 <= int(index) < count, "an index that no loop has"
        y.add_(index + 1)
        index.add_(1)

    def end(grid: int, w: torch.Tensor, y: torch.Tensor, loss: torch.Tensor, **_: int) -> None:
        w.add_(y)
        loss.copy_(y[0])

    kernels = {
        "clear": cuda.kernel(lambda grid, y, **_: y.zero_()),
        "add": cuda.kernel(add),
        "end": cuda.kernel(end),
    }
    device = FakeMachine(cuda)
    made = Running(looped(count), kernels, device)
    made.load({"w": np.array([1.0])})
    index = made.blocks.views[0]["index"]
    index.fill_(10**6)  # what a task before it left there
    zero = index.zero_
    index.zero_ = lambda: cuda.enqueue(zero)  # type: ignore[method-assign]
    for number in range(2):
        made.run(lambda arrays: None, number)
    total = count * (count + 1) / 2
    assert [value for _, value in collected(made)] == [total, total]
    assert made.carried()["w"] == pytest.approx([1 + 2 * total])
    assert (cuda.captures, cuda.replays) == (captures, 2 * replays)


def test_the_first_run_takes_no_more_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a plan does not say cannot be refused with its estimate."""
    cuda = FakeCuda()
    made = running(cuda)

    def block(size: int) -> torch.Tensor:
        raise OutOfMemory(size, 0)

    monkeypatch.setattr(made._machine, "block", block)
    made.run(toy.fill(0), 0)
    assert made.carried()["w"] == pytest.approx([toy.expected(1)[0]], rel=1e-6)


def test_a_kernel_that_is_too_large_for_the_device() -> None:
    errors = pytest.importorskip("triton.runtime.errors")
    cuda = FakeCuda()

    class Kernel:
        def __getitem__(self, grid: tuple[int, ...]) -> Any:
            def launch(*arguments: Any, **constants: Any) -> None:
                raise errors.OutOfResources(122_880, 101_376, "shared memory")

            return launch

    made = Running(toy.plan(), {"scale": Kernel()}, FakeMachine(cuda))
    with pytest.raises(GendslError, match="E0905") as caught:
        made.run(toy.fill(0), 0)
    (said,) = caught.value.diagnostics
    assert "takes 122,880 of shared memory, and this device has 101,376" in said.message


def test_constants_of_the_interpreter() -> None:
    """It multiplies bfloat16 wrongly; a device does not need the detour."""
    assert Interpreted().constants({"PRECISION": "bf16"}) == {"PRECISION": "bf16_as_float32"}
    for given in ({"PRECISION": "tf32x3"}, {"BLOCK": 16}):
        assert Interpreted().constants(given) is given
    assert FakeMachine(FakeCuda()).constants({"PRECISION": "bf16"}) == {"PRECISION": "bf16"}


def test_a_step_by_the_clock_of_the_device() -> None:
    """The fake takes a microsecond for each launch."""
    cuda = FakeCuda()
    made = running(cuda)
    made.run(toy.fill(0), 0)
    device = made._machine
    assert isinstance(device, FakeMachine)
    assert whole(made, device) == pytest.approx(2e-6)
    assert measurer(made, device)(toy.plan().launches[0]) == pytest.approx(1e-6)  # type: ignore[arg-type]
    assert made.outbox.full is False and len(made.outbox) == 1  # nothing more was fetched
