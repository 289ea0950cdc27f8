"""Training steps on a GPU against PyTorch: one command, under ten minutes on an H200.

`python -m benchmarks.cuda [--workloads NAME,...] [--rivals NAME,...] [--rounds N]` measures and
writes `cuda.md`, `cuda.json` (all numbers, also of single kernels) and `cuda.log` into the folder
of `--out` (`benchmarks/tables`), anew after every result, so that a run that is stopped leaves what
it has. What `cuda.json` has already is not measured again (`--anew` starts over), so that rivals
for which the time of one run is too short come in the next. `--dry-run` goes the same way on the
processor, with our kernels in Triton's interpreter and eight examples, until its time is over: it
compares our losses, calls every contender that needs no minutes of compiling, prints a table that
says "not measured" and writes nothing; `--plans` writes the table without times.

Each workload has a process of its own: one that fails or hangs costs the others nothing. They get
ready at the same time and then take turns on the device. First, for each workload, our losses over
ten steps are compared with the CPU target's (same noise, so a different curve is a bug), our
kernels are timed one by one, and ours and eager PyTorch take turns, in an order that rotates; then
the compiled rivals, each beside ours, as long as there is time. Everyone has the same precision
policy, copies its batch from the host in every step, and draws its noise on the device.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

WORKLOADS = ("mlp_vae", "digits_vae", "conv_vae", "vq_vae", "lsgan", "ddpm", "mae")
RIVALS = ("eager", "eager graph", "compile graph", "compile")
BUDGET = 540.0  # seconds for everything


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--workloads", default=",".join(WORKLOADS), metavar="NAME,...")
    parser.add_argument("--rivals", default=",".join(RIVALS), metavar="NAME,...")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--turn", type=float, default=0.02, help="seconds of a turn")
    parser.add_argument("--budget", type=float, default=BUDGET, help="seconds for everything")
    parser.add_argument("--out", type=Path, metavar="FOLDER", help="where results go")
    parser.add_argument("--anew", action="store_true", help="measure again what is there already")
    parser.add_argument("--dry-run", action="store_true", help="on the processor, few examples")
    parser.add_argument("--plans", action="store_true", help="write the table without times")
    return parser.parse_args()


def main() -> int:
    chosen = options()
    if chosen.dry_run:
        os.environ["TRITON_INTERPRET"] = "1"  # read when triton is imported, which is below
    from benchmarks.gpu import run, table
    from benchmarks.gpu.device import Device
    from benchmarks.gpu.results import Results

    names = chosen.workloads.split(",")
    rivals = [] if not chosen.rivals else chosen.rivals.split(",")
    if chosen.plans:
        rows = [run.planned(name) for name in names]
        table.PATH.write_text(table.text(rows, "", None, RIVALS), encoding="utf-8")
        return 0
    device = Device(forced_to_cpu=chosen.dry_run)
    if chosen.dry_run:
        print(run.tried(names, rivals, device), end="")
        return 0
    if not device.cuda:
        run.say("no GPU is there: nothing was measured (`--dry-run` tries the script without one)")
        return 1
    out = chosen.out or table.PATH.parent
    out.mkdir(parents=True, exist_ok=True)
    results = Results(out, device.title, rivals)
    if not chosen.anew:
        results.read()
    how = {"rounds": chosen.rounds, "turn": chosen.turn}
    with (out / "cuda.log").open("a", encoding="utf-8") as log, run.children(names, log) as started:
        return 0 if run.measured(started, results, chosen.budget, how) else 1


if __name__ == "__main__":
    sys.exit(main())
