"""The benchmark on a GPU, without one: it says so, and a dry run keeps no times."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import cuda
from benchmarks.gpu import table
from benchmarks.gpu.device import Ceilings, Device


def benchmark(root: Path, *words: str) -> subprocess.CompletedProcess[str]:
    environment = {k: v for k, v in os.environ.items() if k != "TRITON_INTERPRET"}
    return subprocess.run(
        [sys.executable, "-m", "benchmarks.cuda", *words],
        cwd=root,
        env={**environment, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=300,
    )


def test_without_a_gpu_nothing_is_written(root: Path) -> None:
    before = table.PATH.read_bytes()
    done = benchmark(root)
    assert done.returncode == 1
    assert "no GPU is there" in done.stderr
    assert table.PATH.read_bytes() == before


def test_a_dry_run_keeps_no_times(monkeypatch: pytest.MonkeyPatch) -> None:
    made = table.Row("w", "float32", 7, 4_000_000, 2_000_000, 2e-7)
    made.times = {"gendsl": [3e-5], "eager": [5e-4]}
    made.absent = {"compile": "compiling takes minutes, which a dry run leaves out"}
    monkeypatch.setattr(cuda, "contest", lambda *_: made)
    chosen = argparse.Namespace(dry_run=True)
    text = cuda.tried(["w"], ("eager", "compile"), Device(forced_to_cpu=True), chosen)
    assert "Not measured" in text
    assert "| w | float32 | 7 | 4.0 | 2.0 | 2.0e-07 | - | - | - | - |" in text
    assert "- w, compile: compiling takes minutes" in text


def test_the_table() -> None:
    row = table.Row("w", "tf32", 7, 4_000_000, 2_000_000, 1e-6)
    row.times = {"gendsl": [3e-5, 2e-5, 2.5e-5], "eager": [5e-4], "compile": [1e-4]}
    row.absent = {"compile graph": "no time was left for it"}
    ceilings = Ceilings(4e12, 5e13, 4e14, 1e-6)
    text = table.text([row], "A card", ceilings, ("eager", "compile", "compile graph"))
    assert "| w | tf32 | 7 | 4.0 | 2.0 | 1.0e-06 | 0.5 | 25.0 | 500.0 (20.00) |" in text
    assert "- w, compile graph: no time was left for it" in text
    assert row.best_compiled == 4.0
    assert "20.0 x eager, 4.0 x the best compiled" in table.summary(row)
    assert "Not measured" in table.text([row], "", None, ())
