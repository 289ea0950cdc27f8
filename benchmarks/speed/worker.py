"""Contenders as processes that take turns: one runs, the others wait for a line on stdin.

In: a workload and a contender's name. Out: a `Worker` that answers `check` and `time`, or the
reason why it cannot take part. Always: a contender's allocator settings, imports and compiled code
are in its own process, so that none can help or disturb another.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

TORCH = ("eager", "eager_fused", "compile", "compile_joint", "compile_max")
PEERS = (*TORCH, "jax", "numpy")
OURS = "gendsl"
MODULES: Mapping[str, str] = {
    OURS: "benchmarks.speed.ours",
    **dict.fromkeys(TORCH, "benchmarks.peers.speed.torch_step"),
    "jax": "benchmarks.peers.speed.jax_step",
    "numpy": "benchmarks.peers.speed.numpy_step",
}
ROOT = Path(__file__).parent.parent.parent


def environment(threads: int, cache: Path) -> dict[str, str]:
    """The same thread count for all; compiled code of torch goes to `cache`."""
    counts = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
    own = {**dict.fromkeys(counts, str(threads)), "TORCHINDUCTOR_CACHE_DIR": str(cache)}
    return {**os.environ, **own, "BENCH_STARTED": repr(time.time())}


def keep_to(threads: int) -> None:
    """This process and those that it starts run on so many processors."""
    allowed = sorted(os.sched_getaffinity(0))
    if threads > len(allowed):
        raise SystemExit(f"--threads {threads}: there are {len(allowed)} processors")
    os.sched_setaffinity(0, allowed[:threads])


class Broken(Exception):
    """A contender ended although it should not have."""


@dataclass
class Worker:
    """One contender; `absent` says why it takes no part, `first_step` is in seconds from the start
    of its process."""

    workload: str
    contender: str
    material: Path
    threads: int
    cache: Path
    absent: str = ""
    first_step: float = 0.0
    times: list[float] = field(default_factory=list)
    steps: int = 0

    def start(self) -> None:
        words = [self.workload, self.contender, str(self.material)]
        self.errors = (self.material.parent / f"{self.workload}-{self.contender}.err").open("w+")
        self.process = subprocess.Popen(
            [sys.executable, "-m", MODULES[self.contender], *words],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.errors,
            text=True,
            cwd=ROOT,
            env=environment(self.threads, self.cache),
        )
        answer = self._answer()
        self.absent = answer.get("unavailable", "")
        self.first_step = answer.get("first_step", 0.0)

    def losses(self) -> list[list[float]]:
        found: list[list[float]] = self._ask("check")["losses"]
        return found

    def turn(self, seconds: float) -> None:
        """Run for about so long; keeps the seconds per step."""
        if not self.steps:
            once = self._ask("time 3")["seconds"] / 3
            self.steps = max(3, min(1000, round(seconds / once)))
        self.times.append(self._ask(f"time {self.steps}")["seconds"] / self.steps)

    def stop(self) -> None:
        if self.process.poll() is None:
            self._tell("quit")
            self.process.wait(timeout=60)
        self.errors.close()

    def _ask(self, command: str) -> dict[str, Any]:
        self._tell(command)
        return self._answer()

    def _tell(self, command: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(command + "\n")
        self.process.stdin.flush()

    def _answer(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if line.startswith("{"):
                found: dict[str, Any] = json.loads(line)
                return found
        self.process.wait()
        self.errors.seek(0)
        tail = "".join(self.errors.readlines()[-12:])
        raise Broken(
            f"{self.workload}: {self.contender} ended with {self.process.returncode}\n{tail}"
        )
