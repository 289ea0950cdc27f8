"""Optimizers in place, by torch's fused kernels; and the order of memory of what they update.

In: the carried tensors of a step, and gradients by the parameters' paths. Always: a parameter, its
gradient and its slots lie in memory in the same order, since the kernels do not look at strides.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor


def channels_last(images: Tensor) -> Tensor:
    """The images in the order of memory that convolutions are fast on."""
    return images.contiguous(memory_format=torch.channels_last)


def in_order(tensor: Tensor) -> Tensor:
    """The tensor in the order of memory that parameters have: windows of convolutions with their
    channels last, as their gradients come, all others row by row."""
    if tensor.dim() == 4:
        return channels_last(tensor)
    return tensor if tensor.is_contiguous() else tensor.contiguous()


@dataclass(frozen=True)
class Columns:
    """What a fused kernel takes, of all parameters of a call: they, their slots one list a name,
    the tensor that counts updates once for each of them, and how many entries they have."""

    params: list[Tensor]
    slots: tuple[list[Tensor], ...]
    steps: list[Tensor]
    entries: int


class Cells(dict[str, Tensor]):
    """Carried tensors by path. `columns` keeps the lists that fused kernels take from one step to
    the next; a tensor that is replaced makes them stale."""

    def __init__(self, tensors: Mapping[str, Tensor]) -> None:
        super().__init__(tensors)
        self.columns: dict[tuple[str, ...], Columns] = {}

    def __setitem__(self, key: str, tensor: Tensor) -> None:
        self.columns.clear()
        super().__setitem__(key, tensor)


# Fewer entries than this are updated faster by one thread: each tensor is a parallel loop of its
# own, and starting one costs 4 us (AMD Zen 5, 2 threads).
_ONE_THREAD = 65_536


def _columns(p: Cells, slot: Mapping[str, Tensor], names: Sequence[str], paths: Any) -> Columns:
    """The parameters at `paths` and their slots as lists."""
    key = (*names, *paths)
    found = p.columns.get(key)
    if found is None:
        params = [p[path] for path in paths]
        slots = tuple([slot[f"{name}:{path}"] for path in paths] for name in names)
        steps = [torch.zeros((), dtype=torch.float32)] * len(params)
        found = Columns(params, slots, steps, sum(t.numel() for t in params))
        p.columns[key] = found
    return found


def _apply(kernel: Callable[..., None], columns: Columns, *rest: Any, **options: Any) -> None:
    """The kernel on so many threads as are worth it."""
    threads = torch.get_num_threads()
    if threads == 1 or columns.entries >= _ONE_THREAD:
        kernel(columns.params, *rest, **options)
        return
    torch.set_num_threads(1)
    try:
        kernel(columns.params, *rest, **options)
    finally:
        torch.set_num_threads(threads)


def sgd_(
    p: Cells,
    slot: Mapping[str, Tensor],
    grads: Mapping[str, Tensor],
    *,
    lr: float,
    momentum: float,
    weight_decay: float,
    slots: Sequence[str] = ("m",),
) -> None:
    """SGD in place on the parameters that `grads` names, and on their slots."""
    columns = _columns(p, slot, slots if momentum else (), grads)
    ready = [in_order(g) for g in grads.values()]
    _apply(
        torch._fused_sgd_, columns, ready, columns.slots[0] if momentum else [],
        weight_decay=weight_decay,
        momentum=momentum, lr=lr, dampening=0.0, nesterov=False, maximize=False,
        is_first_step=False,
    )  # fmt: skip


def adam_(
    p: Cells,
    slot: Mapping[str, Tensor],
    grads: Mapping[str, Tensor],
    *,
    count: float,
    slots: Sequence[str] = ("m", "v"),
    kernel: Callable[..., None] = torch._fused_adam_,
    **options: float,
) -> None:
    """Adam in place on the parameters that `grads` names, and on their slots; `count` is the
    number of this update, from 1."""
    columns = _columns(p, slot, slots, grads)
    m, v = columns.slots
    ready = [in_order(g) for g in grads.values()]
    columns.steps[0].fill_(count)
    _apply(
        kernel, columns, ready, m, v, [], columns.steps, amsgrad=False, maximize=False, **options
    )


def adamw_(
    p: Cells, slot: Mapping[str, Tensor], grads: Mapping[str, Tensor], **options: Any
) -> None:
    """AdamW: as `adam_`, with weights shrunk in place of a decay in the gradient."""
    adam_(p, slot, grads, kernel=torch._fused_adamw_, **options)


def has_fused(rule: str) -> bool:
    """Whether an optimizer has an in-place kernel here."""
    return rule in ("sgd", "adam", "adamw")
