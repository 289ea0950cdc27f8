"""Training steps on a GPU against PyTorch: one command, under ten minutes on an H200.

`python -m benchmarks.cuda [--workloads NAME,...] [--rivals NAME,...] [--rounds N]` measures and
writes `benchmarks/tables/cuda.md`; `--dry-run` goes the same way on the processor, with our kernels
in Triton's interpreter and eight examples, until its time is over: it compares our losses, calls
every contender that needs no minutes of compiling, prints a table that says "not measured" and
writes nothing; `--plans` writes the table without times.

For each workload: our losses over ten steps are compared with the CPU target's (same noise, so a
different curve is a bug), then all contenders take turns, in an order that rotates, and the medians
of the turns are compared. Everyone has the same precision policy, copies its batch from pinned
memory in every step, and draws its noise on the device.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from benchmarks.gpu.device import Device
    from benchmarks.gpu.table import Row

WORKLOADS = ("mlp_vae", "digits_vae", "conv_vae", "vq_vae", "lsgan", "ddpm", "mae")
RIVALS = ("eager", "eager graph", "compile", "compile graph")
COMPARED = 10
BUDGET = 540.0  # seconds after which no further contender is built
DRY_EXAMPLES, DRY_COMPARED, DRY_BUDGET = 8, 2, 120.0  # in a dry run: of workloads as well


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--workloads", default=",".join(WORKLOADS), metavar="NAME,...")
    parser.add_argument("--rivals", default=",".join(RIVALS), metavar="NAME,...")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--turn", type=float, default=0.02, help="seconds of a turn")
    parser.add_argument("--dry-run", action="store_true", help="on the processor, few examples")
    parser.add_argument("--plans", action="store_true", help="write the table without times")
    return parser.parse_args()


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def main() -> int:
    chosen = options()
    if chosen.dry_run:
        os.environ["TRITON_INTERPRET"] = "1"  # read when triton is imported, which is below
    from benchmarks.gpu import table
    from benchmarks.gpu.device import Device

    names = chosen.workloads.split(",")
    if chosen.plans:
        rows = [planned(name) for name in names]
        table.PATH.write_text(table.text(rows, "", None, RIVALS), encoding="utf-8")
        return 0
    device = Device(forced_to_cpu=chosen.dry_run)
    if not device.cuda and not chosen.dry_run:
        say("no GPU is there: nothing was measured (`--dry-run` tries the script without one)")
        return 1
    rivals = [] if not chosen.rivals else chosen.rivals.split(",")
    if chosen.dry_run:
        print(tried(names, rivals, device, chosen), end="")
        return 0
    began = time.monotonic()
    ceilings = device.ceilings()
    rows = []
    for name in names:
        rows.append(contest(name, rivals, device, chosen, began))
        say(table.summary(rows[-1]))
    made = table.text(rows, device.title, ceilings, rivals)
    table.PATH.write_text(made, encoding="utf-8")
    return 0


def tried(
    names: Sequence[str], rivals: Sequence[str], device: Device, chosen: argparse.Namespace
) -> str:
    """The table of a dry run: everything is called, and no time is kept."""
    from backends.triton_cuda.interpreter import quick
    from benchmarks.gpu import table

    began, rows = time.monotonic(), []
    with quick():
        for name in names:
            if time.monotonic() - began > DRY_BUDGET:
                rows.append(planned(name))
                rows[-1].absent["gendsl"] = "no time was left for it in the dry run"
                continue
            rows.append(contest(name, rivals, device, chosen, began))
            say(f"{name}: losses differ by {rows[-1].difference:.1e}")
            rows[-1].times.clear()
    return table.text(rows, device.title, None, rivals)


def planned(name: str) -> Row:
    """What the plan of a workload says."""
    from benchmarks.gpu.ours import ours
    from benchmarks.gpu.table import Row

    made = ours(name, {})
    return Row(name, "float32", made.plan.launch_count, made.plan.flops, made.traffic)


def contest(
    name: str, rivals: Sequence[str], device: Device, chosen: argparse.Namespace, began: float
) -> Row:
    """One workload: compared, then timed in turns."""
    from benchmarks.gpu.ours import ours
    from benchmarks.gpu.rivals import contender, use
    from benchmarks.gpu.table import OURS, Row

    made = ours(name, {"B": DRY_EXAMPLES} if chosen.dry_run else {})
    row = Row(name, "float32", made.plan.launch_count, made.plan.flops, made.traffic)
    row.difference = made.difference(DRY_COMPARED if chosen.dry_run else COMPARED)
    use("float32")
    params = {k.partition(":")[2]: v for k, v in made.values.items() if k.startswith("param:")}
    running: dict[str, Callable[[], object]] = {OURS: made.contender()}
    for rival in rivals:
        if chosen.dry_run and rival.startswith("compile"):
            row.absent[rival] = "compiling takes minutes, which a dry run leaves out"
            continue
        if not chosen.dry_run and time.monotonic() - began > BUDGET:
            row.absent[rival] = "no time was left for it"
            continue
        try:
            running[rival] = contender(rival, name, device, params, made.batches)
        except Exception as problem:  # a rival that cannot run is reported, not hidden
            row.absent[rival] = f"{type(problem).__name__}: {str(problem).splitlines()[0][:120]}"
    counts = {
        who: 1 if chosen.dry_run else _count(work, device, chosen.turn)
        for who, work in running.items()
    }
    order = list(running)
    for number in range(1 if chosen.dry_run else chosen.rounds):
        shift = number % len(order)
        for who in (*order[shift:], *order[:shift]):
            row.times.setdefault(who, []).append(device.seconds(running[who], counts[who]))
    return row


def _count(work: Callable[[], object], device: Device, turn: float) -> int:
    """Steps that take about a turn."""
    return max(1, int(turn / max(1e-7, device.seconds(work, 3))))


if __name__ == "__main__":
    sys.exit(main())
