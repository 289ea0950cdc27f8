"""Optimizers in place, by torch's fused kernels; and the order of memory of what they update.

In: the carried tensors of a step, and gradients by the parameters' paths. Always: a parameter, its
gradient and its slots lie in memory in the same order, since the kernels do not look at strides.
Parameters that lie in one block are updated as one vector.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor

Kernel = Callable[..., None]
Grads = Mapping[str, Tensor]


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
    and the tensor that counts updates once for each of them; one vector stands for tensors that
    lie in one block. `places` is then where gradients are left for the kernel to find them, in
    `collected`, if they do not lie so themselves."""

    params: list[Tensor]
    slots: tuple[list[Tensor], ...]
    steps: list[Tensor]
    collected: list[Tensor]
    places: list[Tensor]

    @property
    def several(self) -> bool:
        """Whether more than one thread is worth it: each tensor is a parallel loop of its own, and
        starting one costs 4 us (AMD Zen 5, 2 threads), which is what 10,000 entries take."""
        entries: int = sum(t.numel() for t in self.params)
        return entries >= (16_384 if len(self.params) == 1 else 65_536)

    def ready(self, grads: Grads) -> list[Tensor]:
        """The gradients as the kernel takes them."""
        if not self.places:
            return [in_order(g) for g in grads.values()]
        for place, gradient in zip(self.places, grads.values(), strict=True):
            place.copy_(gradient)
        return self.collected


class Cells(dict[str, Tensor]):
    """Carried tensors by path. `columns` keeps the lists that fused kernels take from one step to
    the next; a tensor that is replaced makes them stale."""

    def __init__(self, tensors: Mapping[str, Tensor]) -> None:
        super().__init__(tensors)
        self.columns: dict[tuple[str, ...], Columns] = {}

    def __setitem__(self, key: str, tensor: Tensor) -> None:
        self.columns.clear()
        super().__setitem__(key, tensor)


def as_vectors(columns: Sequence[Sequence[Tensor]]) -> list[Tensor] | None:
    """One vector for each column of tensors, if those of each column fill one piece of memory, in
    the same places of it as those of the others; None if they do not."""
    starts = [min(tensors, key=Tensor.data_ptr) for tensors in columns]
    layouts = [
        [(t.data_ptr() - start.data_ptr(), t.shape, t.stride()) for t in tensors]
        for tensors, start in zip(columns, starts, strict=True)
    ]
    memories = [{t.untyped_storage().data_ptr() for t in tensors} for tensors in columns]
    size = sum(t.numel() for t in columns[0])
    end = max(offset + _extent(t) for (offset, *_), t in zip(layouts[0], columns[0], strict=True))
    alike = all(layout == layouts[0] for layout in layouts)
    if not alike or end != size * starts[0].element_size() or any(len(m) > 1 for m in memories):
        return None
    return [start.as_strided((size,), (1,)) for start in starts]


def _extent(tensor: Tensor) -> int:
    """Bytes from its first entry to the end of its last."""
    pairs = zip(tensor.shape, tensor.stride(), strict=True)
    entries: int = 1 + sum((size - 1) * stride for size, stride in pairs)
    return entries * int(tensor.element_size())


def _columns(p: Cells, slot: Mapping[str, Tensor], names: Sequence[str], paths: Any) -> Columns:
    """The parameters at `paths` and their slots as lists."""
    key = (*names, *paths)
    found = p.columns.get(key)
    if found is None:
        params = [p[path] for path in paths]
        slots = [[slot[f"{name}:{path}"] for path in paths] for name in names]
        found = p.columns[key] = _made(params, slots)
    return found


def _made(params: list[Tensor], slots: list[list[Tensor]]) -> Columns:
    count = torch.zeros((), dtype=torch.float32)
    vectors = as_vectors([params, *slots]) if len(params) > 1 else None
    if vectors is None:
        return Columns(params, tuple(slots), [count] * len(params), [], [])
    collected = torch.empty_like(vectors[0])
    base = min(t.storage_offset() for t in params)
    places = [collected.as_strided(t.shape, t.stride(), t.storage_offset() - base) for t in params]
    states = tuple([v] for v in vectors[1:])
    return Columns([vectors[0]], states, [count], [collected], places)


def _lasting(columns: Columns, p: Cells, grads: Grads) -> Callable[[], list[Tensor]]:
    """What gives the gradients as the kernel takes them, where they stay in their places."""
    if columns.places:
        vectors = as_vectors([[p[path] for path in grads], list(grads.values())])
        if vectors is None:
            return partial(columns.ready, grads)
        return lambda: vectors[1:]
    if all(in_order(g) is g for g in grads.values()):
        listed = list(grads.values())
        return lambda: listed
    return partial(columns.ready, grads)


def _apply(kernel: Kernel, several: bool, *columns: Any, **options: Any) -> None:
    """The kernel, on one thread unless `several`."""
    threads = torch.get_num_threads()
    if several or threads == 1:
        kernel(*columns, **options)
        return
    torch.set_num_threads(1)
    try:
        kernel(*columns, **options)
    finally:
        torch.set_num_threads(threads)


def _sgd(columns: Columns) -> Kernel:
    """The kernel as a function of gradients and numbers."""
    moved = columns.slots[0] if columns.slots else []
    return partial(_sgd_kernel, columns.several, columns.params, moved)


def _sgd_kernel(
    several: bool, params: list[Tensor], moved: list[Tensor], grads: list[Tensor], **options: float
) -> None:
    _apply(
        torch._fused_sgd_, several, params, grads, moved, dampening=0.0, nesterov=False,
        maximize=False, is_first_step=False, **options,
    )  # fmt: skip


def _adam(columns: Columns, kernel: Kernel) -> Kernel:
    """The kernel as a function of gradients and numbers."""
    several, params, steps, (m, v) = (
        columns.several, columns.params, columns.steps, columns.slots
    )  # fmt: skip

    def apply(grads: list[Tensor], *, count: float, **options: float) -> None:
        steps[0].fill_(count)
        _apply(
            kernel, several, params, grads, m, v, [], steps, amsgrad=False, maximize=False,
            **options,
        )  # fmt: skip

    return apply


# ---- rules: `sgd` and so on are bound to gradients that stay in their places, and give a function
# of the options that are not fixed; `sgd_` and so on update once.


def sgd(
    p: Cells,
    slot: Mapping[str, Tensor],
    grads: Grads,
    *,
    momentum: float,
    slots: Sequence[str] = ("m",),
    **fixed: float,
) -> Callable[..., None]:
    """SGD in place on the parameters that `grads` names, and on their slots."""
    columns = _columns(p, slot, slots if momentum else (), grads)
    apply, ready = partial(_sgd(columns), momentum=momentum, **fixed), _lasting(columns, p, grads)
    return lambda **options: apply(ready(), **options)


def sgd_(
    p: Cells,
    slot: Mapping[str, Tensor],
    grads: Grads,
    *,
    momentum: float,
    slots: Sequence[str] = ("m",),
    **options: float,
) -> None:
    columns = _columns(p, slot, slots if momentum else (), grads)
    _sgd(columns)(columns.ready(grads), momentum=momentum, **options)


def adam(
    p: Cells,
    slot: Mapping[str, Tensor],
    grads: Grads,
    *,
    slots: Sequence[str] = ("m", "v"),
    kernel: Kernel = torch._fused_adam_,
    **fixed: float,
) -> Callable[..., None]:
    """Adam in place on the parameters that `grads` names, and on their slots; the option `count` is
    the number of the update, from 1."""
    columns = _columns(p, slot, slots, grads)
    apply, ready = partial(_adam(columns, kernel), **fixed), _lasting(columns, p, grads)
    return lambda **options: apply(ready(), **options)


def adam_(
    p: Cells,
    slot: Mapping[str, Tensor],
    grads: Grads,
    *,
    slots: Sequence[str] = ("m", "v"),
    kernel: Kernel = torch._fused_adam_,
    **options: float,
) -> None:
    columns = _columns(p, slot, slots, grads)
    _adam(columns, kernel)(columns.ready(grads), **options)


def adamw(p: Cells, slot: Mapping[str, Tensor], grads: Grads, **fixed: Any) -> Callable[..., None]:
    """AdamW: as `adam`, with weights shrunk in place of a decay in the gradient."""
    return adam(p, slot, grads, kernel=torch._fused_adamw_, **fixed)


def adamw_(p: Cells, slot: Mapping[str, Tensor], grads: Grads, **options: Any) -> None:
    adam_(p, slot, grads, kernel=torch._fused_adamw_, **options)


def has_fused(rule: str) -> bool:
    """Whether an optimizer has an in-place kernel here."""
    return rule in ("sgd", "adam", "adamw")
