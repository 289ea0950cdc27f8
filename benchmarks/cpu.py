"""Training steps on the CPU against PyTorch, torch.compile, JAX and numpy, by the clock.

`python -m benchmarks.cpu [--workloads NAME,...] [--rounds N] [--threads N] [--json]` runs the
workloads of `benchmarks/workloads/` and writes `benchmarks/tables/cpu.md` and `cpu.svg` when all of
them and all contenders took part.

Each contender is a process of its own (`benchmarks.speed.worker`): allocator settings, imports and
compiled code of one cannot help or disturb another. All have the same number of threads and the
same processors. Before anything is timed, the losses of ten steps from the same initial weights,
batches and noise are compared; a contender that parts from ours is an error, and nothing is
printed. Then they take turns: in each round every contender runs for about a tenth of a second
while the others wait, in an order that rotates and turns round. After a turn all rest: threads of a
contender's pool spin for some milliseconds after its last step (OpenBLAS for about 20), and would
hold processors that the next one needs. A step includes its noise, drawn by each contender's own
generator, and the optimizer; batches are ready. Kept is the mean time per step of each turn.

"ratio" is a peer's time over ours in the same round, the median over rounds: a virtual machine has
phases of seconds in which all is slower by up to 40%, and the two turns of a round mostly lie in
one. "minimum_ratio" is of the shortest times of each, which a single quick moment decides.

`--startup` (part of the whole run) prints the time from the start of a process to the end of its
first step, with torch.compile's caches empty and filled, and of `gendsl check` and `gendsl run`.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from benchmarks.speed import report, startup
from benchmarks.speed.peak import peak_gflops
from benchmarks.speed.report import Result
from benchmarks.speed.worker import OURS, PEERS, Broken, Worker, keep_to
from benchmarks.speed.workloads import WORKLOADS, write_material

TURN = 0.1  # seconds that a contender runs before the next has its turn
REST = 0.15  # seconds after a turn in which nobody runs


@dataclass(frozen=True)
class Place:
    """Where contenders run: scratch folder, torch.compile's cache, and how many threads."""

    folder: Path
    cache: Path
    threads: int


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


@contextmanager
def started(name: str, contenders: Sequence[str], place: Place) -> Iterator[list[Worker]]:
    """The contenders of one workload, each after its first step unless it takes no part."""
    material = place.folder / f"{name}.npz"
    if not material.exists():
        write_material(name, material)
    workers: list[Worker] = []
    try:
        for contender in contenders:
            worker = Worker(name, contender, material, place.threads, place.cache)
            workers.append(worker)
            worker.start()
            if worker.absent:
                say(f"{name}: {contender} takes no part: {worker.absent}")
        yield workers
    finally:
        for worker in workers:
            worker.stop()


def compare(name: str, workers: Sequence[Worker]) -> float:
    """The largest relative difference of a loss from ours; an error above the tolerance."""
    curves = {w.contender: w.losses() for w in workers}
    ours, worst = curves.pop(OURS), 0.0
    for contender, theirs in curves.items():
        gaps = [
            abs(a - b) / max(abs(a), 1e-3)
            for row, other in zip(ours, theirs, strict=True)
            for a, b in zip(row, other, strict=True)
        ]
        if max(gaps) > WORKLOADS[name].tolerance:
            step = gaps.index(max(gaps)) // len(ours[0])
            raise Broken(f"{name}: {contender} is another model: {max(gaps):.1e} at step {step}")
        worst = max(worst, *gaps)
    return worst


def contest(name: str, contenders: Sequence[str], rounds: int, place: Place) -> Result:
    """One workload: compared, then timed."""
    with started(name, contenders, place) as workers:
        cold = {w.contender: w.first_step for w in workers if not w.absent}
        present = [w for w in workers if not w.absent]
        worst = compare(name, present)
        for round_number in range(rounds):
            for worker in turns(present, round_number):
                worker.turn(TURN)
                time.sleep(REST)
        times = {w.contender: tuple(w.times) for w in present}
        absent = {w.contender: w.absent for w in workers if w.absent}
    return Result(name, times, absent, worst, cold)


def turns(workers: Sequence[Worker], round_number: int) -> Sequence[Worker]:
    """The order of a round: nobody always follows the same one."""
    shift = round_number % len(workers)
    rotated = [*workers[shift:], *workers[:shift]]
    return rotated[::-1] if round_number % 2 else rotated


def filled(name: str, contenders: Sequence[str], place: Place) -> dict[str, float]:
    """First steps again, now that torch.compile's cache is filled."""
    found = {}
    for contender in contenders:
        with started(name, [contender], place) as (worker,):
            if not worker.absent:
                found[contender] = worker.first_step
    return found


def ratios(results: Sequence[Result]) -> Mapping[str, object]:
    """What `--json` prints."""
    workloads = {
        r.workload: {
            "ratio": {p: _rounded(r.ratio(p)) for p in PEERS},
            "minimum_ratio": {p: _rounded(r.minimum_ratio(p)) for p in PEERS},
            "us": {c: round(1e6 * median(t), 1) for c, t in r.times.items()},
            "largest_loss_difference": r.worst,
        }
        for r in results
    }
    return {"workloads": workloads}


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 3)


def options(words: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--workloads", default=",".join(WORKLOADS), metavar="NAME,...")
    parser.add_argument("--peers", default=",".join(PEERS), metavar="NAME,...")
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--json", action="store_true", help="print ratios as JSON")
    parser.add_argument("--startup", action="store_true", help="measure starts only")
    found = parser.parse_args(words)
    for given, known in ((found.workloads, WORKLOADS), (found.peers, PEERS)):
        if odd := [n for n in given.split(",") if n not in known]:
            parser.error(f"{odd[0]!r} is not one of {', '.join(known)}")
    if found.rounds < 1:
        parser.error("--rounds is at least 1")
    return found


def measured(asked: argparse.Namespace, place: Place) -> list[Result]:
    names, contenders = asked.workloads.split(","), [OURS, *asked.peers.split(",")]
    results = []
    for name in names:
        say(f"{name}: {', '.join(contenders)}")
        result = contest(name, contenders, asked.rounds, place)
        say(report.line(result))
        results.append(result)
    return results


def main(words: Sequence[str] | None = None) -> int:
    asked = options(words)
    keep_to(asked.threads)
    whole = set(asked.workloads.split(",")) == set(WORKLOADS)
    whole = whole and set(asked.peers.split(",")) == set(PEERS)
    with tempfile.TemporaryDirectory(prefix="benchmark-") as scratch:
        folder = Path(scratch)
        place = Place(folder, folder / "inductor", asked.threads)
        if asked.startup:
            print(report.commands_table(startup.commands(folder)))
            return 0
        peak, why = peak_gflops(folder, asked.threads)
        if peak is None:
            say(f"the peak is not measured: {why}")
        try:
            results = measured(asked, place)
            if whole:
                warm = {r.workload: filled(r.workload, list(r.cold), place) for r in results}
                commands = startup.commands(folder)
                text = report.table(results, peak, asked.threads, asked.rounds, warm, commands)
                report.write(text, results)
                say("wrote benchmarks/tables/cpu.md and cpu.svg")
        except Broken as problem:
            say(str(problem))
            return 1
    if asked.json:
        print(json.dumps(ratios(results)))
    else:
        print(report.times_table(results, peak))
    return 0


if __name__ == "__main__":
    sys.exit(main())
