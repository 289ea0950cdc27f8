"""The device under test: its clock, what it can do at best, and replaying work as a CUDA graph.

Without CUDA everything runs on the processor by its clock, so that the whole script can be tried
(`--dry-run`); such numbers are never written to a table.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median

import torch

Work = Callable[[], object]


@dataclass(frozen=True)
class Ceilings:
    """Bytes per second of a large copy, floating-point operations per second of a large product in
    float32 and in TF32, and seconds per node of a replayed graph."""

    bandwidth: float
    float32: float
    tf32: float
    node: float

    def floor(self, flops: float, size: float, policy: str) -> float:
        """Seconds that no step with so much arithmetic and traffic of main memory can beat."""
        rate = self.tf32 if policy == "tf32" else self.float32
        return max(flops / rate, size / self.bandwidth)


class Device:
    """`cuda` says whether there is a GPU. All tensors of contenders are made on `name`."""

    def __init__(self, forced_to_cpu: bool = False) -> None:
        self.cuda = torch.cuda.is_available() and not forced_to_cpu
        self.name = "cuda" if self.cuda else "cpu"
        self.title = torch.cuda.get_device_name(0) if self.cuda else "dry run on the CPU"

    def wait(self) -> None:
        if self.cuda:
            torch.cuda.synchronize()

    def seconds(self, work: Work, count: int) -> float:
        """Seconds per call in one turn of `count` calls, by the clock of the host: a step includes
        what the host does for it."""
        for _ in range(3 if self.cuda else 0):
            work()
        self.wait()
        began = time.perf_counter()
        for _ in range(count):
            work()
        self.wait()
        return (time.perf_counter() - began) / count

    def graph(self, work: Work) -> Work:
        """`work` as a replayed graph, captured after a warm-up on a stream of its own."""
        if not self.cuda:
            return work
        side = torch.cuda.Stream()
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            for _ in range(3):
                work()
        torch.cuda.current_stream().wait_stream(side)
        graph = torch.cuda.CUDAGraph()
        now = torch.cuda.current_stream()
        with torch.cuda.stream(now), torch.cuda.graph(graph, stream=side):
            work()  # where this fails, the outer context goes back to the stream of before
        replay: Work = graph.replay
        return replay

    def best(self, work: Work, count: int) -> float:
        return median(self.seconds(work, count) for _ in range(5))

    def ceilings(self) -> Ceilings:
        """Measured here and now; a few seconds."""
        side, long = (8192, 1 << 28) if self.cuda else (256, 1 << 20)
        x = torch.empty(long, device=self.name)
        y = torch.empty_like(x)
        bandwidth = 8 * long / self.best(lambda: y.copy_(x), 5)
        rates = {}
        for tf32 in (False, True):
            torch.backends.cuda.matmul.allow_tf32 = tf32
            a = torch.randn(side, side, device=self.name)
            rates[tf32] = 2 * side**3 / self.best(lambda a=a: a @ a, 3)
        torch.backends.cuda.matmul.allow_tf32 = False
        z = torch.zeros(1024, device=self.name)
        hundred = self.graph(lambda: [z.add_(1) for _ in range(100)])
        return Ceilings(bandwidth, rates[False], rates[True], self.best(hundred, 20) / 100)
