"""Which emitted kernels are proved equal to the graph: `python -m benchmarks.kernels`.

Runs translation validation (`gendsl check --kernels`) on the training step of every shipped
program, each in a process of its own, and writes `benchmarks/tables/kernels.md`. Needs no GPU, and
neither torch nor triton. `--programs a,b` takes some; `--out FILE` writes elsewhere; `--state FILE`
keeps what is measured, and takes what is kept there of the same program by the same sources.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import Any

from gendsl.validate.verdict import Kernel

TABLE = Path("benchmarks/tables/kernels.md")
HEAD = """# Emitted kernels that are proved equal to their graph nodes

Written by `python -m benchmarks.kernels`. A kernel is one Triton task function of the training step
(`gendsl run PROGRAM --emit triton`); it counts as proved when every store equals its node for all
sizes and all blocks (over the reals), all addresses are in bounds, every element is written exactly
once and no task of a launch reads what another one writes, but what the same program wrote for its
sample behind a barrier. The torch source of the CPU target is
checked statement by statement, for the sizes that it fixes. Seconds are of one core, for both; what
is not decided within 60 s of a kernel counts as not proved. Trusted: `README.md` says what.

Of the sources at COMMIT.

| program | Triton kernels | proved | seconds | torch statements | proved |
|---|---|---|---|---|---|
"""


def one(program: str) -> dict[str, Any]:
    """The verdicts on one program as data."""
    from gendsl.run.validate import validations

    def report(kernel: Kernel) -> None:
        print(f"{kernel.status:10} {kernel.name}", file=sys.stderr, flush=True)

    started = time.process_time()
    torch, triton = (part.data() for part in validations(program, report))
    return {"torch": torch, "triton": triton, "seconds": time.process_time() - started}


def sources(program: Path) -> str:
    """A digest of the program and of all that emits and validates."""
    digest = hashlib.sha256(program.read_bytes())
    for folder in ("gendsl", "backends", "stdlib"):
        for path in sorted(Path(folder).rglob("*.[pg][ym]*")):
            digest.update(path.read_bytes())
    return digest.hexdigest()


def commit() -> str:
    """The commit that is checked out, and whether what emits and validates differs from it."""

    def git(*words: str) -> str:
        return subprocess.run(
            ["git", *words], capture_output=True, text=True, check=True
        ).stdout.strip()

    changed = git("status", "--porcelain", "--", "gendsl", "backends", "stdlib", "programs")
    return f"commit {git('rev-parse', '--short', 'HEAD')}" + (", with changes" if changed else "")


def measure(program: Path, limit: float) -> dict[str, Any] | str:
    """`one` in another process; what went wrong if something did."""
    command = [sys.executable, "-m", "benchmarks.kernels", "--one", str(program)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=limit)
    except subprocess.TimeoutExpired:
        return f"not finished after {limit:.0f} s"
    if done.returncode:
        return (done.stderr.strip().splitlines() or ["no output"])[-1]
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def row(name: str, found: dict[str, Any] | str) -> tuple[str, int, int]:
    """The table's line, and how many kernels there are and are proved."""
    if isinstance(found, str):
        return f"| {name} | {found.replace('|', '/')[:80]} | | | | |", 0, 0
    kernels = [k for k in found["triton"]["kernels"] if k["name"] != "memory"]
    proved = sum(k["status"] == "proved" for k in kernels)
    checks = [f for k in found["torch"]["kernels"] for f in k["findings"]]
    good = sum(f["status"] == "proved" for f in checks)
    cells = (name, len(kernels), proved, f"{found['seconds']:.0f}", len(checks), good)
    return "| " + " | ".join(map(str, cells)) + " |", len(kernels), proved


def unproved(name: str, found: dict[str, Any] | str) -> list[str]:
    """One line for each kernel and statement that is not proved, with the first reason."""
    if isinstance(found, str):
        return []
    rows = []
    for target in ("triton", "torch"):
        for kernel in found[target]["kernels"]:
            rest = [f for f in kernel["findings"] if f["status"] != "proved"]
            if rest:
                reason = rest[0]["reason"].replace("\n", " ")[:110]
                rows.append(f"- {name}, {target}, `{kernel['name']}`: {reason}")
    return rows


def write(
    programs: Sequence[Path], out: Path, jobs: int, limit: float, state: Path | None = None
) -> None:
    """Measure and write; what is done so far is on disk after each program."""
    digests = {program.stem: sources(program) for program in programs}
    kept = json.loads(state.read_text("utf-8")) if state is not None and state.exists() else {}
    done: dict[str, dict[str, Any] | str] = {
        name: found for name, (digest, found) in kept.items() if digests.get(name) == digest
    }
    out.write_text(text(done), encoding="utf-8")
    with ThreadPoolExecutor(jobs) as pool:
        left = [program for program in programs if program.stem not in done]
        futures = {pool.submit(measure, program, limit): program.stem for program in left}
        for future in as_completed(futures):
            done[futures[future]] = future.result()
            print(row(futures[future], future.result())[0], flush=True)
            out.write_text(text(done), encoding="utf-8")
            if state is not None:
                rows = {name: (digests[name], found) for name, found in done.items()}
                state.write_text(json.dumps(rows), encoding="utf-8")


def text(done: Mapping[str, dict[str, Any] | str]) -> str:
    """The table of what is measured."""
    rows = [row(name, done[name]) for name in sorted(done)]
    total, proved = sum(r[1] for r in rows), sum(r[2] for r in rows)
    share = f"{100 * proved / total:.1f} %" if total else "none"
    lines = [*(r[0] for r in rows), "", f"{proved} of {total} kernels proved: {share}."]
    measured = [found for found in done.values() if not isinstance(found, str)]
    checks = [f for x in measured for k in x["torch"]["kernels"] for f in k["findings"]]
    good = sum(f["status"] == "proved" for f in checks)
    lines.append(f"{good} of {len(checks)} torch statements proved.")
    notes = [line for name in sorted(done) for line in unproved(name, done[name])]
    if notes:
        lines += ["", "## Not proved, with the first reason", "", *notes]
    return HEAD.replace("COMMIT", commit()) + "\n".join(lines) + "\n"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--programs", help="names, joined by commas")
    parser.add_argument("--out", type=Path, default=TABLE)
    parser.add_argument("--state", type=Path, help="what is kept between runs")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--limit", type=float, default=900.0, help="seconds for each program")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.one:
        print(json.dumps(one(args.one)))
        return 0
    paths = sorted(Path("programs").glob("*.gml"))
    if args.programs:
        paths = [Path(f"programs/{name}.gml") for name in args.programs.split(",")]
    write(paths, args.out, args.jobs, args.limit, args.state)
    return 0


if __name__ == "__main__":
    sys.exit(main())
