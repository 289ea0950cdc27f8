"""Resume: whatever the moment of the kill, the resumed run equals the unbroken one bit for bit."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import pytest

from backends.torch_cpu.target import TorchCpu
from gendsl.run import checkpoint, files, metrics, session
from gendsl.run.folder import RunFolder
from gendsl.run.loop import Loop
from gendsl.run.record import thread_counts
from gendsl.run.report import how_equal
from tests.run.making import codes, go, lasting, prepared, tiny

STEPS = 230  # checkpoints at 100, 200 and at the end, which is off every cadence


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    folder = tmp_path_factory.mktemp("unbroken")
    assert go(tiny(folder), folder / "run", steps=STEPS) == 0
    return lasting(folder / "run")


class Killed(BaseException):
    """Stands for the end of the process: nothing may catch it."""


@pytest.mark.parametrize("death", [2, 3, 5, 8])
@pytest.mark.parametrize("renamed", [False, True], ids=["before", "after"])
def test_dying_at_any_file(
    death: int,
    renamed: bool,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    unbroken: dict[str, bytes],
) -> None:
    """The process ends just before or just after the `death`-th file gets its name."""
    real, count = os.replace, 0

    def replace(source: Path, target: Path) -> None:
        nonlocal count
        count += 1
        if count == death and not renamed:
            raise Killed
        real(source, target)
        if count == death:
            raise Killed

    program = tiny(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(files.os, "replace", replace)
        with pytest.raises(Killed):
            go(program, tmp_path / "run", steps=STEPS)
    assert go(program, tmp_path / "run", steps=STEPS, resume=True) == 0
    assert lasting(tmp_path / "run") == unbroken


def test_slow_steps_are_saved_by_the_clock(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, unbroken: dict[str, bytes]
) -> None:
    """Each look at this clock is 5 s after the last one: a run that dies before step 100 goes on
    from a checkpoint that no step number asks for."""
    looks = 0

    def clock() -> float:
        nonlocal looks
        looks += 1
        if looks == 75:
            raise Killed
        return 5.0 * looks

    program, kept = tiny(tmp_path), tmp_path / "run" / "checkpoints"
    with monkeypatch.context() as patch:
        patch.setattr(session, "Loop", partial(Loop, clock=clock))
        with pytest.raises(Killed):
            go(program, tmp_path / "run", steps=STEPS)
    found = checkpoint.steps(kept)
    assert len(found) == checkpoint.KEPT and found[-1] < 75 and any(s % 10 for s in found)
    assert go(program, tmp_path / "run", steps=STEPS, resume=True) == 0
    assert lasting(tmp_path / "run") == unbroken


def test_sigkill_at_several_moments(tmp_path: Path) -> None:
    """Through the command line, in processes of their own, one run killed three times."""
    program, out = tiny(tmp_path), tmp_path / "run"
    command = [sys.executable, "-m", "gendsl", "run", str(program), "--out", str(out)]
    command += ["--steps", "2000", "--resume"]
    for lines in (20, 101, 180):  # lines of metrics.jsonl after which to kill
        with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
            wait_for_lines(out / "metrics.jsonl", lines, process)
            process.send_signal(signal.SIGKILL)
        assert process.returncode == -signal.SIGKILL
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "resumed" in done.stdout
    assert go(program, tmp_path / "unbroken", steps=2000) == 0
    assert lasting(out) == lasting(tmp_path / "unbroken")


def wait_for_lines(path: Path, lines: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 60
    while not path.exists() or path.read_bytes().count(b"\n") < lines:
        assert process.poll() is None, "the run ended before it got there"
        assert time.monotonic() < deadline, "the run did not get there"
        time.sleep(0.001)


def test_ctrl_c_saves_and_says_how_to_go_on(tmp_path: Path, unbroken: dict[str, bytes]) -> None:
    program, out = tiny(tmp_path), tmp_path / "run"
    command = [sys.executable, "-m", "gendsl", "run", str(program), "--out", str(out)]
    long = [*command, "--steps", "100000"]
    with subprocess.Popen(long, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        wait_for_lines(out / "metrics.jsonl", 8, process)
        process.send_signal(signal.SIGINT)
        output, errors = process.communicate(timeout=60)
    assert process.returncode == 130, errors
    assert b"--resume" in output
    step = json.loads((out / "manifest.json").read_text())["progress"]["step"]
    assert checkpoint.steps(out / "checkpoints")[-1] == step
    assert (out / "report.html").exists()
    if step <= STEPS:
        assert go(program, out, steps=STEPS, resume=True) == 0
        assert lasting(out) == unbroken


def test_extending_equals_a_longer_run(tmp_path: Path, unbroken: dict[str, bytes]) -> None:
    program = tiny(tmp_path)
    assert go(program, tmp_path / "run", steps=57) == 0
    assert any(r.final for r in metrics.read(tmp_path / "run" / "metrics.jsonl"))
    assert go(program, tmp_path / "run", steps=STEPS, resume=True) == 0
    found = lasting(tmp_path / "run")
    assert found == unbroken


def test_another_number_of_threads_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Only the order of sums depends on it: a run may go on, but nobody is told that it is as if
    unbroken."""
    program, out = tiny(tmp_path), tmp_path / "run"
    told = []
    for steps, threads in ((10, 3), (20, 3), (30, 5)):
        monkeypatch.setattr(TorchCpu, "threads", threads)
        assert go(program, out, steps=steps, resume=steps > 10) == 0
        told.append((out / "report.html").read_text())
        assert ("OMP_NUM_THREADS=3 keeps them" in capsys.readouterr().out) == (threads == 5)
    assert json.loads((out / "manifest.json").read_text())["threads"]["torch"] == [3, 5]
    for page in told[:2]:
        assert "bit for bit on the same kind of processor" in page and "and 3 threads (" in page
    assert "this one had 3, then 5 threads" in told[2] and "bit for bit" not in told[2]


@pytest.mark.parametrize(
    ("before", "now", "counts"),
    [
        ([3], 3, [3]),
        ([3], 5, [3, 5]),
        ([3, 5], 5, [3, 5]),
        ([3], None, [3, None]),  # it went on on a device without threads
        ([], None, []),
        ([], 3, [None, 3]),
        (None, 3, [None, 3]),  # of an older gendsl
        (None, None, [None]),
    ],
)
def test_threads_of_sessions(
    before: list[int] | None, now: int | None, counts: list[int | None], tmp_path: Path
) -> None:
    job, _ = prepared(tiny(tmp_path))
    then = {} if before is None else {"threads": {"torch": before}}
    job = replace(job, target=SimpleNamespace(threads=now))  # type: ignore[arg-type]
    assert thread_counts(job, then, 7) == counts
    assert thread_counts(job, then, 0) == thread_counts(job, None, 0) == ([now] if now else [])
    told = how_equal({"threads": {"torch": counts, "cores": 4}})
    assert ("bit for bit" in told) == (counts in ([3], []))
    assert ("unknown" in told) == (None in counts)


def test_a_finished_run_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    program = tiny(tmp_path)
    go(program, tmp_path / "run", steps=20)
    before = {p: p.stat().st_mtime_ns for p in (tmp_path / "run").rglob("*") if p.name != ".lock"}
    capsys.readouterr()
    assert go(program, tmp_path / "run", resume=True) == 0
    assert "is finished: 20 steps" in capsys.readouterr().out
    assert before == {p: p.stat().st_mtime_ns for p in before}


def test_resume_without_a_run_starts_one(tmp_path: Path) -> None:
    assert go(tiny(tmp_path), tmp_path / "run", steps=10, resume=True) == 0
    assert json.loads((tmp_path / "run" / "manifest.json").read_text())["finished"] is True


@pytest.mark.parametrize(
    ("options", "word"),
    [
        ({"seed": 1}, "the seed"),
        ({"settings": (("hidden", "9"),)}, "`hidden`"),
        ({"settings": (("weight", "2"),)}, "`weight`"),
        ({"settings": (("B", "16"),)}, "`B`"),
    ],
)
def test_another_run_is_refused(options: dict[str, object], word: str, tmp_path: Path) -> None:
    from gendsl.diagnostics.model import GendslError

    program = tiny(tmp_path)
    go(program, tmp_path / "run", steps=10)
    with pytest.raises(GendslError) as caught:
        go(program, tmp_path / "run", steps=20, resume=True, **options)
    (problem,) = caught.value.diagnostics
    assert problem.code == "E1045"
    assert len(problem.notes) == 1 and word in problem.notes[0]


def test_another_program_or_recipe_is_refused(tmp_path: Path) -> None:
    program = tiny(tmp_path)
    go(program, tmp_path / "run", steps=10)
    text = program.read_text()
    for old, new in (
        ("0.1 * eps", "0.2 * eps"),
        ("lr = 1e-2", "lr = 1e-3"),
        ("steps = 50", "steps = 60"),
    ):
        assert old in text
        program.write_text(text.replace(old, new))
        assert codes(program, tmp_path / "run", steps=20, resume=True) == ["E1045"]
    program.write_text(text + "\n# only a comment\n")
    assert go(program, tmp_path / "run", steps=20, resume=True) == 0


def test_broken_files_of_a_run(tmp_path: Path) -> None:
    program, out = tiny(tmp_path), tmp_path / "run"
    go(program, out, steps=110)
    newest = checkpoint.latest(out / "checkpoints")
    assert newest is not None
    whole = newest.read_bytes()
    newest.write_bytes(whole[:-7])
    assert codes(program, out, steps=120, resume=True) == ["E1051"]
    newest.write_bytes(whole)
    lines = (out / "metrics.jsonl").read_text()
    (out / "metrics.jsonl").write_text("nonsense\n" + lines)
    assert codes(program, out, steps=120, resume=True) == ["E1050"]
    (out / "metrics.jsonl").write_text(lines)
    (out / "manifest.json").write_text("{}")
    assert codes(program, out, steps=120, resume=True) == ["E1052"]


def test_two_at_once_are_refused(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "run")
    folder.acquire()
    assert codes(tiny(tmp_path), tmp_path / "run", steps=10) == ["E1046"]
    folder.release()
    assert go(tiny(tmp_path), tmp_path / "run", steps=10) == 0
