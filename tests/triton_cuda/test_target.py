"""What the target says where it cannot run, and what works all the same."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from importlib import util
from pathlib import Path
from typing import Any

import pytest
import torch

from backends.triton_cuda import TARGET, target
from backends.triton_cuda.target import reads_tensors
from gendsl.__main__ import main
from gendsl.ir.build import exp, mul
from gendsl.ir.graph import Builder
from gendsl.noise import Noise
from gendsl.ops.leaf import Draw, Input
from gendsl.shape.dim import Dim


def without(monkeypatch: pytest.MonkeyPatch, missing: str) -> None:
    def find(name: str) -> Any:
        return None if name == missing else util.find_spec(name)

    monkeypatch.setattr(target, "find_spec", find)


@pytest.fixture(autouse=True)
def compiles(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TRITON_INTERPRET", raising=False)


@pytest.mark.parametrize("missing", ["torch", "triton"])
def test_a_missing_package(missing: str, monkeypatch: pytest.MonkeyPatch) -> None:
    without(monkeypatch, missing)
    said = TARGET.unavailable()
    assert said is not None
    what, _, fix = said.partition("; ")
    assert what.lower().endswith("torch is not installed" if missing == "torch" else "installed")
    assert "pip install" in fix


def test_what_is_missing_for_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.version, "cuda", None)
    assert "for the CPU only; install one with CUDA" in (TARGET.unavailable() or "")
    monkeypatch.setattr(torch.version, "cuda", "13.0")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert "sees no NVIDIA GPU; check `nvidia-smi`" in (TARGET.unavailable() or "")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda: "An old card")
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda: (7, 5))
    assert "An old card has compute capability 7.5; 8.0" in (TARGET.unavailable() or "")
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda: (9, 0))
    assert TARGET.unavailable() is None


def test_the_interpreter_is_a_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRITON_INTERPRET", "1")
    assert TARGET.unavailable() is None


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("run") / "vae"
    assert main(["run", "vae", "--steps", "1", "--out", str(folder)]) == 0
    return folder


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
@pytest.mark.parametrize("command", ["run", "sample", "eval"])
def test_without_a_gpu_one_error_and_nothing_written(
    command: str, run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    words = {
        "run": ["run", "vae", "--cuda"],
        "sample": ["sample", str(run), "--cuda", "--out", "picture.png"],
        "eval": ["eval", str(run), "--cuda"],
    }
    before = {p: p.read_bytes() for p in run.rglob("*") if p.is_file()}
    assert main(words[command]) == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.count("error[E0901]") == 1 and said.err.count("error[") == 1
    assert "= help: " in said.err
    assert list(tmp_path.iterdir()) == []
    assert before == {p: p.read_bytes() for p in run.rglob("*") if p.is_file()}


def test_a_run_of_the_gpu_is_sampled_on_the_cpu(run: Path, tmp_path: Path) -> None:
    manifest = run / "manifest.json"
    text = manifest.read_text()
    manifest.write_text(text.replace("gendsl run vae", "gendsl run vae --cuda"))
    try:
        words = ["sample", str(run), "--cpu", "--n", "2", "--out", str(tmp_path / "x.png")]
        assert main(words) == 0
    finally:
        manifest.write_text(text)


ALONE = """
import sys
sys.modules["torch"] = sys.modules["triton"] = None
from gendsl.__main__ import main
sys.exit(main(["run", "vae", "--emit", "triton"]))
"""


def test_source_needs_neither_torch_nor_triton(root: Path, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", ALONE],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(root)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert "@triton.jit" in done.stdout
    ast.parse(done.stdout)
    assert list(tmp_path.iterdir()) == []


def test_the_plan_is_the_targets_own(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "vae", "--cuda", "--emit", "plan"]) == 0
    text = capsys.readouterr().out
    assert text.startswith("kernel plan ") and " launches, " in text


def test_what_reads_no_tensor_is_the_hosts() -> None:
    build = Builder()
    shape = (Dim.name("N"),)
    rate = exp(build, build.apply(Input("hyper", "a")))
    drawn = mul(build, build.apply(Draw("init.w", "normal", shape)), rate)
    assert not reads_tensors([rate, drawn])
    assert reads_tensors([drawn, build.apply(Input("param", "w", shape))])
    made = TARGET.compile_function({"w": drawn}, {"N": 3})
    found = made.run({}, {}, {"a": 0.0}, Noise(3, "init"))["w"]
    wanted = Noise(3, "init").draw("init.w", "normal", (3,), dtype="float32")
    assert (found == wanted).all()
