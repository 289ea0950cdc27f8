"""What a second run leaves out until its first step: tested by what is imported and called, not by
a clock."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from gendsl.__main__ import main
from gendsl.run import startup
from tests.run.making import tiny

# Says what is imported when the first step is about to be made, and that start-up is over by then.
# Whatever plans, emits, or reads programs raises in a run that finds all of it kept.
SCRIPT = """
import gc, os, sys, threading
import gendsl.ir.schedule as schedule
from gendsl.run import loop, startup

def made_again(*words, **more):
    raise AssertionError("a kept plan is made again")

def first(self, index, step=loop.Loop._step):
    sys.stderr.write("imported: " + ",".join(sorted(sys.modules)) + "\\n")
    assert startup._thread is None and gc.get_threshold() == before and gc.get_freeze_count()
    step(self, index)

before = gc.get_threshold()
loop.Loop._step = first
if sys.argv[1] == "kept":
    schedule.plan_step = schedule.make_plan = made_again
from gendsl.__main__ import main
code = main(sys.argv[2:])
assert gc.get_threshold() == before and not gc.get_freeze_count()
assert threading.active_count() == 1
sys.exit(code)
"""

# Reading, checking, lowering, differentiating, the graph passes, proving, and what they import.
NOT_AGAIN = (
    "gendsl.syntax.parse",
    "gendsl.core.from_syntax",
    "gendsl.lower",
    "gendsl.passes",
    "gendsl.prove",
    "lark",
    "mpmath",
    "sympy",
)
# Large packages that no step needs, or that are needed after the first one.
NEVER = ("PIL", "rich", "torch._dynamo", "torch._inductor", "triton")


def first_step(root: Path, words: list[str], cache: Path, how: str) -> set[str]:
    """Run; the modules that are imported when the first step is made."""
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, how, *words],
        cwd=root,
        env={**os.environ, "XDG_CACHE_HOME": str(cache)},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("imported: ")]
    return set(line.removeprefix("imported: ").split(","))


def within(modules: set[str], packages: tuple[str, ...]) -> list[str]:
    return [p for p in packages if any(m == p or m.startswith(f"{p}.") for m in modules)]


@pytest.mark.parametrize("name", ["vae", "tiny"])
def test_a_second_run_makes_nothing_again(name: str, root: Path, tmp_path: Path) -> None:
    program = str(tiny(tmp_path)) if name == "tiny" else name
    words = ["run", program, "--steps", "1", "--out"]
    new = first_step(root, [*words, str(tmp_path / "new")], tmp_path / "cache", "new")
    again = first_step(root, [*words, str(tmp_path / "again")], tmp_path / "cache", "kept")
    assert {"gendsl.passes", "gendsl.lower", "torch"} <= new  # what is listed is there to be found
    assert "torch" in again and within(again, NOT_AGAIN) == []
    assert within(new, NEVER) == within(again, NEVER) == []
    metrics = [(tmp_path / folder / "metrics.jsonl").read_bytes() for folder in ("new", "again")]
    assert metrics[0] == metrics[1]


# ---- the thread ------------------------------------------------------------------------------

LOADED = """
import sys
from pathlib import Path
from gendsl.run import startup
with startup.quick():
    startup.load()
    loading = startup._thread is not None
    startup.loaded()
    mapped = "libtorch_cpu.so" in Path("/proc/self/maps").read_text()
    assert "torch" not in sys.modules
    import torch
    assert float(torch.ones(3).sum()) == 3.0
print(loading, mapped)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the thread is for Linux")
def test_the_library_is_there_before_torch_is_imported(root: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", LOADED], cwd=root, capture_output=True, text=True, timeout=120
    )
    assert (done.returncode, done.stderr) == (0, "")
    if not any(
        (Path(p) / "torch/lib" / name).exists() for p in sys.path for name in startup.FOR_A_GPU
    ):
        assert done.stdout == "True True\n"


def fake_torch(folder: Path, library: bytes, source: str) -> Path:
    """A folder with a package `torch` that has such libraries and does such things."""
    (folder / "torch" / "lib").mkdir(parents=True)
    (folder / "torch" / "__init__.py").write_text(source)
    for name in startup.LIBRARIES:
        (folder / "torch" / "lib" / name).write_bytes(library)
    return folder


def test_a_broken_library_is_left_to_the_import(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What ends a run is what the import of torch says, whether the thread was there or not."""
    path = tiny(tmp_path)
    assert main(["run", str(path), "--steps", "1", "--out", str(tmp_path / "run")]) == 0
    fake = fake_torch(tmp_path / "fake", b"no library", "raise ImportError('libtorch is broken')")
    endings = []
    for switch in ("", "import gendsl.run.startup as s; s.load = lambda: None; "):
        done = subprocess.run(
            [
                *(sys.executable, "-c", f"{switch}from gendsl.__main__ import main; exit(main())"),
                *("run", str(path), "--steps", "1", "--out", str(tmp_path / "none")),
            ],
            cwd=root,
            env={**os.environ, "PYTHONPATH": str(fake)},
            capture_output=True,
            text=True,
            timeout=120,
        )
        endings.append((done.returncode, done.stdout, done.stderr))
    assert endings[0] == endings[1]
    assert endings[0][0] != 0 and "libtorch is broken" in endings[0][2]
    assert not (tmp_path / "none").exists()


def test_torch_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tiny(tmp_path)
    assert main(["run", str(path), "--steps", "1", "--out", str(tmp_path / "run")]) == 0
    monkeypatch.setattr("backends.torch_cpu.target.find_spec", lambda name: None)
    monkeypatch.setattr(startup, "find_spec", lambda name: None)
    monkeypatch.delitem(sys.modules, "torch", raising=False)
    capsys.readouterr()
    assert main(["run", str(path), "--steps", "1", "--out", str(tmp_path / "none")]) == 1
    assert "E0901" in capsys.readouterr().err
    assert not (tmp_path / "none").exists()


def test_a_build_for_a_gpu_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake = fake_torch(tmp_path, b"", "")
    monkeypatch.delitem(sys.modules, "torch", raising=False)
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.syspath_prepend(str(fake))
    assert startup._libraries() == fake / "torch" / "lib"
    (fake / "torch" / "lib" / "libtorch_cuda.so").touch()
    assert startup._libraries() is None
    (fake / "torch" / "lib" / "libtorch_cuda.so").unlink()
    (fake / "torch" / "lib" / startup.LIBRARIES[1]).unlink()
    assert startup._libraries() is None


def test_start_up_ends_with_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    before = gc.get_threshold()
    ended = threading.Event()
    monkeypatch.setattr(startup, "_libraries", lambda: Path("nowhere"))
    monkeypatch.setattr(startup, "_load", lambda folder: ended.set())
    with pytest.raises(ValueError), startup.quick():
        assert gc.get_threshold() == startup.SELDOM
        startup.load()
        raise ValueError
    assert ended.is_set() and startup._thread is None
    assert gc.get_threshold() == before and not gc.get_freeze_count()


def test_proofs_are_made_alone() -> None:
    """Claims have a limit of processor time, which the loading must not use up."""
    before = gc.get_threshold()
    with startup.quick():
        with startup.alone():
            assert startup._thread is None and gc.get_threshold() == before
        assert gc.get_threshold() == startup.SELDOM
