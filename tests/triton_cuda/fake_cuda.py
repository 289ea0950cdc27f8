"""The few calls of `torch.cuda` that the target makes, on the processor.

What it models: work is enqueued on streams and done when somebody waits; a stream that is `eager`
does it as soon as its events let it, so that both orders of what no event orders can be tried;
under capture nothing is done and what is enqueued becomes part of the graph; a host that writes to
memory which an enqueued copy still has to read changes what arrives. What it does not: concurrency
inside a device.
"""

from __future__ import annotations

import gc
from collections import deque
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from backends.triton_cuda.machine import Cuda

Work = Callable[[], None]


class Stream:
    """`clock` is in microseconds: each piece of work takes one."""

    def __init__(self, eager: bool = False) -> None:
        self.pending: deque[Work] = deque()
        self.clock = 0
        self.eager = eager

    def enqueue(self, work: Work) -> None:
        self.pending.append(work)
        if self.eager:
            self.synchronize()

    def advance(self, clock: int) -> None:
        """Do all that was enqueued up to a place."""
        while self.clock < clock:
            work = self.pending.popleft()
            work()
            self.clock += 1

    def synchronize(self) -> None:
        self.advance(self.clock + len(self.pending))

    def wait_event(self, event: Event) -> None:
        stream, when = event.stream, event.when
        assert stream is not None
        self.enqueue(lambda: stream.advance(when))


class Graph:
    def __init__(self, cuda: FakeCuda) -> None:
        self.nodes: list[Work] = []
        self._cuda = cuda

    def replay(self) -> None:
        self._cuda.replays += 1
        for work in self.nodes:
            self._cuda.enqueue(work)


class Event:
    def __init__(self, cuda: FakeCuda) -> None:
        self._cuda = cuda
        self.stream: Stream | None = None
        self.when = 0

    def record(self, stream: Stream) -> None:
        assert stream is not self._cuda.capturing, "an event of a capture cannot be waited for"
        self.stream = stream
        self.when = stream.clock + len(stream.pending)

    def elapsed_time(self, later: Event) -> float:
        """In milliseconds."""
        return (later.when - self.when) / 1e3

    def synchronize(self) -> None:
        assert self.stream is not None
        self.stream.advance(self.when)


class FakeCuda:
    """Stands for the module `torch.cuda`. `eager`: the numbers of the streams that are, in the
    order in which they are made."""

    OutOfMemoryError = torch.OutOfMemoryError

    def __init__(self, *, refuses_capture: bool = False, eager: Collection[int] = ()) -> None:
        self._stack: list[Stream] = [Stream()]
        self.streams: list[Stream] = []
        self._eager = eager
        self._graph: Graph | None = None
        self._refuses = refuses_capture
        self.launches = self.replays = self.captures = 0
        self.Event = lambda enable_timing=False: Event(self)
        self.capturing: Stream | None = None

    def Stream(self) -> Stream:
        self.streams.append(Stream(len(self.streams) in self._eager))
        return self.streams[-1]

    def CUDAGraph(self) -> Graph:
        return Graph(self)

    @contextmanager
    def stream(self, stream: Stream) -> Iterator[None]:
        self._stack.append(stream)
        try:
            yield
        finally:
            self._stack.pop()

    @contextmanager
    def graph(self, graph: Graph, stream: Stream, capture_error_mode: str) -> Iterator[None]:
        assert not stream.pending, "work is under way on the stream that is to be captured"
        assert not gc.isenabled(), "a collection may record events on the stream"
        if self._refuses:
            raise RuntimeError("operation not permitted when stream is capturing")
        self._graph = graph
        self.captures += 1
        self.capturing = stream
        with self.stream(stream):
            yield
        self._graph = self.capturing = None

    def enqueue(self, work: Work) -> None:
        """What a kernel launch does: into the graph under capture, else into the stream."""
        if self._graph is not None:
            self._graph.nodes.append(work)
        else:
            self._stack[-1].enqueue(work)

    def empty_cache(self) -> None:
        pass

    def mem_get_info(self) -> tuple[int, int]:
        return 1000, 2000

    def kernel(self, run: Callable[..., None]) -> Any:
        """A kernel in Triton's calling convention: `kernel[grid](*arguments, **constants)`."""
        cuda = self

        class Kernel:
            def __getitem__(self, grid: tuple[int, ...]) -> Callable[..., None]:
                def launch(*arguments: Any, **constants: Any) -> None:
                    cuda.launches += 1
                    cuda.enqueue(lambda: run(grid[0], *arguments, **constants))

                return launch

        return Kernel()


class FakeMachine(Cuda):
    """The CUDA machine on a fake; its copies are enqueued as kernels are."""

    def __init__(self, cuda: FakeCuda) -> None:
        super().__init__(cuda, "cpu")
        self.fake = cuda

    def _transfer(self, target: Tensor, source: Tensor) -> None:
        self.fake.enqueue(lambda: target.copy_(source))
