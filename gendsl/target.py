"""What a compilation target offers the rest of gendsl, and how targets are found.

A target turns nodes with bound sizes into an executable with readable source. Values cross this
boundary as numpy arrays by key (see `gendsl.ir.step`), so nothing here imports torch.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from gendsl.diagnostics.model import Diagnostic, GendslError, Label
from gendsl.ir.graph import Builder, Node, reachable
from gendsl.ir.op import Absent, Op
from gendsl.ir.step import StepGraph
from gendsl.ops.loop import Loop, LoopBody

if TYPE_CHECKING:
    import numpy as np

    from gendsl.noise import Noise

    Array = np.ndarray[Any, Any]


class CompiledStep(Protocol):
    """A training step that owns its parameters, slots, states and EMA weights. Its plan is text by
    `str`."""

    source: str

    @property
    def plan(self) -> object:
        """What is run, in which order, over which memory."""

    def load(self, values: Mapping[str, Array]) -> None:
        """Set every owned value by key (exactly the keys of `StepGraph.updates`)."""

    def run(self, batch: Mapping[str, Array], hypers: Mapping[str, float], noise: Noise) -> None:
        """One step at number `noise.step`; `batch` maps data field names to arrays."""

    def metrics(self) -> dict[str, float]:
        """Metrics of the last `run` (this waits for the device)."""

    def latest(self) -> Sequence[tuple[int, Mapping[str, float]]]:
        """Numbers and metrics of the steps that have become known since the last call, in order;
        this does not wait, so a device may be a few steps behind. `metrics` brings it up to date.
        """

    def values(self) -> dict[str, Array]:
        """Copies of every owned value by key."""


class CompiledFunction(Protocol):
    """Pure outputs by name: a sampler, an evaluation, a picture, initial values."""

    source: str

    def run(
        self,
        values: Mapping[str, Array],
        batch: Mapping[str, Array],
        hypers: Mapping[str, float],
        noise: Noise,
    ) -> dict[str, Array]:
        """`values` by "param:PATH" / "state:NAME"; `batch` by data field or argument name."""


class Target(Protocol):
    """A backend: `gendsl.targets` entry points, or the built-in names as fallback. `precisions`
    are the policies of `gendsl.precision` that it has."""

    name: str
    precisions: tuple[str, ...]

    def with_precision(self, precision: str) -> Target:
        """This target with products of one of its `precisions`."""

    def unavailable(self) -> str | None:
        """None when it can run here, else the reason, "; " and the fix (E0901)."""

    def compile_step(self, step: StepGraph, sizes: Mapping[str, int]) -> CompiledStep: ...

    def compile_function(
        self, outputs: Mapping[str, Node], sizes: Mapping[str, int]
    ) -> CompiledFunction: ...


def require_answers(target: str, roots: Iterable[Node], build: Builder | None = None) -> None:
    """Raise E0902 for each op below `roots` that `target` declares to be absent; `build` knows
    the places in the program."""
    found: dict[str, Diagnostic] = {}
    for node in reachable(roots):
        for op in _ops(node.op):
            answer = op.targets[target]
            if isinstance(answer, Absent) and op.name not in found:
                span = build.spans.get(node) if build else None
                found[op.name] = Diagnostic(
                    "E0902",
                    f"{target} has no code for `{op.name}`: {answer.reason}",
                    Label(span, "used here") if span else None,
                    help="run on another target, or write this with other operations",
                )
    if found:
        raise GendslError(*found.values())


def _ops(op: Op) -> Iterator[Op]:
    """The op, and for a loop those of its body."""
    yield op
    if isinstance(op, Loop):
        yield from _body_ops(op.body)


def _body_ops(body: LoopBody) -> Iterator[Op]:
    for instruction in body.instructions:
        yield from _ops(instruction.op)
