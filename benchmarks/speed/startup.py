"""How long whole commands take: `gendsl check`, and `gendsl run` until its first step is done.

Each is a fresh process; the second of two runs finds whatever the first one cached.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from benchmarks.speed.worker import ROOT

RUNS = ("vae", "conv_vae", "lsgan", "ddpm")


@dataclass(frozen=True)
class Command:
    """Seconds of a command, first and again, and what they are the seconds of."""

    words: str
    until: str
    first: float
    again: float


def _gendsl(*words: str) -> float:
    """Seconds of the whole process; it may find unknown claims, but not fail."""
    command = [sys.executable, "-m", "gendsl", *words]
    began = time.perf_counter()
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode not in (0, 3):
        raise SystemExit(f"gendsl {' '.join(words)}: {done.stderr}")
    return time.perf_counter() - began


def _first_step(program: str, folder: Path) -> float:
    """Seconds until the first step of a run is in its journal."""
    began = time.time()
    _gendsl("run", program, "--steps", "1", "--out", str(folder))
    lines = (folder / "timings.jsonl").read_text().splitlines()
    clock = next(record["clock"] for record in map(json.loads, lines) if record["step"] == 1)
    return float(clock) - began


def commands(folder: Path) -> list[Command]:
    """Every shipped program's check, and the first step of some runs."""
    found = []
    for path in sorted((ROOT / "programs").glob("*.gml")):
        first, again = (_gendsl("check", path.stem) for _ in range(2))
        found.append(Command(f"gendsl check {path.stem}", "its end", first, again))
    empty = "benchmarks/workloads/mlp_vae.gml"
    first, again = (_gendsl("check", empty) for _ in range(2))
    found.append(Command("gendsl check mlp_vae (no claims)", "its end", first, again))
    for name in RUNS:
        first, again = (_first_step(name, folder / f"{name}-{i}") for i in range(2))
        found.append(Command(f"gendsl run {name}", "its first step", first, again))
    return found
