"""The memory of carried tensors that lie in a block; see `backends.torch_cpu.blocks`.

In: tensors by path. Out: the same values, each a view of one piece of memory. Always: the parts of
a unit lie side by side along its axis, so that `beside` shows them as one tensor.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from backends.torch_cpu.use import Block


def together(block: Block, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Copies of the block's tensors that lie as it says."""
    units = [torch.cat([tensors[path] for path in u.paths], u.axis) for u in block.units]
    memory = torch.cat([whole.reshape(-1) for whole in units])
    found: dict[str, Tensor] = {}
    start = 0
    for unit, whole in zip(block.units, units, strict=True):
        place = memory[start : start + whole.numel()].view(whole.shape)
        sizes = [tensors[path].shape[unit.axis] for path in unit.paths]
        found.update(zip(unit.paths, place.split(sizes, unit.axis), strict=True))
        start += whole.numel()
    return found


def beside(parts: Sequence[Tensor], axis: int) -> Tensor:
    """The tensor that shows the memory of `parts`, which lie side by side along an axis."""
    first = parts[0]
    strides, place, size = first.stride(), first.storage_offset(), 0
    for part in parts:
        alike = part.untyped_storage().data_ptr() == first.untyped_storage().data_ptr()
        if not alike or part.stride() != strides or part.storage_offset() != place:
            raise ValueError("the parts do not lie side by side")
        place += part.shape[axis] * strides[axis]
        size += part.shape[axis]
    shape = (*first.shape[:axis], size, *first.shape[axis + 1 :])
    return first.as_strided(shape, strides)
