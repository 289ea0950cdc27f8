"""Every shipped program's kernels: values and gradients of the reference, training of the CPU."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pytest

from backends.torch_cpu import TARGET as CPU
from backends.triton_cuda import TARGET
from backends.triton_cuda.compiled import Step
from gendsl.ir.evaluate import evaluate
from gendsl.ir.graph import Node, reachable
from gendsl.noise import Noise
from gendsl.ops.reduce import ArgMin
from tests.triton_interpret.small import SIZES, Small, small

Array = np.ndarray[Any, Any]
VALUE, GRADIENT = 2e-5, 2e-4  # of the largest entry, against float64
ROUNDING = 1e-6  # of the largest entry of any gradient


def given(program: Small, values: Mapping[str, Array], step: int) -> dict[str, Any]:
    """The inputs of the reference by key."""
    batch = {f"data:{k}": v for k, v in program.batch(step).items()}
    hypers = {f"hyper:{k}": v for k, v in program.hypers.items()}
    return {**values, **batch, **hypers, "step:step": float(step)}


# Minutes under the interpreter: a command of their own.
LONG = ("ddpm", "ddpm_unet", "mae")


def marked(names: Iterable[str]) -> list[Any]:
    return [pytest.param(n, marks=pytest.mark.long) if n in LONG else n for n in names]


@pytest.mark.parametrize("name", marked(SIZES))
def test_values_and_gradients_are_those_of_the_reference(name: str) -> None:
    program, noise = small(name), Noise(0, "train", 4)
    outputs, values = program.gradients(), program.values()
    expected = evaluate(
        list(outputs.values()), given(program, values, 4), program.sizes, noise=noise
    )
    function = TARGET.compile_function(outputs, program.sizes)
    found = function.run(values, program.batch(4), program.hypers, noise)
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


def trained(program: Small, target: Any, steps: int) -> tuple[list[dict[str, float]], Any]:
    compiled = target.compile_step(program.step, program.sizes)
    compiled.load(program.values())
    curve = []
    for number in range(steps):
        compiled.run(program.batch(number), program.hypers, Noise(0, "train", number))
        curve.append(compiled.metrics())
    return curve, compiled


@pytest.mark.parametrize("name", marked(["vae", "vq_vae", "lsgan", "ddpm"]))
def test_ten_steps_are_those_of_the_cpu(name: str) -> None:
    program = small(name)
    (ours, step), (theirs, _) = trained(program, TARGET, 10), trained(program, CPU, 10)
    assert isinstance(step, Step)
    assert max(launch.grid for launch in step.plan.kernels) <= 64
    for number, (mine, other) in enumerate(zip(ours, theirs, strict=True)):
        for key, value in other.items():
            assert mine[key] == pytest.approx(value, rel=1e-4, abs=1e-6), (number, key)


@pytest.mark.parametrize("name", ["vae", "gan", "vq_vae_ema"])
def test_two_steps_of_the_optimizer(name: str) -> None:
    """Slots follow the gradients closely. Adam divides by their size, so a parameter whose
    gradient is rounding only may go either way: nearly all are equal, the others within a step."""
    program = small(name)
    (_, ours), (_, theirs) = trained(program, TARGET, 2), trained(program, CPU, 2)
    mine = ours.values()
    for key, wanted in theirs.values().items():
        error = np.abs(mine[key] - wanted)
        scale = max(1e-9, float(np.max(np.abs(wanted), initial=0.0)))
        assert mine[key].shape == wanted.shape and mine[key].dtype == wanted.dtype
        if key.startswith("slot:"):
            assert np.max(error, initial=0.0) <= 2e-3 * scale, key
        else:
            assert np.max(error, initial=0.0) <= 0.05, key
            assert np.mean(error > 1e-5 * max(1.0, scale)) <= 0.05, key


@pytest.mark.parametrize("name", ["vq_vae", "vq_vae_ema"])
def test_codes_are_exactly_those_of_the_cpu(name: str) -> None:
    program, noise = small(name), Noise(0, "train", 1)
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
    assert name == "vq_vae_ema" or len(np.unique(next(iter(wanted.values())))) > 1


# Those without long loops, which take the interpreter minutes.
SAMPLED = [
    (name, sampler)
    for name in ("vae", "beta_vae", "conditional_vae", "gan", "lsgan", "lsgan_ring", "wgan_gp")
    for sampler in small(name).graph.samplers
]


@pytest.mark.parametrize(("name", "sampler"), SAMPLED)
def test_samples_are_those_of_the_cpu(name: str, sampler: str) -> None:
    program = small(name)
    wanted = program.graph.samplers[sampler]
    outputs = {key: show.node for key, show in wanted.outputs.items()}
    sizes = wanted.bound(program.sizes, 2)
    arguments = {
        node.op.key: np.ones([d.size(sizes) for d in node.type.shape], dtype=np.int64)
        for node in reachable(outputs.values())
        if getattr(node.op, "kind", "") == "argument"
    }
    run = (program.values(), arguments, program.hypers, Noise(0, "sample"))
    found, expected = (t.compile_function(outputs, sizes).run(*run) for t in (TARGET, CPU))
    for key, value in expected.items():
        scale = float(np.max(np.abs(value), initial=1e-6))
        assert np.max(np.abs(found[key] - value), initial=0.0) <= 1e-3 * scale, key
