"""`gendsl doctor` finds what is missing, says how to get it, and needs only the core itself."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from gendsl import doctor
from gendsl.__main__ import main


@pytest.fixture
def versions(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Installed packages by name, as doctor sees them."""
    table = {r.name: "99.0" for r in doctor.REQUIREMENTS if r.below is None}
    table |= {r.name: ".".join(map(str, r.least)) for r in doctor.REQUIREMENTS if r.below}
    monkeypatch.setattr(doctor, "_version", table.get)
    monkeypatch.setattr(doctor, "probe_torch", lambda: doctor.TorchFacts(threads=2))
    return table


def states() -> dict[str, str]:
    return {finding.name: finding.state for finding in doctor.examine()}


def test_all_is_well(versions: dict[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor"]) == 0
    out = capsys.readouterr().out
    assert "ready to check and to train" in out
    assert {"torch", "python", "digits", "gpu", "coqc"} <= set(states())


@pytest.mark.parametrize(
    ("package", "version", "state"),
    [
        ("torch", None, "missing"),
        ("torch", "2.1.0", "wrong"),
        ("torch", "2.6.0+cpu", "good"),
        ("lark", "2.0", "wrong"),
        ("lark", "1.2.2", "good"),
        ("pillow", None, "missing"),
        ("triton", None, "optional"),
    ],
)
def test_packages(
    versions: dict[str, str],
    package: str,
    version: str | None,
    state: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    if version is None:
        del versions[package]
    else:
        versions[package] = version
    assert states()[package] == state
    bad = state in ("missing", "wrong")
    assert main(["doctor"]) == int(bad)
    out = capsys.readouterr().out
    assert ("1 thing to fix" in out) is bad
    fixes = [f.fix for f in doctor.examine() if f.name == package and f.state != "good"]
    assert all(fixes), "no fix given"


def test_torch_that_does_not_import(
    versions: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = doctor.TorchFacts(problem="ImportError: libgomp.so.1")
    monkeypatch.setattr(doctor, "probe_torch", lambda: broken)
    found = [f for f in doctor.examine() if f.name == "torch" and f.state == "wrong"]
    assert len(found) == 1
    assert "libgomp" in found[0].text


def test_an_old_python(versions: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "LEAST_PYTHON", (4, 0))
    assert states()["python"] == "wrong"


def test_a_cache_that_cannot_be_written(
    versions: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.access", lambda *_: False)
    assert states()["cache"] == "wrong"


def test_json(versions: dict[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", "--format", "json"]) == 0
    found = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert {f["name"]: f["state"] for f in found} == states()


def test_it_runs_with_the_core_alone(root: Path, tmp_path: Path) -> None:
    """Without any package importable: not even numpy is needed to say that it is missing."""
    script = "import sys; from gendsl.__main__ import main; sys.exit(main(['doctor']))"
    done = subprocess.run(
        [sys.executable, "-S", "-c", script],
        cwd=root,
        env={"PYTHONPATH": str(root), "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 1, done.stderr
    assert "missing numpy" in done.stdout
    assert "internal error" not in done.stderr
