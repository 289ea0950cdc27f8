"""The commands of `benchmarks` say what they do before they do it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import closed_forms, launches, ring


def test_help_of_the_whole_suite_starts_nothing(root: Path) -> None:
    command = [sys.executable, "-m", "benchmarks", "--help"]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0 and "every comparison" in done.stdout


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
