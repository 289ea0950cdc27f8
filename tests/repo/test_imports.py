"""`gendsl check` starts fast because it imports little, and needs neither torch nor triton."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = ("torch", "triton", "PIL", "safetensors", "rich", "backends")

SCRIPT = """
import sys
from gendsl.__main__ import main
code = main(sys.argv[2:])
heavy = sorted({m.split(".")[0] for m in sys.modules} & set(sys.argv[1].split(",")))
sys.stderr.write("imported: " + ",".join(heavy))
sys.exit(code)
"""


def heavy_imports(root: Path, words: list[str], names: tuple[str, ...]) -> tuple[int, str]:
    """The exit code, and which of `names` a command imported."""
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, ",".join(names), *words],
        cwd=root,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert "imported: " in done.stderr, done.stderr
    return done.returncode, done.stderr.rpartition("imported: ")[2]


@pytest.mark.parametrize(
    "words",
    [
        ["check", "programs/vae.gml"],
        ["check", "programs/conv_vae.gml", "--format", "json"],
        ["check", "stdlib/gaussian.gml"],
        ["explain", "--list"],
        ["data", "list"],
    ],
    ids=" ".join,
)
def test_no_heavy_package_is_imported(root: Path, words: list[str]) -> None:
    code, heavy = heavy_imports(root, words, HEAVY)
    assert code in (0, 3)
    assert heavy == ""


def test_help_imports_almost_nothing(root: Path) -> None:
    code, heavy = heavy_imports(root, ["--help"], (*HEAVY, "numpy", "lark", "sympy", "mpmath"))
    assert (code, heavy) == (0, "")


def test_a_heavy_import_would_be_seen(root: Path) -> None:
    code, heavy = heavy_imports(root, ["--version"], ("argparse",))
    assert (code, heavy) == (0, "argparse")
