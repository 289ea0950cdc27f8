"""Where a plan runs: a CUDA device, or Triton's interpreter on the processor.

A machine gives blocks of bytes, mirrors of blocks in host memory, copies between them that return
a ticket to wait for, and a way to make a function that enqueues kernels into one that replays them.
Always: everything happens in the order in which it was asked for (one stream), but for what `send`
copies: that may come before things asked for earlier, after a mark, and is there for all that is
asked for later. The rest of the runtime does not know on which machine it runs.
"""

from __future__ import annotations

import gc
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from typing import Any, Protocol

import torch
from torch import Tensor

from backends.triton_cuda.notice import warn
from gendsl.diagnostics.model import fail

Ticket = Callable[[], None]
Replay = Callable[[], None]
Constants = Mapping[str, int | str]
Mark = Any  # a place in the order of what is asked for, which only the machine reads


class OutOfMemory(Exception):
    """A block does not fit; `free` bytes are left for one."""

    def __init__(self, wanted: int, free: int) -> None:
        super().__init__(f"{wanted} bytes wanted, {free} free")
        self.wanted, self.free = wanted, free


class Machine(Protocol):
    """See the module."""

    name: str

    def block(self, size: int) -> Tensor:
        """Zeroed bytes; raises `OutOfMemory`."""

    def mirror(self, size: int) -> Tensor:
        """Zeroed bytes of host memory that copies can go to and from while the host works on."""

    def copy(self, target: Tensor, source: Tensor) -> Ticket:
        """Copy bytes; the ticket returns once they are there."""

    def mark(self) -> Mark:
        """This place: after all that was asked for up to now."""

    def send(self, target: Tensor, source: Tensor, after: Mark) -> Ticket:
        """Copy bytes from a mirror, not before `after`, and before all that is asked for next."""

    def once(self, enqueue: Callable[[], None]) -> None:
        """Do what `enqueue` does, in its turn."""

    def record(self, enqueue: Callable[[], None]) -> Replay:
        """A function that does what `enqueue` does; `enqueue` may be called, or not."""

    def constants(self, given: Constants) -> Constants:
        """A launch's constants, as kernels on this machine take them."""


class Interpreted:
    """Triton's interpreter: blocks are tensors of the processor, everything is done at once."""

    name = "interpreter"

    def block(self, size: int) -> Tensor:
        return torch.zeros(size, dtype=torch.uint8)

    def mirror(self, size: int) -> Tensor:
        return torch.zeros(size, dtype=torch.uint8)

    def copy(self, target: Tensor, source: Tensor) -> Ticket:
        target.copy_(source)
        return _done

    def mark(self) -> Mark:
        return None

    def send(self, target: Tensor, source: Tensor, after: Mark) -> Ticket:
        return self.copy(target, source)

    def once(self, enqueue: Callable[[], None]) -> None:
        enqueue()

    def record(self, enqueue: Callable[[], None]) -> Replay:
        return enqueue

    def constants(self, given: Constants) -> Constants:
        """The interpreter multiplies the bits of bfloat16 instead of its numbers, so these are
        multiplied as float32. Products of TF32 operands are those of float32 here."""
        bf16 = given.get("PRECISION") == "bf16"
        return {**given, "PRECISION": "bf16_as_float32"} if bf16 else given


class Cuda:
    """The current CUDA device, on a stream of our own, and one for what is sent; `cuda` is the
    module `torch.cuda`."""

    name = "cuda"

    def __init__(self, cuda: Any = torch.cuda, device: str = "cuda") -> None:
        self._cuda = cuda
        self._device = device
        self._stream = cuda.Stream()
        self._sending = cuda.Stream()

    def block(self, size: int) -> Tensor:
        # The allocator's own block counts are left alone: what it caches is free for us as well.
        try:
            with self._cuda.stream(self._stream):
                return torch.zeros(size, dtype=torch.uint8, device=self._device)
        except self._cuda.OutOfMemoryError:
            self._cuda.empty_cache()
            raise OutOfMemory(size, self._cuda.mem_get_info()[0]) from None

    def mirror(self, size: int) -> Tensor:
        return torch.zeros(size, dtype=torch.uint8, pin_memory=self._device == "cuda")

    def copy(self, target: Tensor, source: Tensor) -> Ticket:
        with self._cuda.stream(self._stream):
            self._transfer(target, source)
            event = self._cuda.Event()
            event.record(self._stream)
        wait: Ticket = event.synchronize
        return wait

    def mark(self) -> Mark:
        event = self._cuda.Event()
        event.record(self._stream)
        return event

    def send(self, target: Tensor, source: Tensor, after: Mark) -> Ticket:
        with self._cuda.stream(self._sending):
            self._sending.wait_event(after)
            self._transfer(target, source)
            event = self._cuda.Event()
            event.record(self._sending)
        self._stream.wait_event(event)
        wait: Ticket = event.synchronize
        return wait

    def _transfer(self, target: Tensor, source: Tensor) -> None:
        target.copy_(source, non_blocking=True)

    def once(self, enqueue: Callable[[], None]) -> None:
        with self._cuda.stream(self._stream):
            enqueue()

    def record(self, enqueue: Callable[[], None]) -> Replay:
        """One graph launch in place of all that `enqueue` launches.

        `enqueue` is called once before (kernels are compiled and loaded then, which a capture does
        not allow) and once under capture (nothing runs). Where the capture fails, kernels are
        launched one by one, and a warning says so (W0901)."""
        self.once(enqueue)
        self._stream.synchronize()
        graph = self._cuda.CUDAGraph()
        try:
            # calls of other threads (a loader that pins memory) do not end the capture
            mode = "thread_local"
            with (
                self._cuda.stream(self._stream),  # left in order even if the capture cannot end
                _no_collection(),
                self._cuda.graph(graph, stream=self._stream, capture_error_mode=mode),
            ):
                enqueue()
        except RuntimeError as problem:
            reason = str(problem).strip().partition("\n")[0]
            warn(
                "W0901",
                f"the step could not be captured as one CUDA graph: {reason}",
                "end other programs that use the device, or bring the driver up to date",
            )
            return lambda: self.once(enqueue)

        def replay() -> None:
            with self._cuda.stream(self._stream):
                graph.replay()

        return replay

    def seconds(self, replay: Replay) -> float:
        """How long a replay takes, by the device's own clock."""
        start, end = (self._cuda.Event(enable_timing=True) for _ in range(2))
        start.record(self._stream)
        replay()
        end.record(self._stream)
        end.synchronize()
        return float(start.elapsed_time(end)) / 1e3

    def shared(self) -> int:
        """Bytes of shared memory that a program may take."""
        properties = self._cuda.get_device_properties(self._cuda.current_device())
        return int(properties.shared_memory_per_block_optin)

    def capability(self) -> int:
        """The compute capability: 90 for the H100."""
        major, minor = self._cuda.get_device_capability()
        return 10 * int(major) + int(minor)

    def constants(self, given: Constants) -> Constants:
        return given


@contextmanager
def _no_collection() -> Iterator[None]:
    """No garbage collection: memory of the host that is given back records an event on the stream
    that used it, and under capture that event would become part of the graph."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


def _done() -> None:
    """The ticket of a copy that is over."""


def interpreting() -> bool:
    """Whether this process runs Triton's interpreter (it asks once, when it is imported)."""
    return os.environ.get("TRITON_INTERPRET") == "1"


def here() -> Machine:
    """The machine that this process has. Raises E0901 when it has none."""
    if interpreting():
        return Interpreted()
    if not torch.cuda.is_available():
        raise fail("E0901", "cannot run on CUDA: torch sees no NVIDIA GPU")
    return _cuda()


@cache
def _cuda() -> Cuda:
    """One for the process: everything that runs there shares a stream, and so an order."""
    return Cuda()
