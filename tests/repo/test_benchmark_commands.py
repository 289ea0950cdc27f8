"""The commands of `benchmarks` say what they do before they do it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import closed_forms, launches, ring
from benchmarks.__main__ import ALONE, EVERY


def test_help_of_the_whole_suite_starts_nothing(root: Path) -> None:
    done = benchmarks(root, "--help")
    assert done.returncode == 0 and "every comparison" in done.stdout


def benchmarks(root: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "benchmarks", *words]
    return subprocess.run(command, cwd=root, capture_output=True, text=True, timeout=60)


def test_one_alone_has_its_own_options(root: Path) -> None:
    done = benchmarks(root, "ring", "--help")
    assert done.returncode == 0 and "usage: python -m benchmarks.ring" in done.stdout
    for words in (["--rounds", "3"], ["rings"], ["ring", "--rounds"]):
        refused = benchmarks(root, *words)
        assert refused.returncode == 2 and "usage: python -m benchmarks" in refused.stderr


def test_each_that_can_be_named_is_there(root: Path) -> None:
    for name in (*EVERY, *ALONE):
        assert '__name__ == "__main__"' in (root / "benchmarks" / f"{name}.py").read_text()


@pytest.mark.parametrize("words", ["", "cpu --rounds 3"])
def test_make_bench_passes_its_words_on(root: Path, words: str) -> None:
    command = ["make", "--no-print-directory", "-n", "bench", f"ARGS={words}"]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, timeout=60)
    assert done.stdout.splitlines()[-1].split()[1:] == ["-m", "benchmarks", *words.split()]


@pytest.mark.parametrize("main", [closed_forms.main, launches.main, ring.main])
def test_help_is_not_read_as_work(main: object, capsys: pytest.CaptureFixture[str]) -> None:
    assert callable(main)
    with pytest.raises(SystemExit) as end:
        main(["--help"])
    assert end.value.code == 0 and "usage: python -m benchmarks." in capsys.readouterr().out


def test_a_program_that_is_also_a_workload_is_told_apart() -> None:
    labels = [launches.label(path) for path in launches.BOUNDS]
    assert len(set(labels)) == len(labels)
    assert {"ddpm", "ddpm (workload)", "mlp_vae"} <= set(labels)
