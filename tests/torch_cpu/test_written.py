"""Compiled plans kept between runs: hits, what an entry depends on, damage, places that fail."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from backends.torch_cpu import TARGET
from backends.torch_cpu import written as cache
from backends.torch_cpu.target import Step, TorchCpu
from gendsl.ir.step import StepGraph
from gendsl.noise import Noise
from gendsl.passes.joint import joint
from tests.joint.models import line, recipe
from tests.torch_cpu.test_step import GROUPS, SIZES, batch, start, vae


def step_graph(beta: str = "adam") -> StepGraph:
    return joint(vae(), recipe(line("neg_elbo", GROUPS, beta)))


def refuse(*args: object, **kwargs: object) -> cache.Written:
    raise AssertionError("the plan was written again")


def entries(folder: Path) -> list[Path]:
    return sorted(folder.glob("*"))


def one_step(step: Step) -> dict[str, np.ndarray]:
    graph = vae()
    step.load(start(graph, recipe(line("neg_elbo", GROUPS))))
    step.run({"x": batch(0)}, {"beta": 1.0}, Noise(0, "train"))
    return step.values()


def test_a_second_run_reads_what_the_first_wrote(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = TorchCpu(tmp_path)
    first = target.compile_step(step_graph(), SIZES)
    with monkeypatch.context() as patch:
        patch.setattr("backends.torch_cpu.target.write_out", refuse)
        second = target.compile_step(step_graph(), SIZES)
    assert second.source == first.source
    found = one_step(second)
    for key, value in one_step(first).items():
        assert np.array_equal(found[key], value)
    assert [path.suffix for path in entries(tmp_path)] == [".json"]


def test_entries_depend_on_graph_sizes_optimizer_and_compiler(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = TorchCpu(tmp_path)
    target.compile_step(step_graph(), SIZES)
    target.compile_step(step_graph(), {**SIZES, "B": 7})
    target.compile_step(step_graph("sgd"), SIZES)
    named = step_graph()
    named.builder.names[named.metrics["neg_elbo"]] = "total"
    target.compile_step(replace(named), SIZES)
    assert len(entries(tmp_path)) == 4
    monkeypatch.setattr(cache, "fingerprint", lambda: "another compiler")
    target.compile_step(step_graph(), SIZES)
    assert len(entries(tmp_path)) == 5


@pytest.mark.parametrize("damage", [b"", b"{}", b"x" * 70 + b"\n{}", b"\xff\xfe\n\x00"])
def test_a_damaged_entry_is_made_again_and_that_is_said(
    tmp_path: Path, damage: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    target = TorchCpu(tmp_path)
    first = target.compile_step(step_graph(), SIZES)
    (path,) = entries(tmp_path)
    whole = path.read_bytes()
    path.write_bytes(damage or whole[: len(whole) // 2])
    again = target.compile_step(step_graph(), SIZES)
    assert again.source == first.source
    assert "is damaged: made again" in capsys.readouterr().err
    assert path.read_bytes() == whole


def test_a_folder_that_cannot_be_written_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("not a folder")
    target = TorchCpu(blocked / "plans")
    assert target.compile_step(step_graph(), SIZES).source
    assert "compiled plan" in capsys.readouterr().err


def test_functions_are_kept_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    outputs = {"loss": vae().objectives["neg_elbo"].loss}
    target = TorchCpu(tmp_path)
    source = target.compile_function(outputs, SIZES).source
    monkeypatch.setattr("backends.torch_cpu.target.write_out", refuse)
    assert target.compile_function(outputs, SIZES).source == source


def test_old_entries_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache, "KEPT", 2)
    for size in range(1, 6):
        TorchCpu(tmp_path).compile_step(step_graph(), {**SIZES, "B": size})
    assert len(entries(tmp_path)) == 2


def test_nothing_is_kept_unless_asked() -> None:
    assert TARGET._plans is None
    assert TARGET.keeping_plans()._plans is not None
