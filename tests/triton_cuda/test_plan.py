"""Plans of kernels: launches per step, places of temporaries, addresses that undo reshapes, and the
same text for the same graph."""

from __future__ import annotations

from itertools import combinations

import pytest

from backends.common.arena import Life, arrange
from backends.triton_cuda.index import Flat, Num, Part, Var, ravel, size_text, unravel
from backends.triton_cuda.launch import ALIGNMENT, Launch
from benchmarks.gpu.ours import ours
from benchmarks.launches import BOUNDS, plan_of
from benchmarks.speed.workloads import WORKLOADS
from gendsl.shape.dim import ZERO, Dim

B, C, H, W, P = (Dim.name(name) for name in "BCHWP")


@pytest.mark.parametrize("path", BOUNDS)
def test_launches_per_step(path: str, request: pytest.FixtureRequest) -> None:
    plan = plan_of(str(request.config.rootpath / path))
    assert 0 < plan.launch_count <= BOUNDS[path]
    assert f"{plan.launch_count} launches" in str(plan)


def test_every_shipped_program_has_a_bound(request: pytest.FixtureRequest) -> None:
    shipped = (request.config.rootpath / "programs").glob("*.gml")
    assert {f"programs/{path.name}" for path in shipped} <= set(BOUNDS)


def test_samples_go_through_chains(request: pytest.FixtureRequest) -> None:
    """A launch does many tasks for each of 128 samples; the MLP's samples are rows of products."""
    plan = plan_of(str(request.config.rootpath / "programs/ddpm.gml"))
    long = [x for x in plan.launches if isinstance(x, Launch) and x.grid == plan.sizes["B"]]
    assert any(len(launch.tasks) >= 8 for launch in long)
    plan = plan_of(str(request.config.rootpath / "programs/vae.gml"))
    assert all(len(x.tasks) < 8 for x in plan.launches if isinstance(x, Launch))


def test_equal_graphs_have_equal_plans(request: pytest.FixtureRequest) -> None:
    path = str(request.config.rootpath / "programs/lsgan.gml")
    assert str(plan_of(path)) == str(plan_of(path))


def test_temporaries_alive_together_do_not_overlap() -> None:
    lives = [Life(f"t{i}", 37 * (i * i % 7 + 1), i, i + i % 4) for i in range(30)]
    offsets, size = arrange(lives)
    for life in lives:
        assert offsets[life.name] % ALIGNMENT == 0
        assert offsets[life.name] + life.bytes <= size
    for a, b in combinations(lives, 2):
        if a.first <= b.last and b.first <= a.last:
            low, high = sorted((a, b), key=lambda x: offsets[x.name])
            assert offsets[low.name] + low.bytes <= offsets[high.name]
    alive = [sum(x.bytes for x in lives if x.first <= t <= x.last) for t in range(34)]
    assert size <= 1.25 * max(alive) + ALIGNMENT * 4


def test_a_chain_of_reshapes_is_one_address() -> None:
    i = Var("i", B * C * H * W, 0, 0)
    at = unravel(i, (B, C, H, W))
    assert ravel((B, C, H, W), at) == i
    inner = unravel(ravel((B, C, H, W), at), (B * C, H * W))
    assert ravel((B * C, H * W), inner) == i
    assert unravel(ravel((B * C, H * W), inner), (B, C, H, W)) == at


def test_a_place_of_rows_and_columns_splits_between_them() -> None:
    b, d = Var("b", B, 0, 0), Var("d", C * H * W, 1, 0)
    at = unravel(ravel((B, C * H * W), (b, d)), (B, C, H, W))
    assert at[0] == b
    assert all(isinstance(part, Part) and part.base == d for part in at[1:])
    assert isinstance(ravel((B, C, H, W), at), Flat)
    assert unravel(Num(ZERO), (B, C)) == (Num(ZERO), Num(ZERO))


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (B * C, "B * C"),
        (H * 2 + 1, "2 * H + 1"),
        (H - 1, "H - 1"),
        (H * W * Dim.of(1), "H * W"),
    ],
)
def test_sizes_are_written_by_name(size: Dim, text: str) -> None:
    assert size_text(size) == text
    values = {"B": 3, "C": 2, "H": 8, "W": 4, "P": 2}
    assert eval(size_text(size), values) == size.size(values)


def test_exact_quotients_are_written_as_such() -> None:
    quotient = (H * W).divide(P * P)
    assert quotient is not None
    values = {"H": 8, "W": 4, "P": 2}
    assert eval(size_text(quotient), values) == 8


@pytest.mark.parametrize("name", WORKLOADS)
def test_no_program_has_the_work_of_many(name: str) -> None:
    """Products with many summands are divided: a multiprocessor does some TFLOP/s at best."""
    launches = ours(name, {}).plan.kernels
    each = {t.name: t.flops / t.programs for launch in launches for t in launch.tasks}
    assert max(each.values()) < 20e6, max(each, key=lambda task: each[task])
