"""What is said when a plan does not fit the device: its own estimate, and a batch that fits.

In: how many bytes the plan takes at a batch size (a plan is made for each that is asked about), and
how many are free. Out: an error with both numbers (E0903). The same error is for a tensor with more
entries than the 32 bits of kernels' addresses number.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from math import prod

from backends.triton_cuda.blocks import CARRIED, INBOX, OUTBOX, bytes_of, group, places
from backends.triton_cuda.launch import KernelPlan
from gendsl.diagnostics.model import GendslError, fail
from gendsl.ir.graph import Node, reachable
from gendsl.ops.leaf import Input

PlanAt = Callable[[Mapping[str, int]], KernelPlan]

_ENTRIES = 2**31 - 1
_UNITS = ("bytes", "KiB", "MiB", "GiB", "TiB")


def readable(size: float) -> str:
    """`1.5 GiB`."""
    unit = 0
    while size >= 1024 and unit < len(_UNITS) - 1:
        size, unit = size / 1024, unit + 1
    return f"{size:.0f} {_UNITS[unit]}" if unit == 0 else f"{size:.1f} {_UNITS[unit]}"


def batch_name(roots: Iterable[Node]) -> str | None:
    """The size that is the first axis of the data: examples."""
    firsts: Counter[str] = Counter()
    for node in reachable(roots):
        if isinstance(node.op, Input) and node.op.kind == "data" and node.type.shape:
            firsts.update([str(name) for name in node.type.shape[0].names])
    return firsts.most_common(1)[0][0] if firsts else None


def largest(plan_at: PlanAt, sizes: Mapping[str, int], name: str, free: int) -> int | None:
    """The largest batch whose plan fits into `free` bytes, or one near it; None when not even 1
    does. Memory grows about linearly with the batch: the line through two plans is followed down,
    and only a plan that was made and fits counts."""

    def size(batch: int) -> int:
        return bytes_of(plan_at({**sizes, name: batch}))

    high = sizes[name]
    at_one, at_high = size(1), size(high)
    if at_one > free:
        return None
    slope = max(1.0, (at_high - at_one) / max(1, high - 1))
    batch = max(1, min(high, 1 + int((free - at_one) / slope)))
    while batch > 1 and size(batch) > free:
        batch = batch * 9 // 10
    return batch


def addressable(plan: KernelPlan) -> None:
    """E0903 if kernels cannot number the entries of a memory: they would read others."""
    for memory in plan.memory.values():
        entries = prod(memory.shape)
        if entries > _ENTRIES:
            raise fail(
                "E0903",
                f"`{memory.name}` of `{plan.name}` has {entries:,} entries, and kernels number "
                f"{_ENTRIES:,} at most",
                help="take a smaller batch, or make the model smaller (`--set NAME=VALUE`)",
            )


def does_not_fit(plan: KernelPlan, plan_at: PlanAt, name: str | None, free: int) -> GendslError:
    """E0903 with the plan's estimate, and what to do."""
    parts = {
        "parameters and optimizer state": places(group(plan, CARRIED))[1],
        "batches": plan.turns * places(group(plan, INBOX))[1] + places(group(plan, OUTBOX))[1],
        "temporaries": plan.arena_bytes,
    }
    listed = ", ".join(f"{what} {readable(size)}" for what, size in parts.items())
    found = None if name is None else largest(plan_at, plan.sizes, name, free)
    if found is None:
        help_ = "end other programs that use the device, or make the model smaller"
    else:
        help_ = f"a batch of {found:,} fits: `--set {name}={found}`"
    return fail(
        "E0903",
        f"`{plan.name}` takes {readable(bytes_of(plan))} of device memory ({listed}), and "
        f"{readable(free)} are free",
        help=help_,
    )
