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


def test_a_metric_that_is_a_state_is_of_before_the_step() -> None:
    """As on the CPU, and although the state is updated in place."""
    import numpy as np

    from backends.torch_cpu import TARGET as CPU
    from backends.triton_cuda import TARGET
    from gendsl.ir.build import add, const
    from gendsl.ir.graph import Builder
    from gendsl.ir.step import StepGraph
    from gendsl.noise import Noise
    from gendsl.ops.leaf import Input

    build = Builder()
    s = build.apply(Input("state", "s", ()))
    step = StepGraph(build, {"seen": s}, {"state:s": add(build, s, const(build, 1))}, ())
    for target in (CPU, TARGET):
        made = target.compile_step(step, {})
        made.load({"state:s": np.float32(5.0)})
        for number in range(3):
            made.run({}, {}, Noise(0, "train", number))
        assert made.metrics() == {"seen": 7.0}
        assert made.values()["state:s"] == 8.0
    assert [found["seen"] for _, found in made.latest()] == [5.0, 6.0, 7.0]
