"""The runtime on the interpreter: the toy plan's kernels are run for real."""

from __future__ import annotations

import pytest

from backends.triton_cuda import loader
from backends.triton_cuda.machine import Interpreted, here
from backends.triton_cuda.runtime import Running
from tests.triton_cuda import toy


def test_the_toy_plan() -> None:
    import numpy as np

    kernels = loader.load("toy", toy.TEXT)
    made = Running(toy.plan(), kernels, Interpreted())
    made.load({"w": np.array([2.0])})
    losses: list[float] = []
    for number in range(4):
        made.run(toy.fill(number), number)
        made.outbox.take(lambda _, arrays: losses.append(float(arrays["loss"])))
    w, wanted = toy.expected(4)
    assert losses == pytest.approx(wanted, rel=1e-5)
    assert made.carried()["w"] == pytest.approx([w], rel=1e-5)


def test_this_process_interprets() -> None:
    assert here().name == "interpreter"
