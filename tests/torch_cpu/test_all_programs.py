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


def results(step: StepGraph, name: str, passes: str, dtype: str) -> Results:
    """Metrics and carried values after one step."""
    analysis = program(name)
    roots = [*step.metrics.values(), *step.updates.values()]
    values = values_for(analysis, roots)
    sizes = sizes_of(analysis)
    compiled = TARGET.compile_step(transform_step(step, select(passes)), sizes, dtype)
    rng = np.random.default_rng(1)
    start = {
        key: values[key] if key in values else rng.random([d.size(sizes) for d in node.type.shape])
        for key, node in step.updates.items()
    }
    compiled.load(start)
    inputs = {str(input_key(n)): n for n in reachable(roots) if isinstance(n.op, Input)}
    batch = {k.partition(":")[2]: v for k, v in values.items() if inputs[k].op.kind == "data"}
    hypers = {
        k.partition(":")[2]: float(v) for k, v in values.items() if inputs[k].op.kind == "hyper"
    }
    compiled.run(batch, hypers, NOISE)
    return {k: np.asarray(v) for k, v in (compiled.metrics() | compiled.values()).items()}


@pytest.mark.parametrize(("dtype", "bound"), [("float64", 1e-12), ("float32", 2e-4)])
@pytest.mark.parametrize("name", PROGRAMS)
def test_passes_change_no_result(name: str, dtype: str, bound: float) -> None:
    analysis = program(name)
    assert analysis.graph is not None and analysis.interface is not None
    assert analysis.interface.recipe is not None
    step = joint(analysis.graph, analysis.interface.recipe)
    plain, passed = (results(step, name, passes, dtype) for passes in ("none", "all"))
    for key, value in plain.items():
        scale = float(np.abs(value).max(initial=0.0)) + 1e-3
        assert np.abs(passed[key] - value).max(initial=0.0) <= bound * scale, key
