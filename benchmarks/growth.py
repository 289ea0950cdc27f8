"""How costs grow: a training step with batch and width, `gendsl check` with lines, claims, sizes.

`python -m benchmarks.growth [--threads N]` writes `benchmarks/tables/growth.md` and `growth.svg`.
The step is that of the MLP VAE of `benchmarks/workloads/` with another batch or hidden size; its
time is the least of several turns. `check` is the whole process on programs written for the
purpose: layers one a line, claims of two kinds in turn, layers that each have a size of their own.
Each curve is held against its arithmetic: from one point to the next the time may grow by at most
`SLACK` times as much as the work (flops of the plan; lines, claims, sizes). It may grow by less,
where a fixed cost is still in it. The exit code says whether all do.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import log10
from pathlib import Path

from benchmarks.speed.worker import ROOT, keep_to

SLACK = 1.3
BATCHES = (1, 4, 16, 64, 256, 1024)
WIDTHS = (64, 128, 256, 512, 1024, 2048)
COUNTS = (10, 100, 1000)
TURNS, TURN = 7, 0.1  # turns of a step, and the seconds of one
FOLDER = Path(__file__).parent / "tables"


@dataclass(frozen=True)
class Curve:
    """Seconds and work at each value of what grows."""

    title: str
    grows: str
    unit: str
    points: tuple[tuple[int, float, float], ...]  # value, work, seconds

    @property
    def worst(self) -> float:
        """The largest growth of time in units of the growth of work, between neighbours."""
        steps = pairwise(self.points)
        return max((t1 / t0) / (w1 / w0) for (_, w0, t0), (_, w1, t1) in steps)

    @property
    def holds(self) -> bool:
        return self.worst <= SLACK


# ---- a step ------------------------------------------------------------------------------


def step_point(**sizes: int) -> tuple[float, float]:
    """Flops of the plan and seconds of a step of the MLP VAE at these sizes."""
    from benchmarks.speed.ours import Gendsl
    from benchmarks.speed.workloads import pictures

    batch = sizes.get("B", 128)
    made = pictures((1, 28, 28), 4 * batch).reshape(4, batch, 784)
    contender = Gendsl("mlp_vae", {"batch": made}, sizes)
    contender.step(0)
    taken, number = [], 1
    count = 3
    for turn in range(TURNS + 1):
        began = time.perf_counter()
        for _ in range(count):
            contender.step(number)
            number += 1
        seconds = (time.perf_counter() - began) / count
        if turn:  # the first one settles how many steps a turn has
            taken.append(seconds)
        count = max(3, min(2000, round(TURN / seconds)))
    return float(contender.compiled.plan.flops), min(taken)


def step_curves() -> list[Curve]:
    batches = tuple((n, *step_point(B=n)) for n in BATCHES)
    widths = tuple((n, *step_point(hidden=n)) for n in WIDTHS)
    return [
        Curve("a step, by batch size", "batch", "Mflop", batches),
        Curve("a step at batch 128, by hidden size", "hidden size", "Mflop", widths),
    ]


# ---- check -------------------------------------------------------------------------------

HEAD = "import nn: dense\n\nbatch B\ndim width = 8\n"
DATA = "\ndata x: [B, (C H W)] in 0..1 from digits\n"
TRAIN = "\ntrain:\n    step loss over body with adam(lr = 1e-3)\n    batch B = 32\n    steps 10\n"


def program_of_lines(count: int) -> str:
    """About `count` lines: one layer each, and what a program needs."""
    layers = [f"    h{i} = relu(dense[width](h{i - 1}))" for i in range(1, max(2, count - 17))]
    body = "\n".join(["    h0 = relu(dense[width](x))", *layers])
    net = f"\nnet body(x: [..b, D]) -> [..b, width]:\n{body}\n    return h{len(layers)}\n"
    loss = "\nobjective loss:\n    minimize mean[B](sum[width](square(body(x))))\n"
    return HEAD + DATA + net + loss + TRAIN


def program_of_claims(count: int) -> str:
    """`count` claims, each with a number of its own."""
    net = "\nnet body(x: [..b, D]) -> [..b, width]:\n    return dense[width](x)\n"
    loss = (
        "\nobjective loss:\n    y = body(x)\n    term size = mean[B](sum[width](square(y)))\n"
        "    minimize size\n"
    )
    claims = []
    for i in range(1, count + 1):
        scaled = f"mean[B](sum[width](square({i} * y)))"
        nonneg, equal = f"nonneg{i}: {scaled} >= 0", f"scaled{i}: {scaled} == {i * i} * size"
        claims.append(f"    {nonneg if i % 2 else equal}")
    return HEAD + DATA + net + loss + "\nclaims loss:\n" + "\n".join(claims) + "\n" + TRAIN


def program_of_sizes(count: int) -> str:
    """`count` declared sizes, each of a layer."""
    sizes = "\n".join(f"dim d{i} = {4 + i % 5}" for i in range(count))
    layers = "\n".join(f"    h{i} = relu(dense[d{i}](h{i - 1}))" for i in range(1, count))
    last = count - 1
    net = (
        f"\nnet body(x: [..b, D]) -> [..b, d{last}]:\n    h0 = relu(dense[d0](x))\n{layers}\n"
        f"    return h{last}\n"
    )
    loss = f"\nobjective loss:\n    minimize mean[B](sum[d{last}](square(body(x))))\n"
    return f"import nn: dense\n\nbatch B\n{sizes}\n" + DATA + net + loss + TRAIN


def check_seconds(text: str) -> float:
    """Of `gendsl check` as a process; the least of two, or of one that is long."""
    with tempfile.TemporaryDirectory(prefix="benchmark-") as scratch:
        path = Path(scratch) / "program.gml"
        path.write_text(text)
        taken: list[float] = []
        while len(taken) < (1 if taken and taken[0] > 5 else 2):
            began = time.perf_counter()
            command = [sys.executable, "-m", "gendsl", "check", str(path)]
            subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
            taken.append(time.perf_counter() - began)
    return min(taken)


def check_curves() -> list[Curve]:
    kinds = (
        ("`gendsl check`, by lines", "lines", program_of_lines),
        ("`gendsl check`, by claims", "claims", program_of_claims),
        ("`gendsl check`, by sizes", "sizes", program_of_sizes),
    )
    found = []
    for title, grows, write in kinds:
        points = tuple((n, float(n), check_seconds(write(n))) for n in COUNTS)
        found.append(Curve(title, grows, grows, points))
    return found


# ---- the page ----------------------------------------------------------------------------


def table(curves: Sequence[Curve], threads: int) -> str:
    lines = [
        "# How costs grow",
        "",
        f"Made by `python -m benchmarks.growth`, {threads} threads. *Growth* is that of the time "
        "from one row to the next over that of the work; above "
        f"{SLACK} it would be worse than the arithmetic says. Less than 1: a fixed cost is still "
        "in it, or larger products run faster.",
        "",
        "![The curves](growth.svg)",
    ]
    for curve in curves:
        flops = curve.unit == "Mflop"
        lines += ["", f"## {curve.title}: {'holds' if curve.holds else 'FAILS'}", ""]
        lines += [f"| {curve.grows} |{' Mflop |' if flops else ''} time | growth |"]
        lines += ["|---|---|---|---|" if flops else "|---|---|---|"]
        before: tuple[float, float] | None = None
        for value, work, seconds in curve.points:
            cells = [f"{value:,}"]
            if flops:
                cells.append(f"{work / 1e6:,.1f}")
            cells.append(f"{1e6 * seconds:,.0f} us" if flops else f"{seconds:.2f} s")
            growth = "" if before is None else (seconds / before[1]) / (work / before[0])
            cells.append(growth if isinstance(growth, str) else f"{growth:.2f}")
            lines.append(f"| {' | '.join(cells)} |")
            before = (work, seconds)
    return "\n".join(lines) + "\n"


_WIDTH, _HEIGHT, _MARGIN = 230, 210, 40


def panel(curve: Curve, left: float) -> list[str]:
    """Time over what grows, both logarithmic; dashed: time proportional to the work."""
    first, last = curve.points[0], curve.points[-1]
    low = min(s for _, _, s in curve.points) / 1.5
    ideal = [(v, last[2] * w / last[1]) for v, w, _ in curve.points]
    high = 1.5 * max(s for _, _, s in curve.points)

    def place(value: float, seconds: float) -> tuple[float, float]:
        across = log10(value / first[0]) / log10(last[0] / first[0])
        up = log10(seconds / low) / log10(high / low)
        x = left + _MARGIN + across * (_WIDTH - _MARGIN - 14)
        return x, _HEIGHT - 34 - up * (_HEIGHT - 66)

    measured = [place(v, s) for v, _, s in curve.points]
    dashed = [place(v, s) for v, s in ideal if s >= low]
    lines = [f'<text x="{left + 8}" y="16" font-size="11">{curve.title.replace("`", "")}</text>']
    for points, style in ((dashed, 'stroke="#888" stroke-dasharray="4 3"'), (measured, _SOLID)):
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        lines.append(f'<polyline points="{path}" fill="none" {style}/>')
    for (x, y), (value, _, seconds) in zip(measured, curve.points, strict=True):
        text = f"{1e3 * seconds:.2g} ms" if seconds < 0.1 else f"{seconds:.2g} s"
        lines.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="2.5" fill="#4c72b0"/>')
        lines.append(f'<text x="{x:.1f}" y="{y - 6:.1f}" text-anchor="middle">{text}</text>')
        lines.append(f'<text x="{x:.1f}" y="{_HEIGHT - 18}" text-anchor="middle">{value:,}</text>')
    middle = left + _WIDTH / 2
    lines.append(f'<text x="{middle}" y="{_HEIGHT - 5}" text-anchor="middle">{curve.grows}</text>')
    return lines


_SOLID = 'stroke="#4c72b0" stroke-width="1.5"'


def picture(curves: Sequence[Curve]) -> str:
    width = _WIDTH * len(curves)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {_HEIGHT}" width="{width}" '
        f'height="{_HEIGHT}" font-family="sans-serif" font-size="8">',
        f'<rect width="{width}" height="{_HEIGHT}" fill="white"/>',
    ]
    for i, curve in enumerate(curves):
        parts += panel(curve, _WIDTH * i)
    return "\n".join([*parts, "</svg>"]) + "\n"


def main(words: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args(words)
    keep_to(options.threads)
    curves = [*check_curves(), *step_curves()]
    text = table(curves, options.threads)
    print(text)
    FOLDER.mkdir(exist_ok=True)
    (FOLDER / "growth.md").write_text(text)
    (FOLDER / "growth.svg").write_text(picture(curves))
    return 0 if all(curve.holds for curve in curves) else 1


if __name__ == "__main__":
    sys.exit(main())
