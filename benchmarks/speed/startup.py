"""How long whole commands take: `gendsl check`, and `gendsl run` until its first step is done.

Each is a fresh process. The first one finds nothing that an earlier one kept (compiled plans,
programs with their verdicts); of those after it, which find all of that, the median counts.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from benchmarks.speed.worker import ROOT

RUNS = ("vae", "conv_vae", "vq_vae", "lsgan", "ddpm", "mae")
AGAIN = 5


@dataclass(frozen=True)
class Command:
    """Seconds of a command, first and again, and what they are the seconds of."""

    words: str
    until: str
    first: float
    again: float


def _gendsl(cache: Path, *words: str) -> float:
    """Seconds of the whole process; it may find unknown claims, but not fail."""
    command = [sys.executable, "-m", "gendsl", *words]
    place = {**os.environ, "XDG_CACHE_HOME": str(cache)}
    began = time.perf_counter()
    done = subprocess.run(command, cwd=ROOT, env=place, capture_output=True, text=True, check=False)
    seconds = time.perf_counter() - began
    if done.returncode not in (0, 3):
        raise SystemExit(f"gendsl {' '.join(words)}: {done.stderr}")
    return seconds


def _first_step(cache: Path, program: str, folder: Path) -> float:
    """Seconds until the first step of a run is in its journal."""
    began = time.time()
    _gendsl(cache, "run", program, "--steps", "1", "--out", str(folder))
    lines = (folder / "timings.jsonl").read_text().splitlines()
    clock = next(record["clock"] for record in map(json.loads, lines) if record["step"] == 1)
    return float(clock) - began


def commands(folder: Path) -> list[Command]:
    """Every shipped program's check, and the first step of some runs."""
    found, cache = [], folder / "cache"
    checked = {path.stem: path.stem for path in sorted((ROOT / "programs").glob("*.gml"))}
    checked["mlp_vae (no claims)"] = "benchmarks/workloads/mlp_vae.gml"
    for name, path in checked.items():
        first, *again = (_gendsl(cache, "check", path) for _ in range(1 + AGAIN))
        found.append(Command(f"gendsl check {name}", "its end", first, median(again)))
    for name in RUNS:
        places = [folder / f"{name}-{i}" for i in range(1 + AGAIN)]
        first, *again = (_first_step(cache, name, place) for place in places)
        found.append(Command(f"gendsl run {name}", "its first step", first, median(again)))
    return found
