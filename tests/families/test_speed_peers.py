"""The contenders of `python -m benchmarks.cpu` are the same models as our programs: two steps each
(the benchmark itself compares ten, and torch.compile and JAX too)."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from benchmarks.peers.speed.numpy_step import NumpyContender
from benchmarks.peers.speed.torch_step import TorchContender
from benchmarks.peers.speed.turns import Arrays, material
from benchmarks.speed import workloads
from benchmarks.speed.ours import Gendsl
from benchmarks.speed.report import Result
from benchmarks.speed.worker import OURS
from benchmarks.speed.workloads import WORKLOADS, write_material

STEPS = 2


@dataclass(frozen=True)
class Given:
    """A workload's material, our losses from it, and the flops of our plan."""

    name: str
    arrays: Arrays
    losses: list[list[float]]
    flops: int


@pytest.fixture(scope="module", params=WORKLOADS)
def given(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Given:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(workloads, "BATCHES", STEPS)
        path = tmp_path_factory.mktemp("material") / "start.npz"
        write_material(request.param, path)
    arrays = material(str(path))
    ours = Gendsl(request.param, arrays)
    losses = [ours.given_step(i) for i in range(STEPS)]
    return Given(request.param, arrays, losses, ours.compiled.plan.flops)


@pytest.mark.parametrize("contender", ["eager", "eager_fused"])
def test_torch_is_the_same_model(given: Given, contender: str) -> None:
    peer = TorchContender(given.name, contender, given.arrays)
    for step in range(STEPS):
        assert peer.given_step(step) == pytest.approx(given.losses[step], rel=1e-4)


def test_numpy_is_the_same_model(given: Given) -> None:
    if given.name != "mlp_vae":
        return
    peer = NumpyContender(given.arrays)
    for step in range(STEPS):
        assert peer.given_step(step) == pytest.approx(given.losses[step], rel=1e-4)


def test_the_work_is_what_the_table_says(given: Given) -> None:
    """A plan counts element-wise work too, and what a simpler form does twice."""
    assert 1.0 <= given.flops / 1e6 / WORKLOADS[given.name].mflop < 1.2


def test_every_workload_is_a_program() -> None:
    assert {path.stem for path in workloads.FOLDER.glob("*.gml")} == set(WORKLOADS)


def test_a_ratio_is_of_turns_in_the_same_round() -> None:
    """A slow phase that both see changes nothing, one quick moment of either next to nothing."""
    times = {OURS: (1.0, 2.0, 1.0, 0.5), "jax": (1.2, 2.4, 1.2, 1.2)}
    result = Result("mlp_vae", times, {}, 0.0, {})
    assert result.ratio("jax") == pytest.approx(1.2)
    assert result.minimum_ratio("jax") == pytest.approx(2.4)
    assert result.ratio("numpy") is None
    assert result.best(("jax", "numpy")) == pytest.approx(1.2)
