"""Times of contenders as a table in Markdown and a picture in SVG."""

from __future__ import annotations

import platform
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from statistics import median

from benchmarks.speed.startup import Command
from benchmarks.speed.worker import OURS, PEERS
from benchmarks.speed.workloads import WORKLOADS

FOLDER = Path(__file__).parent.parent / "tables"
COMPILED = ("compile", "compile_joint", "compile_max")


@dataclass(frozen=True)
class Result:
    """One workload: seconds per step of each turn, why others are absent, the largest relative
    difference of a loss from ours, and seconds to the first step of a process."""

    workload: str
    times: Mapping[str, tuple[float, ...]]
    absent: Mapping[str, str]
    worst: float
    cold: Mapping[str, float]

    def ratio(self, peer: str) -> float | None:
        """The peer's time over ours in the same round, the median over rounds."""
        if peer not in self.times:
            return None
        pairs = zip(self.times[peer], self.times[OURS], strict=True)
        return median(theirs / ours for theirs, ours in pairs)

    def minimum_ratio(self, peer: str) -> float | None:
        """The peer's shortest time over ours."""
        return min(self.times[peer]) / min(self.times[OURS]) if peer in self.times else None

    def best(self, peers: Iterable[str]) -> float | None:
        """The smallest ratio among some peers."""
        found = [r for r in map(self.ratio, peers) if r is not None]
        return min(found, default=None)


def _times(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"


def _rows(cells: Iterable[Sequence[str]]) -> list[str]:
    return [f"| {' | '.join(row)} |" for row in cells]


def line(result: Result) -> str:
    """One workload in one line."""
    parts = [f"{p} {_times(result.ratio(p))}" for p in PEERS if p in result.times]
    return f"  {1e6 * median(result.times[OURS]):,.0f} us; times ours: {', '.join(parts)}"


def times_table(results: Sequence[Result], peak: float | None) -> str:
    """Microseconds (median, minimum) and ratios."""
    names = [OURS, *PEERS]
    lines = ["| workload | " + " | ".join(names) + " |", "|---|" + "---|" * len(names)]
    for r in results:
        cells = [r.workload]
        for name in names:
            if name not in r.times:
                cells.append("-")
                continue
            times = r.times[name]
            text = f"{1e6 * median(times):,.0f} ({1e6 * min(times):,.0f})"
            if name != OURS:
                text += f" **{r.ratio(name):.2f}** ({r.minimum_ratio(name):.2f})"
            cells.append(text)
        lines += _rows([cells])
    if peak is None:
        return "\n".join(lines)
    lines += ["", f"Percent of the measured peak of {peak:,.0f} GFLOP/s:", ""]
    lines += ["| workload | Mflop | " + " | ".join(names) + " |", "|---|---|" + "---|" * len(names)]
    for r in results:
        work = 1e6 * WORKLOADS[r.workload].mflop
        percents = [
            f"{work / min(r.times[n]) / peak / 1e7:.0f}%" if n in r.times else "-" for n in names
        ]
        lines += _rows([[r.workload, f"{WORKLOADS[r.workload].mflop:,.0f}", *percents]])
    return "\n".join(lines)


def best_table(results: Sequence[Result]) -> str:
    lines = [
        "| workload | plain eager | best eager | best torch.compile | JAX | largest difference of "
        "a loss |",
        "|---|---|---|---|---|---|",
    ]
    for r in results:
        against = [r.ratio("eager"), r.best(("eager", "eager_fused")), r.best(COMPILED)]
        cells = [_times(v) for v in (*against, r.ratio("jax"))]
        lines += _rows([[WORKLOADS[r.workload].title, *cells, f"{r.worst:.0e}"]])
    return "\n".join(lines)


def starts_table(results: Sequence[Result], warm: Mapping[str, Mapping[str, float]]) -> str:
    names = [OURS, *(p for p in PEERS if any(p in r.cold for r in results))]
    lines = ["| workload | " + " | ".join(names) + " |", "|---|" + "---|" * len(names)]
    for r in results:
        again = warm[r.workload]
        cells = [f"{r.cold[n]:.1f} / {again[n]:.1f}" if n in r.cold else "-" for n in names]
        lines += _rows([[r.workload, *cells]])
    return "\n".join(lines)


def commands_table(commands: Sequence[Command]) -> str:
    lines = ["| command | until | first, s | again, s |", "|---|---|---|---|"]
    lines += _rows([f"`{c.words}`", c.until, f"{c.first:.2f}", f"{c.again:.2f}"] for c in commands)
    return "\n".join(lines)


def _machine() -> str:
    model = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        found = [row for row in info.read_text().splitlines() if row.startswith("model name")]
        model = found[0].partition(":")[2].strip() if found else model
    return f"{model}, Python {platform.python_version()}, {', '.join(map(_version, _PACKAGES))}"


_PACKAGES = ("torch", "numpy", "jax")


def _version(package: str) -> str:
    try:
        return f"{package} {version(package)}"
    except PackageNotFoundError:
        return f"no {package}"


def table(
    results: Sequence[Result],
    peak: float | None,
    threads: int,
    rounds: int,
    warm: Mapping[str, Mapping[str, float]],
    commands: Sequence[Command],
) -> str:
    """The committed page."""
    parts = [
        "# Training steps on the CPU",
        f"Made by `python -m benchmarks.cpu` on {date.today()}: {_machine()}; {threads} threads, "
        f"{rounds} interleaved rounds. What each contender is, and how it was timed: docstrings of "
        "`benchmarks/cpu.py` and `benchmarks/peers/speed/torch_step.py`.",
        "![Time of a step relative to gendsl's](cpu.svg)",
        "## Times the time of gendsl",
        best_table(results),
        "A contender's time over gendsl's in the same round, the median over rounds. Losses of ten "
        "steps from the same weights, batches and noise were compared first.",
        "## Microseconds per step",
        "Median (minimum) over rounds, and **times gendsl's in the same round** (minimum over "
        "minimum).",
        times_table(results, peak),
        "## Seconds from the start of a process to the end of its first step",
        "Caches of torch.compile empty / filled. For gendsl this is reading the program, compiling "
        "and one step, without proofs, evaluation or pictures.",
        starts_table(results, warm),
        "## Whole commands",
        commands_table(commands),
    ]
    return "\n\n".join(parts) + "\n"


def write(text: str, results: Sequence[Result]) -> None:
    FOLDER.mkdir(exist_ok=True)
    (FOLDER / "cpu.md").write_text(text)
    (FOLDER / "cpu.svg").write_text(bars(results))


# ---- the picture -------------------------------------------------------------------------

_COLOURS = ("#c44e52", "#dd8452", "#937860", "#8172b3", "#4c72b0", "#55a868", "#8c8c8c")
_LEFT, _ROW, _GAP, _WIDTH = 96, 9, 14, 760
_MOST = 4.0  # bars above this many times are cut, their number is written


def bars(results: Sequence[Result]) -> str:
    """For each workload one bar per peer: how many times gendsl's step time it takes."""
    height = 40 + sum(_GAP + _ROW * sum(p in r.times for p in PEERS) for r in results)
    scale = (_WIDTH - _LEFT - 60) / _MOST
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" '
        f'width="{_WIDTH}" height="{height}" font-family="sans-serif" font-size="10">',
        f'<rect width="{_WIDTH}" height="{height}" fill="white"/>',
    ]
    for i, (peer, colour) in enumerate(zip(PEERS, _COLOURS, strict=True)):
        x = _LEFT + 94 * i
        parts.append(f'<rect x="{x}" y="8" width="9" height="9" fill="{colour}"/>')
        parts.append(f'<text x="{x + 13}" y="16">{peer}</text>')
    y = 30
    for r in results:
        rows = [(p, ratio) for p in PEERS if (ratio := r.ratio(p)) is not None]
        middle = y + _ROW * len(rows) / 2 + 3
        parts.append(f'<text x="{_LEFT - 8}" y="{middle}" text-anchor="end">{r.workload}</text>')
        for peer, ratio in rows:
            width = scale * min(ratio, _MOST)
            colour = _COLOURS[PEERS.index(peer)]
            parts.append(
                f'<rect x="{_LEFT}" y="{y}" width="{width:.1f}" height="{_ROW - 1}" '
                f'fill="{colour}"/>'
            )
            parts.append(
                f'<text x="{_LEFT + width + 3:.1f}" y="{y + 7.5}" font-size="8">{ratio:.2f}</text>'
            )
            y += _ROW
        y += _GAP
    x = _LEFT + scale
    parts.append(
        f'<line x1="{x}" x2="{x}" y1="24" y2="{height - 6}" stroke="black" stroke-dasharray="3 3"/>'
    )
    return "\n".join([*parts, "</svg>"]) + "\n"
