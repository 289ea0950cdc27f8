"""Tiles of products: what a plan says of them, the table, the cache, and choosing by measuring."""

from __future__ import annotations

import json
import math
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from backends.triton_cuda import TARGET, aot, notice, tiles, timing
from backends.triton_cuda.aot import Facts
from backends.triton_cuda.emit import emit
from backends.triton_cuda.launch import KernelPlan, Launch, Product
from backends.triton_cuda.runtime import Running
from backends.triton_cuda.tiling import Tiling, as_written, candidates, products, retiled, tiled
from backends.triton_cuda.tune import fits, tune
from benchmarks.aot import job_of
from gendsl.__main__ import main
from gendsl.run.session import joint_graphs
from tests.triton_cuda import toy
from tests.triton_cuda.fake_cuda import FakeCuda, FakeMachine

GOOD = Facts(64, 0, 0, 1000, 4, 8, 8, 100)


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(notice, "_said", set())


@pytest.fixture(scope="module")
def plan() -> KernelPlan:
    job = job_of("autoencoder")
    return emit(joint_graphs(job)[0], job.sizes)[0]


# ---- what a plan says ------------------------------------------------------------------------


def test_products_of_a_plan(plan: KernelPlan) -> None:
    found = list(products(plan))
    assert len(found) >= 8
    assert len({p.key for _, _, p in found}) == len(found)
    for launch, number, product in found:
        m, n, k = product.tile
        assert [launch.constants[f"BLOCK_{x}__{number}"] for x in "MNK"] == [m, n, k]
        count = product.batch * -(-product.rows // m) * -(-product.columns // n)
        assert launch.tasks[number].programs == count
    first = found[0][2]  # relu(x w + b)
    assert (first.rows, first.columns, first.depth, first.batch) == (128, 256, 64, 1)


def test_a_launch_with_other_tiles(plan: KernelPlan) -> None:
    launch, number, product = next(products(plan))
    made = retiled(launch, {number: Tiling(16, 32, 64, 4, 2)})
    before = launch.tasks[number].programs
    assert made.tasks[number].programs == 8 * 8
    assert made.grid == launch.grid - before + 8 * 8
    assert [made.constants[f"BLOCK_{x}__{number}"] for x in "MNK"] == [16, 32, 64]
    assert (made.kernel, made.arguments) == (launch.kernel, launch.arguments)
    same = Tiling(*product.tile, launch.warps, launch.stages)
    assert retiled(launch, {number: same}) == launch


def test_the_key_is_of_text_sizes_and_precision() -> None:
    job = job_of("autoencoder")
    step = joint_graphs(job)[0]
    keys = [
        {p.key for _, _, p in products(emit(step, sizes, precision=precision)[0])}
        for sizes, precision in (
            (job.sizes, "float32"), ({**job.sizes, "B": 64}, "float32"), (job.sizes, "bf16"),
            (job.sizes, "float32"),
        )
    ]  # fmt: skip
    assert keys[0] == keys[3] and not keys[0] & keys[2]
    assert len(keys[0] & keys[1]) < len(keys[0])


def test_candidates() -> None:
    small = candidates(Product("k", 8, 24, 10, 1, (16, 32, 16)))
    assert {t.rows for t in small} == {16} and {t.depth for t in small} == {16}
    assert {t.columns for t in small} <= {16, 32}
    large = candidates(Product("k", 4096, 4096, 4096, 1, (64, 64, 32)))
    assert len(large) == 12 and len(set(large)) == 12
    assert all(t.rows * t.columns <= 8192 and t.warps in (4, 8) for t in large)
    assert large[0].rows * large[0].columns >= 4096  # large products want large tiles


# ---- the table -------------------------------------------------------------------------------


def test_the_shipped_table_answers_for_every_product(plan: KernelPlan) -> None:
    """It is what kernels are written with, so a first run needs neither tuning nor a file."""
    table = tiles.without_gpu()
    assert all(table(product) is not None for _, _, product in products(plan))
    assert tiled(plan, table) == tiled(plan, as_written) == plan


def test_rows_of_the_table() -> None:
    wide, any_ = Tiling(128, 64, 32, 8, 3), Tiling(64, 64, 32, 4, 3)
    rows = (
        tiles.Entry("NVIDIA H200", (128, 33, 17), wide),
        tiles.Entry("", (1, 1, 1), any_),
    )
    product = Product("k", 512, 512, 64, 1, (64, 64, 32))
    assert tiles.Tiles("NVIDIA H200", {}, rows)(product) == wide
    assert tiles.Tiles("NVIDIA A100", {}, rows)(product) == any_
    assert tiles.Tiles("NVIDIA H200", {}, rows)(replace(product, rows=64)) == any_
    cut = tiles.Tiles("", {}, rows)(replace(product, rows=20, columns=7))
    assert cut is not None and (cut.rows, cut.columns) == (32, 16)
    mine = Tiling(16, 16, 16, 4, 2)
    assert tiles.Tiles("", {"k": mine}, rows)(product) == mine
    assert tiles.Tiles("", {}, ())(product) is None


# ---- the cache -------------------------------------------------------------------------------


def test_choices_are_kept_for_each_gpu(tmp_path: Path) -> None:
    one, two = Tiling(16, 32, 64, 4, 2), Tiling(64, 64, 32, 8, 3)
    path = tiles.path_of("NVIDIA H200")
    assert path.parent == tmp_path / "gendsl" / "tiles" and path.name.startswith("nvidia-h200-")
    assert path != tiles.path_of("NVIDIA H100 80GB HBM3")
    assert tiles.read(path) == {}
    tiles.write(path, "NVIDIA H200", {"a": one})
    tiles.write(path, "NVIDIA H200", {"b": two})
    assert tiles.of_gpu("NVIDIA H200").chosen == {"a": one, "b": two}
    assert tiles.of_gpu("NVIDIA A100").chosen == {}
    assert [p.name for p in path.parent.iterdir()] == [path.name]  # nothing half written is left


ROW = {"tile": [64, 64, 32], "warps": 4, "stages": 3}
BAD_ROWS = (
    {"tile": [64, 64]},
    {"tile": [48, 64, 32]},
    {"warps": 5},
    {"stages": "3"},
    {"stages": 0},
)
BAD_FILES = (
    *("{", "[]", "{}", '{"format": "gendsl-tiles-0", "measured": {}}'),
    json.dumps({"format": tiles.FORMAT, "measured": []}),
    *(json.dumps({"format": tiles.FORMAT, "measured": {"a": ROW | bad}}) for bad in BAD_ROWS),
)


@pytest.mark.parametrize("content", BAD_FILES)
def test_a_bad_file_is_said_and_ignored(content: str, capsys: pytest.CaptureFixture[str]) -> None:
    path = tiles.path_of("G")
    path.parent.mkdir(parents=True)
    path.write_text(content)
    assert tiles.of_gpu("G").chosen == {}
    text = capsys.readouterr().err
    assert "warning[W0903]: tiles that were measured before are ignored" in text
    tiles.write(path, "G", {"a": Tiling(64, 64, 32, 8, 3)})  # and a new one takes its place
    assert len(tiles.read(path)) == 1


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_cannot_be_written_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    path = tiles.path_of("G")
    path.parent.mkdir(parents=True)
    path.parent.chmod(0o500)
    tiles.write(path, "G", {})
    assert "W0903" in capsys.readouterr().err


def test_a_file_in_place_of_the_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "gendsl").mkdir()
    (tmp_path / "gendsl" / "tiles").write_text("")
    tiles.write(tmp_path / "gendsl" / "tiles" / "g.json", "G", {})
    assert "not kept" in capsys.readouterr().err


# ---- choosing --------------------------------------------------------------------------------


def test_what_is_worth_measuring() -> None:
    assert fits(GOOD, 1000, True)
    for bad in (
        replace(GOOD, stack=8), replace(GOOD, local=1), replace(GOOD, shared=1001),
        replace(GOOD, tensor=0),
    ):  # fmt: skip
        assert not fits(bad, 1000, True)
    assert fits(replace(GOOD, tensor=0), 1000, False)


def area(launch: Launch) -> int:
    return sum(p.tile[0] * p.tile[1] for t in launch.tasks if (p := t.product) is not None)


def test_the_quickest_that_fits_is_chosen(plan: KernelPlan) -> None:
    """A made-up device on which small tiles are quick, where the smallest spill."""
    said: list[str] = []

    def compiled(launch: Launch) -> Facts:
        own = [p.tile for t in launch.tasks if (p := t.product) is not None]
        return replace(GOOD, stack=64) if any(m * n < 1024 for m, n, _ in own) else GOOD

    result = tune(plan, compiled, lambda launch: 1e-9 * area(launch), 10**5, said.append)
    assert result.pruned > 0 and result.measured > 0
    assert 0 < result.after < result.before
    assert len(said) == len({launch.kernel for launch, _, _ in products(plan)})
    made = tiled(plan, tiles.Tiles("", result.chosen, ()))
    kept = {p.key: p.tile for _, _, p in products(plan)}
    for _, _, product in products(made):
        small = product.tile[0] * product.tile[1]
        assert small >= 1024 or product.tile == kept[product.key]
        assert (product.tile != kept[product.key]) == (product.key in result.chosen)
    assert result.after == pytest.approx(sum(1e-9 * area(x) for x in made.kernels))


def test_chance_does_not_choose(plan: KernelPlan) -> None:
    clock = iter(range(10**6))
    result = tune(plan, lambda _: GOOD, lambda _: 1 + 1e-6 * (next(clock) % 3), 10**5, print)
    assert result.chosen == {} and result.measured > 20


def test_what_does_not_run_is_not_chosen(plan: KernelPlan) -> None:
    written = {launch.kernel: launch for launch in plan.kernels}

    def measure(launch: Launch) -> float:
        return 1.0 if launch == written[launch.kernel] else math.inf

    assert tune(plan, lambda _: GOOD, measure, 10**5, print).chosen == {}


def test_units_of_other_tiles_are_other_kernels(plan: KernelPlan) -> None:
    job = job_of("autoencoder")
    made, source = emit(joint_graphs(job)[0], job.sizes)
    read = aot.reader(made, source.text)
    launch, number, _ = next(products(made))
    other = retiled(launch, {number: Tiling(16, 32, 64, 4, 2)})
    assert read(launch).key != read(other).key
    assert read(launch).key == next(aot.units(made, source.text)).key


# ---- measuring -------------------------------------------------------------------------------


def test_a_launch_is_measured_in_a_graph() -> None:
    cuda = FakeCuda()
    device = FakeMachine(cuda)
    kernels = {"scale": cuda.kernel(toy.scale), "update": cuda.kernel(toy.update)}
    made = Running(toy.plan(), kernels, device)
    made.load({"w": np.array([2.0])})
    seconds = timing.measurer(made, device)(toy.plan().kernels[0])
    # the fake's clock counts what was enqueued: 20 launches in a replay
    assert seconds == pytest.approx(1e-6)
    assert cuda.captures == 1 and cuda.launches == 2 * timing.REPEATS
    assert cuda.replays == 1 + timing.ROUNDS


def test_the_flag_needs_a_gpu(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main(["run", "vae", "--tune"]) == 2
    assert "`--tune` measures kernels on a GPU" in capsys.readouterr().err
    assert main(["run", "vae", "--cuda", "--tune", "--emit", "plan"]) == 2


def test_the_target_keeps_what_was_measured(
    plan: KernelPlan, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Measuring itself aside: what it finds is in the plans of this run and of later ones."""
    import torch

    from backends.triton_cuda.compiled import Step
    from backends.triton_cuda.tune import Result

    monkeypatch.delenv("TRITON_INTERPRET", raising=False)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda: "NVIDIA H200")
    key = next(products(plan))[2].key
    mine = Tiling(16, 32, 64, 4, 2)
    monkeypatch.setattr(Step, "tuned", lambda self, say: Result({key: mine}, 1.0, 0.5, 1, 0))
    job = job_of("autoencoder")
    step = joint_graphs(job)[0]
    now = TARGET.keeping_plans().tuned(step, job.sizes, print)
    later = TARGET.keeping_plans()
    for target in (now, later):
        made = target.compile_step(step, job.sizes).plan
        assert next(products(made))[2].tile == (16, 32, 64)
    assert next(products(TARGET.compile_step(step, job.sizes).plan))[2].tile == (64, 64, 32)
    stored = json.loads(tiles.path_of("NVIDIA H200").read_text())
    assert stored["gpu"] == "NVIDIA H200" and list(stored["measured"]) == [key]
