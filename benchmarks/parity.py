"""gendsl against plain PyTorch: the same model, initial weights, batches and noise.

`python -m benchmarks.parity` trains every program that has a peer both ways and writes
`benchmarks/tables/parity.md`: the largest relative difference of any loss or named term in the
first 100 steps, in float32 and in float64; beside it how far the peer parts from itself when its
weights are moved by one rounding; and after a quarter of the program's budget in float32 the
held-out objective and a distance of samples to held-out data, for three seeds.

It takes about half an hour on two cores. `--programs`, `--seeds` and `--steps` make it shorter;
with `--results FILE` each seed's outcome is kept in FILE as a JSON line, and what is there already
is not done again.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from math import sqrt
from pathlib import Path
from statistics import mean, stdev
from typing import Any

import torch

from benchmarks.side_by_side import PEERS, SAMPLES, Parting, Setup, train_both

COMPARED = 100
SHARE = 4  # the part of a program's budget that is trained: one quarter


@dataclass(frozen=True)
class Outcome:
    """One seed: largest relative differences of losses and of named terms in the compared steps,
    of either when the peer's own weights are moved by one rounding, and of either in float64; both
    held-out objectives in nats and both distances of samples, with averaged weights where there are
    some; where codes are chosen, the first step at which the choices part."""

    loss: float
    term: float
    alone: float
    double: float
    ours: float
    theirs: float
    distances: tuple[float, float] | None = None
    parting: Parting | None = None


def double(name: str, seed: int, steps: int = COMPARED, batch: int | None = None) -> float:
    """The largest relative difference of any loss or term in the first steps, in float64."""
    _, curves = train_both(Setup(name, seed, "float64", batch), steps, COMPARED, alone=False)
    return max(curves.worst.values())


def compare(name: str, seed: int, steps: int | None) -> Outcome:
    """Train both ways side by side, in float64 for a while, then in float32."""
    exact = double(name, seed, min(COMPARED, steps or COMPARED))
    setup = Setup(name, seed)
    budget = steps or setup.recipe.steps // SHARE
    theirs, curves = train_both(setup, budget, COMPARED, alone=True)
    theirs.use_averages()
    worst = (curves.worst[kind] for kind in ("loss", "term", "alone"))
    held_out = setup.held_out_ours(), setup.held_out_theirs()
    return Outcome(*worst, exact, *held_out, setup.distances(), curves.parting)


def _spread(values: Sequence[float]) -> str:
    return f"{mean(values):.4g} ± {stdev(values) if len(values) > 1 else 0.0:.2g}"


def _errors(ours: Sequence[float], theirs: Sequence[float]) -> float:
    """How many standard errors of their difference two means are apart, seeds taken as
    independent."""
    error = sqrt((stdev(ours) ** 2 + stdev(theirs) ** 2) / len(ours)) if len(ours) > 1 else 0.0
    return abs(mean(ours) - mean(theirs)) / error if error else float("nan")


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def curves_table(results: Mapping[str, list[Outcome]]) -> list[str]:
    lines = [
        "| program | loss | any term | PyTorch against itself | in float64 |",
        "|---|---|---|---|---|",
    ]
    columns: Sequence[Callable[[Outcome], float]] = (
        lambda o: o.loss,
        lambda o: o.term,
        lambda o: o.alone,
        lambda o: o.double,
    )
    for name, outcomes in results.items():
        lines.append(_row([name, *(f"{max(map(column, outcomes)):.1e}" for column in columns)]))
    return lines


def partings_table(results: Mapping[str, list[Outcome]]) -> list[str]:
    lines = [
        "| program | seed | first step with another code | places | gap of the distances | "
        "difference of the inputs | largest difference of a loss or term before |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, outcomes in results.items():
        for seed, outcome in enumerate(outcomes):
            if (p := outcome.parting) is not None:
                numbers = (f"{p.gap:.0e}", f"{p.inputs:.0e}", f"{p.before:.1e}")
                lines.append(_row([name, str(seed), str(p.step), str(p.places), *numbers]))
    return lines


def ends_table(results: Mapping[str, list[Outcome]]) -> list[str]:
    lines = [
        "| program | held out, gendsl | held out, PyTorch | gap of means | samples, gendsl | "
        "samples, PyTorch | standard errors apart |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, outcomes in results.items():
        ours, theirs = [o.ours for o in outcomes], [o.theirs for o in outcomes]
        gap = abs(mean(ours) - mean(theirs)) / abs(mean(theirs))
        cells = [name, _spread(ours), _spread(theirs), f"{gap:.3%}"]
        made = [o.distances for o in outcomes if o.distances is not None]
        if made:
            a, b = [d[0] for d in made], [d[1] for d in made]
            cells += [_spread(a), _spread(b), f"{_errors(a, b):.2f}"]
        else:
            cells += ["-", "-", "-"]
        lines.append(_row(cells))
    return lines


def table(results: Mapping[str, list[Outcome]], steps: int | None) -> str:
    """The committed page."""
    seeds = max(len(outcomes) for outcomes in results.values())
    budget = "a quarter of the program's budget" if steps is None else f"{steps} steps"
    parts = [
        "# gendsl against plain PyTorch",
        f"Same initial weights, batches and noise; {seeds} seeds. Made by `python -m "
        f"benchmarks.parity` with torch {torch.__version__.split('+')[0]} on CPU.",
        f"## The first {COMPARED} steps",
        "Largest relative differences of the losses, and of any loss or named term. *PyTorch "
        "against itself* is the peer against the peer after every initial weight was moved by one "
        "rounding of float32 (the smallest possible change): no other order of additions can be "
        "expected to do much better than that.",
        "\n".join(curves_table(results)),
        "Where a step chooses among codes, rounding is amplified without bound: as soon as two "
        "codes are so nearly equally far that the rounding of training so far decides, the two "
        "sides take different ones, and train on different targets from there. Both sides compute "
        "the choice by the same formula. The first such step in float32:",
        "\n".join(partings_table(results)),
        f"## After {budget}",
        "First objective of the recipe on held-out data, and Fréchet distance of "
        f"{SAMPLES} samples to held-out data on leading principal components of the training part "
        "(not the FID); averaged weights where the recipe keeps some; mean ± standard deviation "
        "over seeds. Samplers of the peers are plain PyTorch too. Adversarial losses are no "
        "measure of a model; their samples are.",
        "\n".join(ends_table(results)),
    ]
    return "\n\n".join(parts) + "\n"


def _outcome(record: Mapping[str, Any]) -> Outcome:
    found = {k: v for k, v in record.items() if k not in ("program", "seed", "steps")}
    parting, made = found.pop("parting"), found.pop("distances")
    return Outcome(
        **found,
        distances=None if made is None else (made[0], made[1]),
        parting=None if parting is None else Parting(**parting),
    )


class Kept:
    """Outcomes as JSON lines in a file, if one was named."""

    def __init__(self, path: Path | None) -> None:
        self.path = path
        lines = path.read_text().splitlines() if path is not None and path.exists() else []
        records = [json.loads(line) for line in lines]
        self.found = {(r["program"], r["seed"], r["steps"]): _outcome(r) for r in records}

    def of(self, name: str, seed: int, steps: int | None) -> Outcome:
        key = (name, seed, steps)
        if key not in self.found:
            self.found[key] = compare(name, seed, steps)
            record = {"program": name, "seed": seed, "steps": steps, **asdict(self.found[key])}
            line = json.dumps(record)
            print(line, flush=True)
            if self.path is not None:
                with self.path.open("a") as file:
                    file.write(line + "\n")
        return self.found[key]


def main(words: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--programs", default=",".join(PEERS))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=None)
    parser.add_argument("--results", type=Path, default=None)
    options = parser.parse_args(words)
    kept = Kept(options.results)
    results = {
        name: [kept.of(name, seed, options.steps) for seed in range(options.seeds)]
        for name in options.programs.split(",")
    }
    text = table(results, options.steps)
    print(text)
    folder = Path(__file__).parent / "tables"
    folder.mkdir(exist_ok=True)
    (folder / "parity.md").write_text(text)


if __name__ == "__main__":
    main()
