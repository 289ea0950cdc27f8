"""The way of a launch through Triton, up to the driver: a double of the driver takes its place.

What a device would be given is looked at: machine code, grid, stream and arguments. The code that
workers compiled ahead is found in the cache, since a launch asks for the same kernel, to the hash.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import pytest
import torch

from backends.triton_cuda import ahead, aot, loader
from backends.triton_cuda.launch import KernelPlan
from benchmarks import aot as report

triton = pytest.importorskip("triton")


class Utilities:
    """Of a device: what it has, and machine code loaded onto it."""

    def __init__(self) -> None:
        self.loaded: list[str] = []

    def get_device_properties(self, device: int) -> dict[str, int]:
        return {"max_shared_mem": 232448, "multiprocessor_count": 132}

    def load_binary(self, name: str, code: bytes, shared: int, device: int) -> tuple[Any, ...]:
        assert code[:4] == b"\x7fELF" and shared <= 232448
        self.loaded.append(name)
        return object(), name, 0, 0, 1024


class Driver:
    """Stands for Triton's driver of a machine with an H100."""

    def __init__(self) -> None:
        self.utils = Utilities()
        self.launches: list[tuple[Any, ...]] = []
        driver = self

        class Launcher:
            def __init__(self, source: Any, metadata: Any) -> None:
                self.metadata = metadata

            def __call__(self, *given: Any) -> None:
                driver.launches.append((self.metadata, *given))

        self.launcher_cls = Launcher

    def get_current_target(self) -> Any:
        from triton.backends.compiler import GPUTarget

        return GPUTarget("cuda", 90, 32)

    def get_current_device(self) -> int:
        return 0

    def get_current_stream(self, device: int) -> int:
        return 77


@pytest.fixture
def driver(monkeypatch: pytest.MonkeyPatch) -> Driver:
    from triton.runtime import driver as active

    made = Driver()
    monkeypatch.setattr(active, "_active", made)
    return made


@pytest.fixture
def compiled(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[bool]]:
    """Whether each kernel that was asked for came from the cache."""
    from triton import knobs

    found: list[bool] = []
    with knobs.compilation.scope():
        knobs.compilation.listener = lambda *, cache_hit, **_: found.append(cache_hit)
        yield found


def made() -> tuple[KernelPlan, str]:
    plans = {name: (plan, text) for name, plan, text in report.plans("beta_vae")}
    return plans["step"]


def launch_all(plan: KernelPlan, text: str) -> None:
    """All launches of a plan as the runtime does them, over memory of the processor."""
    kernels = loader.load(plan.name, text)
    whole = torch.zeros(plan.arena_bytes + 64, dtype=torch.uint8)
    for launch in plan.kernels:
        views = [
            whole[:0].view({"*fp32": torch.float32, "*i32": torch.int32}.get(kind, torch.int8))
            for kind in aot.reader(plan, text)(launch).types.values()
        ]
        views = [torch.zeros(16, dtype=v.dtype) for v in views]
        kernels[launch.kernel][(launch.grid,)](
            *views, **launch.constants, num_warps=launch.warps, num_stages=launch.stages
        )


def test_launches_find_what_workers_compiled(
    driver: Driver, compiled: list[bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    plan, text = made()
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1})
    assert ahead.compile_all(plan, text, 90, launchers=False) == 2
    assert not compiled  # in other processes
    launch_all(plan, text)
    assert compiled == [True] * len(plan.kernels)
    assert driver.utils.loaded == [launch.kernel for launch in plan.kernels]
    assert ahead.compile_all(plan, text, 90, launchers=False) == 0  # nothing is left to do


def test_what_the_device_is_given(driver: Driver, compiled: list[bool]) -> None:
    plan, text = made()
    launch_all(plan, text)
    assert compiled == [False] * len(plan.kernels)
    for launch, (metadata, *given) in zip(plan.kernels, driver.launches, strict=True):
        assert (metadata.num_warps, metadata.num_stages) == (launch.warps, launch.stages)
        assert metadata.shared <= 232448 and metadata.global_scratch_size == 0
        assert not metadata.launch_cooperative_grid  # programs do not wait for each other
        assert given[:5] == [launch.grid, 1, 1, 77, launch.kernel]
        assert sum(isinstance(x, torch.Tensor) for x in given) == len(launch.arguments)


def test_a_worker_that_fails_leaves_it_to_the_launches(monkeypatch: pytest.MonkeyPatch) -> None:
    plan, text = made()
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1})
    broken = text.replace("tl.program_id(0)", "tl.no_such_function(0)")
    assert ahead.compile_all(plan, broken, 90, launchers=False) == 2
    assert ahead.compile_all(plan, broken, 90, launchers=False) == 2  # it is not taken as done
