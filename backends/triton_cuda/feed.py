"""What the host writes before a run: data, arguments, numbers, draw keys, the step.

In: a plan, and per run the batch, hyperparameters and noise. Out: a function that writes them into
a mirror of the inbox. Always: every memory of the inbox is written in every run, since mirrors
alternate; key words, which only change with seed and stream, are made once for each.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from itertools import product
from typing import Any

import numpy as np

from backends.triton_cuda.host import numbers
from backends.triton_cuda.launch import KernelPlan, Memory
from gendsl.noise import Noise, draw_key

Array = np.ndarray[Any, Any]
Write = Callable[[Mapping[str, Array]], None]

_WORD = 0xFFFFFFFF


class Feed:
    """The inputs of one plan."""

    def __init__(self, plan: KernelPlan) -> None:
        self._given = [m for m in plan.memory.values() if m.role in ("data", "argument")]
        self._hypers = [m for m in plan.memory.values() if m.role == "hyper"]
        self._draws = plan.draws
        self._compute = numbers(plan.host, plan.sizes) if plan.host else None

    def writer(
        self, batch: Mapping[str, Array], hypers: Mapping[str, float], noise: Noise
    ) -> Write:
        """What writes the inputs of one run."""

        def write(arrays: Mapping[str, Array]) -> None:
            for memory in self._given:
                arrays[memory.name][...] = checked(memory, batch[memory.key.partition(":")[2]])
            for memory in self._hypers:
                arrays[memory.name][...] = hypers[memory.key.partition(":")[2]]
            if self._compute is not None:
                given = {f"hyper:{name}": float(value) for name, value in hypers.items()}
                arrays["host"][...] = self._compute({**given, "step:step": float(noise.step)})
            if "step" in arrays:
                low, high = noise.step & _WORD, noise.step >> 32
                arrays["step"][...] = _signed((low, high, noise.first_example))
            for draw in self._draws:
                arrays[draw.memory][...] = keys(noise.seed, noise.stream, draw.path, draw.loops)

        return write


def checked(memory: Memory, array: Any) -> Array:
    """The array, which must have the memory's shape."""
    found = np.asarray(array)
    if found.shape != memory.shape:
        raise ValueError(f"{memory.key} has shape {found.shape}, the plan wants {memory.shape}")
    return found


@lru_cache(maxsize=256)
def keys(seed: int, stream: str, path: str, loops: tuple[int, ...]) -> Array:
    """Key words as int32, by loop indices."""
    indices = product(*(range(extent) for extent in loops))
    words = [draw_key(seed, stream, path, index) for index in indices]
    return _signed(np.asarray(words).reshape(*loops, 2))


def _signed(words: Any) -> Array:
    """Words of 32 bits with the same bits as int32."""
    return np.asarray(words, dtype=np.uint32).view(np.int32)
