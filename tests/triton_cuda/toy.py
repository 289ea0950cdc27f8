"""A hand-written plan of two launches, with all roles of memory and the kernels in Triton.

The step: y = w x (a temporary), then w -= lr sum(y) and the loss is sum(y) + step.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

from backends.triton_cuda.launch import KernelPlan, Launch, Memory
from gendsl.shape.tensor_type import Real

SIZE = 5
REAL = Real()

TEXT = """import triton
import triton.language as tl


@triton.jit
def scale(x, w, y, N: tl.constexpr, BLOCK: tl.constexpr):
    i = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    tl.store(y + i, tl.load(x + i, mask=i < N) * tl.load(w), mask=i < N)


@triton.jit
def update(y, w, host, loss, N: tl.constexpr, BLOCK: tl.constexpr):
    i = tl.arange(0, BLOCK)
    total = tl.sum(tl.load(y + i, mask=i < N, other=0.0))
    tl.store(w, tl.load(w) - tl.load(host) * total)
    tl.store(loss, total + tl.load(host + 1))
"""


def memory(name: str, shape: tuple[int, ...], role: str, offset: int = 0) -> Memory:
    return Memory(name, shape, REAL, role, offset, f"{role}:{name}")


def plan(size: int = SIZE, name: str = "step") -> KernelPlan:
    memories = (
        memory("x", (size,), "data"),
        memory("w", (1,), "param"),
        memory("host", (2,), "host"),
        memory("y", (size,), "temporary"),
        memory("loss", (), "output"),
    )
    sizes = {"N": size}
    return KernelPlan(
        name=name,
        sizes=sizes,
        launches=(
            Launch("scale", -(-size // 4), ("x", "w", "y"), {"N": size, "BLOCK": 4}, 1, 1, ()),
            Launch("update", 1, ("y", "w", "host", "loss"), {"N": size, "BLOCK": 8}, 1, 1, ()),
        ),
        memory={m.name: m for m in memories},
        arena_bytes=-(-4 * size // 64) * 64,
        outputs={"loss": "loss"},
    )


def fill(number: int) -> Any:
    """What the host writes before run `number`."""

    def write(arrays: Mapping[str, np.ndarray[Any, Any]]) -> None:
        arrays["x"][...] = np.arange(SIZE) + number
        arrays["host"][...] = [0.1, number]

    return write


def expected(runs: int, w: float = 2.0) -> tuple[float, list[float]]:
    """The parameter after so many runs, and their losses."""
    losses = []
    for number in range(runs):
        total = float(np.sum(w * (np.arange(SIZE) + number)))
        losses.append(total + number)
        w -= 0.1 * total
    return w, losses


# The same kernels on tensors, for the fake of CUDA.
def scale(grid: int, x: torch.Tensor, w: torch.Tensor, y: torch.Tensor, **_: int) -> None:
    y.copy_(x * w)


def update(
    grid: int, y: torch.Tensor, w: torch.Tensor, host: torch.Tensor, loss: torch.Tensor, **_: int
) -> None:
    w.sub_(host[0] * y.sum())
    loss.copy_(y.sum() + host[1])
