"""Every shipped program's step, compiled with no pass and with all: the same results."""

from __future__ import annotations

import numpy as np
import pytest

from backends.torch_cpu import TARGET
from gendsl.ir.evaluate import input_key
from gendsl.ir.graph import reachable
from gendsl.ir.step import StepGraph
from gendsl.ops.leaf import Input
from gendsl.passes.joint import joint
from gendsl.passes.pipeline import select, transform_step
from tests.passes.test_programs import NOISE, PROGRAMS, program, sizes_of, values_for

Results = dict[str, np.ndarray]


class Run:
    """A program's step, compiled and loaded."""

    def __init__(self, step: StepGraph, name: str, passes: str, dtype: str) -> None:
        sizes = sizes_of(program(name))
        roots = [*step.metrics.values(), *step.updates.values()]
        values = values_for(program(name), roots)
        self.compiled = TARGET.compile_step(transform_step(step, select(passes)), sizes, dtype)
        rng = np.random.default_rng(1)
        self.start = {
            key: values[key]
            if key in values
            else rng.random([d.size(sizes) for d in node.type.shape])
            for key, node in step.updates.items()
        }
        kinds = {str(input_key(n)): n.op.kind for n in reachable(roots) if isinstance(n.op, Input)}
        self.batch = {k.partition(":")[2]: v for k, v in values.items() if kinds[k] == "data"}
        self.hypers = {
            k.partition(":")[2]: float(v) for k, v in values.items() if kinds[k] == "hyper"
        }
        self.compiled.load(self.start)

    def steps(self, *numbers: int) -> Results:
        """Metrics and carried values after these steps."""
        for number in numbers:
            self.compiled.run(self.batch, self.hypers, NOISE.at(number))
        found = self.compiled.metrics() | self.compiled.values()
        return {k: np.asarray(v) for k, v in found.items()}


def joint_step(name: str) -> StepGraph:
    analysis = program(name)
    assert analysis.graph is not None and analysis.interface is not None
    assert analysis.interface.recipe is not None
    return joint(analysis.graph, analysis.interface.recipe)


@pytest.mark.parametrize(("dtype", "bound"), [("float64", 1e-12), ("float32", 2e-4)])
@pytest.mark.parametrize("name", PROGRAMS)
def test_passes_change_no_result(name: str, dtype: str, bound: float) -> None:
    step = joint_step(name)
    plain, passed = (Run(step, name, passes, dtype).steps(0) for passes in ("none", "all"))
    for key, value in plain.items():
        scale = float(np.abs(value).max(initial=0.0)) + 1e-3
        assert np.abs(passed[key] - value).max(initial=0.0) <= bound * scale, key


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_resumed_step_is_the_same_to_the_bit(name: str) -> None:
    step = joint_step(name)
    unbroken = Run(step, name, "all", "float32").steps(0, 1, 2, 3)
    first = Run(step, name, "all", "float32")
    first.steps(0, 1)
    second = Run(step, name, "all", "float32")
    second.compiled.load(first.compiled.values())
    for key, value in second.steps(2, 3).items():
        assert np.array_equal(value, unbroken[key]), key
