"""Evaluation, pictures and samplers of every shipped program: what the numpy reference computes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

from backends.torch_cpu import TARGET as CPU
from backends.triton_cuda import TARGET
from gendsl.ir.evaluate import evaluate
from gendsl.ir.graph import Node, SamplerGraph
from gendsl.noise import Noise
from gendsl.shape.tensor_type import Fin
from tests.triton_interpret.small import ODD, Small, inputs, small

Array = np.ndarray[Any, Any]
LOSS, PICTURE, SAMPLE = 2e-5, 1e-4, 1e-3  # of the largest entry
ROUNDING = 1e-7  # of the largest entry of any output
TIMES, MOMENTS = 7, 3  # moments of a diffusion, and how many of them a sampler visits
EXAMPLES = 3


def agree(
    program: Small,
    outputs: Mapping[str, Node],
    sizes: Mapping[str, int],
    batch: Mapping[str, Array],
    noise: Noise,
    tolerance: float,
) -> None:
    """The interpreter's results are those of the reference, and the CPU target's are."""
    values, hypers = program.values(), program.hypers
    given = inputs(values, batch, hypers, noise.step)
    expected = evaluate(list(outputs.values()), given, sizes, noise=noise)
    largest = max(float(np.max(np.abs(wanted), initial=0.0)) for wanted in expected)
    for target in (TARGET, CPU):
        found = target.compile_function(outputs, sizes).run(values, batch, hypers, noise)
        for key, wanted in zip(outputs, expected, strict=True):
            scale = max(1e-6, float(np.max(np.abs(wanted), initial=0.0)))
            assert found[key].shape == wanted.shape
            error = float(np.max(np.abs(found[key] - wanted), initial=0.0))
            allowed = tolerance * scale + ROUNDING * largest  # differences lose digits
            assert error <= allowed, (target.name, key, error, scale)


@pytest.mark.parametrize("examples", [1, 3])
@pytest.mark.parametrize("name", ODD)
def test_evaluation(name: str, examples: int) -> None:
    """Losses and terms of held-out examples; a last batch may have any number of them."""
    program = small(name)
    outputs = {}
    for objective in program.graph.objectives.values():
        outputs |= {f"{objective.name}.{term}": node for term, node in objective.terms.items()}
        outputs[objective.name] = objective.loss
    sizes = {**program.sizes, "B": examples}
    agree(program, outputs, sizes, program.batch(2, sizes), Noise(0, "eval"), LOSS)


SHOWN = [name for name in ODD if any(o.shows for o in small(name).graph.objectives.values())]


@pytest.mark.parametrize("name", SHOWN)
def test_pictures(name: str) -> None:
    program = small(name)
    outputs = {
        f"{objective.name}.{key}": show.node
        for objective in program.graph.objectives.values()
        for key, show in objective.shows.items()
    }
    sizes = {**program.sizes, "B": EXAMPLES}
    agree(program, outputs, sizes, program.batch(2, sizes), Noise(0, "eval"), PICTURE)


SAMPLED = [(name, sampler) for name in ODD for sampler in small(name).graph.samplers]


def arguments(sampler: SamplerGraph, sizes: Mapping[str, int]) -> dict[str, Array]:
    """Indices count up, numbers are the defaults or odd ones."""
    found: dict[str, Array] = {}
    for name, node in sampler.inputs.items():
        shape = [d.size(sizes) for d in node.type.shape]
        default = sampler.defaults.get(name)
        match node.type.elem:
            case Fin(bound):
                found[name] = np.arange(np.prod(shape, dtype=int)).reshape(shape)
                found[name] %= bound.size(sizes)
            case _:
                number = 0.7 if default is None or isinstance(default, str) else float(default)
                found[name] = np.full(shape, number, dtype=np.float32)
    return found


@pytest.mark.parametrize(("name", "sampler"), SAMPLED)
def test_samples(name: str, sampler: str) -> None:
    """Loops of few rounds: every round draws, and reads what the one before left."""
    program = small(name)
    wanted = program.graph.samplers[sampler]
    times = {**program.sizes, "T": TIMES} if "T" in program.sizes else program.sizes
    sizes = wanted.bound(times, EXAMPLES)
    if "S" in sizes:
        sizes["S"] = MOMENTS
    outputs = {key: show.node for key, show in wanted.outputs.items()}
    batch = arguments(wanted, sizes)
    agree(program, outputs, sizes, batch, Noise(0, "sample"), SAMPLE)
