"""What keeps kernels within their registers: warps, how deep products of chains are, and sums of
one product."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from backends.triton_cuda.emission import Emission
from backends.triton_cuda.emit import blocks, emit, warps
from backends.triton_cuda.index import Var
from backends.triton_cuda.tile import TaskText
from backends.triton_cuda.unit import Stage, counting
from benchmarks.aot import job_of
from gendsl.run.session import joint_graphs
from gendsl.shape.dim import Dim


def task(constants: dict[str, int], gathered: int = 0, precision: bool = True) -> TaskText:
    made = counting("some_task", "memory")
    return replace(made, constants=constants, gathered=gathered, precision=precision)


@pytest.mark.parametrize(
    ("constants", "expected"),
    [
        ({}, 1),
        ({"BLOCK": 16}, 1),
        ({"BLOCK": 16, "BLOCK_R": 16}, 2),
        ({"BLOCK": 16, "BLOCK_R": 64}, 4),
        ({"BLOCK": 1024}, 4),
        ({"BLOCK_M": 64, "BLOCK_N": 32, "BLOCK_K": 32}, 4),
        ({"BLOCK_M": 64, "BLOCK_N": 64, "BLOCK_K": 32}, 8),
    ],
)
def test_threads_have_16_bytes_to_read(constants: dict[str, int], expected: int) -> None:
    assert warps(Stage((task(constants),))) == expected
    assert warps(Stage((task(constants), task({"BLOCK": 1024})))) == max(expected, 4)


DEEP = {"BLOCK_M": 64, "BLOCK_N": 64, "BLOCK_K": 32, "BLOCK_K_2": 16, "BLOCK_R": 64}
SHALLOW = {**DEEP, "BLOCK_K": 16}


def test_crowded_chains_take_less_at_once() -> None:
    """Products that load, together, more than a thread has registers for the addresses of."""
    most = 127 * 32 * 8
    other = task({"BLOCK": 16, "BLOCK_R": 256}, most, precision=False)
    half, rest, more = task(DEEP, most // 2), task(DEEP, most // 2), task(DEEP, most // 2 + 1)
    calm = Stage((), ((half,), (other, rest)))
    assert all(blocks(t, calm) == t.constants for t in calm.all)
    crowded = Stage((more,), ((half,), (other, more)))
    assert blocks(half, crowded) == SHALLOW
    assert blocks(other, crowded) == other.constants
    beside = replace(more, name="another_task")
    assert blocks(beside, Stage((beside,), ((half,), (more,)))) == DEEP
    assert blocks(more, Stage((more, more))) == DEEP


def test_loads_of_loops_are_counted_once() -> None:
    size = Dim.name("B")
    writer = Emission({"B": 64}, ())
    block = writer.constant("BLOCK", 32)
    rows = Var("i", size, 0, 0, block)
    writer.load("x_ptr", rows, "x", "0.0")
    assert writer.gathered == 0
    saved = writer.open(0)
    columns = writer.ranged("k", size, 1, 1, "k_step", writer.constant("BLOCK_K", 16))
    for _ in range(2):
        writer.load("y_ptr", columns, "y", "0.0")
    writer.close(saved, 0, "for k_step in range(0, 4):")
    assert writer.gathered == 16


@pytest.mark.parametrize("program", ["gan", "wgan_gp"])
def test_a_sum_of_one_product_is_that_product(program: str) -> None:
    job = job_of(program)
    _, source = emit(joint_graphs(job)[0], job.sizes)
    assert not re.search(r"range\(0, tl\.cdiv\(1, BLOCK_K", source.text)
    assert "_dot(" in source.text
