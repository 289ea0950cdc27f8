"""What `make setup` says on a machine that lacks something: one line, and what to do."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

PYTHON = """#!/bin/sh
case "$*" in
*version_info*) exit {version} ;;
-V) echo "Python 3.{minor}.0" ;;
*ensurepip*) exit {venv} ;;
*torch*) exit {import} ;;
-m\\ venv*) echo "reached the venv" >&2; exit 9 ;;
esac
"""


def setup(
    root: Path, tmp_path: Path, torch: str = "default", **answers: int
) -> subprocess.CompletedProcess[str]:
    """Run the set-up script with a Python that answers as told."""
    facts = {"version": 0, "minor": 11, "venv": 0, "import": 0} | answers
    fake = tmp_path / "python"
    fake.write_text(PYTHON.format(**facts))
    fake.chmod(0o755)
    (tmp_path / "constraints.txt").write_text("torch==2.13.0\n")
    words = ["bash", str(root / ".ci" / "setup"), str(fake), "env", torch, "train,dev"]
    return subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, timeout=30)


@pytest.mark.parametrize(
    ("torch", "answers", "wanted"),
    [
        ("default", {"version": 1, "minor": 9}, "is 3.9.0: name a newer one"),
        ("default", {"venv": 1}, "has no venv module: install it"),
        ("system", {"import": 1}, "has no torch"),
    ],
)
def test_one_clear_line(
    root: Path, tmp_path: Path, torch: str, answers: dict[str, int], wanted: str
) -> None:
    done = setup(root, tmp_path, torch, **answers)
    assert done.returncode == 1
    assert wanted in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert not (tmp_path / "env").exists()


def test_no_python(root: Path, tmp_path: Path) -> None:
    words = ["bash", str(root / ".ci" / "setup"), "no-such-python", "env", "default", "train"]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, timeout=30)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("make: there is no no-such-python: install Python 3.11")


def test_a_folder_that_is_no_environment_is_left_alone(root: Path, tmp_path: Path) -> None:
    (tmp_path / "env").mkdir()
    (tmp_path / "env" / "mine.txt").write_text("mine")
    done = setup(root, tmp_path)
    assert "is not a virtual environment" in done.stderr
    assert (tmp_path / "env" / "mine.txt").exists()


def test_a_sound_machine_gets_its_environment(root: Path, tmp_path: Path) -> None:
    assert "reached the venv" in setup(root, tmp_path).stderr
    assert "reached the venv" in setup(root, tmp_path, "system").stderr
    assert not (tmp_path / ".venv-constraints").exists()


def make(root: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["make", "--no-print-directory", *words],
        cwd=root,
        capture_output=True,
        text=True,
        timeout=30,
    )


def test_make_help_names_the_two_commands(root: Path) -> None:
    done = make(root, "help")
    assert done.returncode == 0
    assert done.stdout.index("make run") < done.stdout.index("make test")


def test_a_wrong_choice_of_torch(root: Path) -> None:
    done = make(root, "setup", "TORCH=gpu")
    assert done.returncode == 2
    assert "TORCH=gpu is not one of default, cuda, system" in done.stderr


def test_the_constraints_name_no_build(root: Path) -> None:
    pins = [
        line
        for line in (root / "constraints.txt").read_text().splitlines()
        if line and not line.startswith("#")
    ]
    assert "torch==2.13.0" in pins
    assert not [pin for pin in pins if "+" in pin]
