"""The benchmark without a GPU: it says so, a dry run keeps no times, trouble stays small."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from backends.triton_cuda.interpreter import quick
from benchmarks.gpu import child, contest, results, run, table
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
    class Tried:
        def __init__(self, name: str, device: Device) -> None:
            self.row = table.Row(name, "float32", 7, 4_000_000, 2_000_000, 2e-7)

        def prepare(self) -> None:
            pass

        compare = prepare

        def measure(self, rivals: Sequence[str], rounds: int, turn: float) -> None:
            self.row.times = {"gendsl": [3e-5], "eager": [5e-4]}
            self.row.absent = {"compile": "compiling takes minutes, which a dry run leaves out"}

    monkeypatch.setattr(contest, "Contest", Tried)
    text = run.tried(["w"], ("eager", "compile"), Device(forced_to_cpu=True))
    assert "Not measured" in text
    assert "| w | float32 | 7 | 4.0 | 2.0 | 2.0e-07 | - | - | - | - |" in text
    assert "- w, compile: compiling takes minutes" in text


def test_contenders_of_a_workload_on_the_processor() -> None:
    """What the process of a workload does for its orders, but for what needs the device."""
    with quick():
        made = contest.Contest("digits_vae", Device(forced_to_cpu=True))
        order = {"do": "measure", "rivals": ["eager", "no such rival"], "rounds": 1, "turn": 0.0}
        assert contest.answer(made, {"do": "compare"})["problem"] is None
        found = contest.answer(made, order)
        broken = contest.answer(made, {"do": "kernels"})
    row = found["row"]
    assert found["problem"] is None and row["difference"] < 1e-5
    assert set(row["times"]) == {"gendsl", "eager"} and set(row["beside"]) == {"eager"}
    assert row["absent"] == {"no such rival": "KeyError: 'no such rival'"}
    assert broken["problem"].startswith("GendslError: ") and "E0901" in broken["problem"]


# A process that answers as that of a workload does, but for the trouble that it is named after.
DOUBLE = """
import json, sys, time

NAME = sys.argv[1]
row = {"workload": NAME, "policy": "float32", "launches": 1, "flops": 1, "traffic": 1, "times": {}}
if NAME == "ends at once":
    sys.exit(3)
for line in sys.stdin:
    order = json.loads(line)
    do = order["do"]
    if NAME == f"ends at {do}":
        sys.exit(7)
    if NAME == f"hangs at {do}":
        time.sleep(60)
    times = {who: [2e-3] for who in order.get("rivals", ())}
    if do == "measure":
        row["times"] |= {"gendsl": [1e-3], **times}
        row["beside"] = dict.fromkeys(times, [1e-3])
    if do == "compare":
        row["difference"] = 1e-7
    ceilings = {"bandwidth": 4e12, "float32": 5e13, "tf32": 4e14, "node": 1e-6}
    problem = "RuntimeError: no" if NAME == f"fails at {do}" else None
    print(json.dumps({"row": row, "ceilings": ceilings if do == "ceilings" else None,
                      "problem": problem}), flush=True)
"""


def contested(folder: Path, names: Sequence[str], rivals: Sequence[str]) -> results.Results:
    """A run with doubles in the place of the processes of workloads."""
    script = folder / "double.py"
    script.write_text(DOUBLE)
    found = results.Results(folder, "A card", rivals)
    found.read()
    with (folder / "cuda.log").open("a") as log:
        started = {n: child.Child(n, log, (sys.executable, str(script), n)) for n in names}
        try:
            run.measured(started, found, 60.0, {"rounds": 1, "turn": 0.0})
        finally:
            for one in started.values():
                one.end()
    return found


def test_a_workload_in_trouble_costs_the_others_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for limit in ("PREPARING", "STEP", "BUILDING"):
        monkeypatch.setattr(run, limit, 2.0)
    monkeypatch.setattr(run, "planned", lambda name: table.Row(name, "float32", 1, 1, 1))
    names = ("ends at once", "ends at compare", "hangs at kernels", "fails at compare", "well")
    found = contested(tmp_path, names, ("eager", "compile graph"))
    assert {n: sorted(row.times) for n, row in found.rows.items()} == {
        "ends at once": [],
        "ends at compare": [],
        "hangs at kernels": [],
        "fails at compare": ["compile graph", "eager", "gendsl"],
        "well": ["compile graph", "eager", "gendsl"],
    }
    assert found.ceilings is not None
    assert "ended with 7" in found.rows["ends at compare"].absent["gendsl"]
    assert found.rows["hangs at kernels"].absent["gendsl"] == "no answer within 2 s"
    text = (tmp_path / "cuda.md").read_text()
    assert "- ends at once, compile graph: the process of this workload was lost before" in text
    again = results.Results(tmp_path, "A card", ("eager",))
    again.read()
    assert again.rows == found.rows and again.ceilings == found.ceilings
    other = results.Results(tmp_path, "Another card", ("eager",))
    other.read()
    assert other.rows == {}


def test_a_second_run_measures_what_the_first_had_no_time_for(tmp_path: Path) -> None:
    first = contested(tmp_path, ["well"], ["eager"])
    first.rows["well"].times["eager"] = [5.0]
    first.write()
    second = contested(tmp_path, ["well"], ["eager", "compile"])
    assert second.rows["well"].times == {"gendsl": [1e-3], "eager": [5.0], "compile": [2e-3]}
    contested(tmp_path, ["well"], ["compile graph"])
    assert "| eager | compile | compile graph |" in (tmp_path / "cuda.md").read_text()


def test_the_table() -> None:
    row = table.Row("w", "tf32", 7, 4_000_000, 2_000_000, 1e-6)
    row.times = {"gendsl": [3e-5, 2e-5, 2.5e-5], "eager": [5e-4], "compile": [1e-4]}
    row.absent = {"compile graph": "no time was left for it"}
    ceilings = Ceilings(4e12, 5e13, 4e14, 1e-6)
    text = table.text([row], "A card", ceilings, ("eager", "compile", "compile graph"))
    assert "| w | tf32 | 7 | 4.0 | 2.0 | 1.0e-06 | 0.5 | - | 25.0 | 500.0 (20.00) |" in text
    assert "- w, compile graph: no time was left for it" in text
    assert row.best_compiled == 4.0
    assert "20.0 x eager, 4.0 x the best compiled" in table.summary(row)
    assert "Not measured" in table.text([row], "", None, ())
