"""The wheel, installed elsewhere: only `gendsl` and `backends` appear, data files are found."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

# What the wheel is made from; the rest of the checkout is not copied.
SOURCES = ("gendsl", "backends", "grammar", "stdlib", "programs")
FILES = ("pyproject.toml", "README.md", "LICENSE")


def run(*words: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    environment = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")}
    return subprocess.run(
        [str(w) for w in words],
        cwd=cwd,
        env=environment,
        capture_output=True,
        text=True,
        timeout=180,
    )


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory, root: Path) -> Path:
    """Built from a copy, so that nothing is left behind in the checkout."""
    folder = tmp_path_factory.mktemp("wheel")
    for name in SOURCES:
        shutil.copytree(root / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in FILES:
        shutil.copy(root / name, folder / name)
    out = folder / "dist"
    script = "from hatchling.build import build_wheel; import sys; build_wheel(sys.argv[1])"
    out.mkdir()
    done = run(sys.executable, "-c", script, out, cwd=folder)
    assert done.returncode == 0, done.stderr
    (made,) = out.glob("*.whl")
    return made


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment that holds the wheel alone; the dependencies of this one are lent to it."""
    folder = tmp_path_factory.mktemp("env")
    done = run(sys.executable, "-m", "venv", "--without-pip", folder / "env", cwd=folder)
    assert done.returncode == 0, done.stderr
    python = folder / "env" / "bin" / "python"
    done = run(
        *(sys.executable, "-m", "pip", "--python", python, "install", "--no-deps", "--no-index"),
        *("--quiet", "--disable-pip-version-check", wheel),
        cwd=folder,
    )
    assert done.returncode == 0, done.stderr
    (site,) = (folder / "env").glob("lib/python*/site-packages")
    own = {path.name for path in site.iterdir()}
    assert {n for n in own if not n.endswith(".dist-info")} == {"gendsl", "backends"}
    # A line in a .pth file adds the folder, and not what .pth files in that folder would add: an
    # editable install of the checkout stays out.
    (site / "lent.pth").write_text(sysconfig.get_paths()["purelib"] + "\n")
    return folder / "env" / "bin" / "gendsl"


def test_the_wheel_holds_code_data_and_licences(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    assert {n.split("/")[0] for n in names if ".dist-info" not in n} == {"gendsl", "backends"}
    for wanted in (
        "gendsl/_data/grammar/gml.lark",
        "gendsl/_data/stdlib/gaussian.gml",
        "gendsl/_data/programs/vae.gml",
        "gendsl/data/bundled/digits.npz",
        "gendsl/data/bundled/LICENSE-digits.txt",
        "gendsl/py.typed",
    ):
        assert wanted in names
    assert any(n.endswith("licenses/LICENSE") for n in names)
    assert not [n for n in names if "test" in n or n.endswith((".pyc", ".ci"))]


def test_it_checks_a_shipped_program(installed: Path, tmp_path: Path) -> None:
    done = run(installed, "check", "vae", cwd=tmp_path)
    assert done.returncode in (0, 3), done.stderr
    assert "encoder(x: " in done.stdout
    assert "site-packages" in done.stdout.splitlines()[0]


def test_it_finds_its_data(installed: Path, tmp_path: Path) -> None:
    done = run(installed, "data", "verify", "digits", "fashion2k", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (0, "digits: sound\nfashion2k: sound\n"), done.stderr


def test_a_program_of_ones_own_imports_the_stdlib(installed: Path, tmp_path: Path) -> None:
    (tmp_path / "mine.gml").write_text(
        "import gaussian: kl_to_standard\n\n"
        "claims kl_to_standard(mu, logvar):\n"
        "    mine: kl_to_standard(mu, logvar) >= 0\n"
    )
    done = run(installed, "check", "mine.gml", "--format", "json", cwd=tmp_path)
    assert done.returncode in (0, 3), done.stdout + done.stderr
    assert '"graph_hash":null' in done.stdout


def test_the_targets_are_entry_points(installed: Path, tmp_path: Path) -> None:
    script = (
        "from importlib.metadata import entry_points;"
        "print(*sorted(p.name for p in entry_points(group='gendsl.targets')))"
    )
    done = run(installed.parent / "python", "-c", script, cwd=tmp_path)
    assert "torch_cpu" in done.stdout.split(), done.stderr
