"""The quick interpreter computes what Triton's own one computes, bit for bit."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import triton.language as tl
from triton.runtime import interpreter as of_triton

from backends.triton_cuda import TARGET
from backends.triton_cuda.interpreter import quick
from gendsl.noise import Noise
from tests.triton_interpret.small import small


@pytest.fixture(autouse=True)
def interpreter() -> None:
    """Triton's own, in this file."""


def trained(name: str) -> dict[str, np.ndarray[Any, Any]]:
    """Everything carried after two steps, and the metrics."""
    program = small(name)
    step = TARGET.compile_step(program.step, program.sizes)
    step.load(program.values())
    for number in range(2):
        step.run(program.batch(number), program.hypers, Noise(0, "train", number))
    return {**step.values(), **{k: np.asarray(v) for k, v in step.metrics().items()}}


@pytest.mark.parametrize("name", ["vae", "vq_vae"])
def test_the_same_bits(name: str) -> None:
    wanted = trained(name)
    with quick():
        found = trained(name)
    assert found.keys() == wanted.keys()
    for key, value in wanted.items():
        assert found[key].tobytes() == value.tobytes(), key


def test_nothing_stays() -> None:
    def state() -> list[object]:
        builder = of_triton.interpreter_builder
        types = (tl.block_type.__init__, tl.tensor.__init__)
        return [builder.options, of_triton._patch_lang, of_triton._get_np_dtype, *types]

    before = state()
    with quick():
        assert not any(a is b for a, b in zip(state(), before, strict=True))
    assert all(a is b for a, b in zip(state(), before, strict=True))
