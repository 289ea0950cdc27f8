"""A plan's kernels compiled by many processes at once, before the first launch.

In: a plan with its text, and what compute capability the device has. Out: nothing but what stands
in Triton's cache afterwards: the machine code of every kernel and, where Triton compiles one for a
kernel's signature, the launcher. A launch compiles what it does not find there, one kernel after
the other: what a worker cannot compile is compiled again there, and what is wrong is said there.
Workers are processes of their own (`python -m backends.triton_cuda.ahead`, the order on stdin), so
that nothing of the process that asks is started again in them.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version
from pathlib import Path
from typing import Any

from backends.triton_cuda import aot, loader
from backends.triton_cuda.launch import KernelPlan

Order = Mapping[str, Any]
_ROOT = Path(__file__).resolve().parents[2]
_FEW = 3  # kernels for which a process is not worth its start
_PATIENCE = 300.0  # seconds after which launches compile what is left


def compile_all(plan: KernelPlan, text: str, capability: int, launchers: bool = True) -> int:
    """Bring all kernels into Triton's cache, and give how many workers did it; 0 where they were
    there already or are few. `launchers`: compile these as well, for which a driver is needed."""
    units = list(aot.units(plan, text))
    stamp = _stamp([unit.key for unit in units], capability)
    workers = min(len(os.sched_getaffinity(0)), len(units) // _FEW)
    if workers < 2 or stamp.is_file():
        return 0
    orders = [
        {
            "name": plan.name,
            "text": text,
            "capability": capability,
            "launchers": launchers,
            "kernels": [_kernel(unit) for unit in units[number::workers]],
        }
        for number in range(workers)
    ]
    with ThreadPoolExecutor(workers) as pool:
        done = list(pool.map(_worked, orders))
    if all(done):
        _keep(stamp)
    return workers


def _kernel(unit: aot.Unit) -> Order:
    launch = unit.launch
    return {
        "kernel": launch.kernel,
        "types": dict(unit.types),
        "constants": dict(launch.constants),
        "warps": launch.warps,
        "stages": launch.stages,
    }


def _worked(order: Order) -> bool:
    """Whether a worker has compiled all of its order."""
    path = os.pathsep.join(filter(None, (str(_ROOT), os.environ.get("PYTHONPATH"))))
    try:
        done = subprocess.run(
            [sys.executable, "-m", "backends.triton_cuda.ahead"],
            input=json.dumps(order),
            env={**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            text=True,
            timeout=_PATIENCE,
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


def _stamp(keys: Sequence[str], capability: int) -> Path:
    """A file that is there when these kernels were compiled into the cache in use."""
    cache = os.environ.get("TRITON_CACHE_DIR", "")
    words = [*sorted(keys), version("triton"), str(capability), cache, sys.version]
    return loader.folder() / f"compiled-{loader.digest(' '.join(words))}"


def _keep(stamp: Path) -> None:
    try:
        stamp.parent.mkdir(parents=True, exist_ok=True)
        stamp.touch()
    except OSError:
        return  # the next process asks the workers again, which find everything in the cache


# ---- the worker --------------------------------------------------------------------------------


class Compiling:
    """What Triton asks its driver of a device in order to compile for it."""

    def __init__(self, capability: int) -> None:
        self._capability = capability

    def get_current_target(self) -> Any:
        from triton.backends.compiler import GPUTarget

        return GPUTarget("cuda", self._capability, 32)

    def get_current_device(self) -> int:
        return 0

    def get_current_stream(self, device: int) -> int:
        return 0


def compiled(order: Order) -> Iterator[Any]:
    """The kernels of an order, compiled by what a launch compiles with: under the same key."""
    import torch
    from triton.runtime import driver

    dtypes = {"*fp32": torch.float32, "*i32": torch.int32, "*i8": torch.int8}
    driver.set_active(Compiling(order["capability"]))
    kernels = loader.load(order["name"], order["text"])
    for wanted in order["kernels"]:
        yield kernels[wanted["kernel"]].warmup(
            *(dtypes[kind] for kind in wanted["types"].values()),
            grid=(1,),
            **wanted["constants"],
            num_warps=wanted["warps"],
            num_stages=wanted["stages"],
        )


def main() -> int:
    order = json.load(sys.stdin)
    found = list(compiled(order))
    if order["launchers"]:
        from triton.runtime import driver

        driver.reset_active()
        for made in found:
            driver.active.launcher_cls(made.src, made.metadata)
    return 0


if __name__ == "__main__":
    sys.exit(main())
