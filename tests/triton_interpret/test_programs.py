"""Every shipped program's kernels: values and gradients of the reference, training of the CPU."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from backends.torch_cpu import TARGET as CPU
from backends.triton_cuda import TARGET, lower
from backends.triton_cuda.compiled import Step
from gendsl.ir.evaluate import evaluate
from gendsl.ir.graph import Node, reachable
from gendsl.noise import Noise
from gendsl.ops.reduce import ArgMin
from tests.triton_interpret.small import ODD, PROGRAMS, SIZES, Small, inputs, small

Array = np.ndarray[Any, Any]
VALUE, GRADIENT = 2e-5, 2e-4  # of the largest entry, against float64
ROUNDING = 1e-6  # of the largest entry of any gradient
STEPS, PROGRAMS_OF_A_TASK = 10, 16

CASES = [pytest.param(n, kind, id=f"{n}-{kind}") for kind, names in SIZES.items() for n in names]


def test_no_program_is_left_out() -> None:
    assert {path.stem for path in PROGRAMS.glob("*.gml")} == set(ODD) == set(SIZES["ones"])


def follows_the_reference(program: Small) -> None:
    """Metrics and gradients of one step are those of the reference in double precision."""
    noise = Noise(0, "train", 4)
    outputs, values, batch = program.gradients(), program.values(), program.batch(4)
    given = inputs(values, batch, program.hypers, 4)
    expected = evaluate(list(outputs.values()), given, program.sizes, noise=noise)
    function = TARGET.compile_function(outputs, program.sizes)
    found = function.run(values, batch, program.hypers, noise)
    sizes = {
        key: float(np.max(np.abs(wanted), initial=0.0))
        for key, wanted in zip(outputs, expected, strict=True)
    }
    # A bias before a normalisation has no gradient but what rounding leaves of the others'.
    largest = max(size for key, size in sizes.items() if key.startswith("gradient"))
    for key, wanted in zip(outputs, expected, strict=True):
        error = float(np.max(np.abs(found[key] - wanted), initial=0.0))
        if key.startswith("gradient"):
            allowed = GRADIENT * sizes[key] + ROUNDING * largest
        else:
            allowed = VALUE * max(1e-6, sizes[key])
        assert error <= allowed, f"{key}: error {error:.2g} of {sizes[key]:.2g}, {largest:.2g}"


@pytest.mark.parametrize(("name", "kind"), CASES)
def test_values_and_gradients_are_those_of_the_reference(name: str, kind: str) -> None:
    follows_the_reference(small(name, kind))


@pytest.mark.parametrize(
    ("name", "kind"), [("conv_vae", "odd"), ("ddpm", "odd"), ("mae", "odd"), ("vq_vae", "wide")]
)
def test_gradients_of_weights_in_two_steps(
    name: str, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of each example, and their sum: at real sizes, for weights of few tiles."""
    program = small(name, kind)
    before = TARGET.compile_function(program.gradients(), program.sizes).plan
    for limit, value in (("_DEEP", 2), ("_LEAST", 1), ("_PARTS", range(2, 100))):
        monkeypatch.setattr(lower, limit, value)
    after = TARGET.compile_function(program.gradients(), program.sizes).plan
    assert after.launch_count > before.launch_count or after.arena_bytes > before.arena_bytes
    follows_the_reference(program)


@pytest.mark.parametrize("examples", [1, 7, 16, 33])
@pytest.mark.parametrize("name", ["vae", "conv_vae", "vq_vae_ema", "lsgan_ring"])
def test_any_number_of_examples(name: str, examples: int) -> None:
    """One, odd, a whole block of rows, and one more than two of them."""
    program = small(name)
    follows_the_reference(replace(program, sizes={**program.sizes, "B": examples}))


def trained(program: Small, target: Any, steps: int) -> tuple[list[dict[str, float]], Any]:
    compiled = target.compile_step(program.step, program.sizes)
    compiled.load(program.values())
    curve = []
    for number in range(steps):
        compiled.run(program.batch(number), program.hypers, Noise(0, "train", number))
        curve.append(compiled.metrics())
    return curve, compiled


@pytest.mark.parametrize("name", ["vae", "vq_vae", "lsgan", "ddpm"])
def test_ten_steps_are_those_of_the_cpu(name: str) -> None:
    program = small(name)
    assert program.sizes["B"] <= 8
    (ours, step), (theirs, _) = trained(program, TARGET, STEPS), trained(program, CPU, STEPS)
    assert isinstance(step, Step)
    tasks = [task for launch in step.plan.kernels for task in launch.tasks]
    assert max(task.programs for task in tasks) <= PROGRAMS_OF_A_TASK
    for number, (mine, other) in enumerate(zip(ours, theirs, strict=True)):
        for key, value in other.items():
            assert mine[key] == pytest.approx(value, rel=1e-4, abs=1e-6), (number, key)


@pytest.mark.parametrize("name", ODD)
def test_two_steps_of_the_optimizer(name: str) -> None:
    """Moments follow the gradients closely. Adam divides by their size, so a parameter whose
    gradient is rounding only may go either way: nearly all are equal, the others within a step."""
    program = small(name)
    (_, ours), (_, theirs) = trained(program, TARGET, 2), trained(program, CPU, 2)
    mine, wanted = ours.values(), theirs.values()
    assert mine.keys() == wanted.keys()
    largest = max(size(array) for key, array in wanted.items() if key.startswith("slot:m:"))
    for key, array in wanted.items():
        error, scale = np.abs(mine[key] - array), size(array)
        assert mine[key].shape == array.shape and mine[key].dtype == array.dtype
        if key.startswith("slot:m:"):
            assert size(error) <= 2e-3 * scale + ROUNDING * largest, key
        elif key.startswith("slot:"):
            assert size(error) <= 2e-3 * scale + (ROUNDING * largest) ** 2, key
        else:
            assert size(error) <= 0.05, key
            moment = wanted.get("slot:m:" + key.partition(":")[2])
            if moment is None or size(moment) > 100 * ROUNDING * largest:
                assert np.mean(error > 1e-5 * max(1.0, scale)) <= 0.05, key


def size(array: Array) -> float:
    """The largest magnitude."""
    return float(np.max(np.abs(array), initial=0.0))


@pytest.mark.parametrize("name", ["vq_vae", "vq_vae_ema"])
@pytest.mark.parametrize("kind", ["odd", "ones"])
def test_codes_are_exactly_those_of_the_cpu(name: str, kind: str) -> None:
    program, noise = small(name, kind), Noise(0, "train", 1)
    codes: dict[str, Node] = {
        f"codes {i}": node
        for i, node in enumerate(reachable(program.step.metrics.values()))
        if isinstance(node.op, ArgMin)
    }
    assert codes
    arguments = (program.values(), program.batch(1), program.hypers, noise)
    found, wanted = (
        target.compile_function(codes, program.sizes).run(*arguments) for target in (TARGET, CPU)
    )
    for key in codes:
        assert np.array_equal(found[key], wanted[key])
    # codes that start at draws with a small variance are all far away: one is the nearest
    several = (name, kind) == ("vq_vae", "odd")
    assert not several or len(np.unique(next(iter(wanted.values())))) > 1
