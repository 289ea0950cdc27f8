"""Results on a GPU as a table in Markdown, and what stands there before there are any."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from statistics import median

from benchmarks.gpu.device import Ceilings

PATH = Path(__file__).parent.parent / "tables" / "cuda.md"
COMPILED = ("compile", "compile graph")
OURS = "gendsl"


@dataclass
class Row:
    """One workload under one precision policy. `times` are seconds per step of each turn, and
    `beside` those of ours in the turns of a rival; `absent` says why a contender has none;
    `difference` is that of our losses from the CPU target's; `device` are seconds of our step by
    the device's clock, and `kernels` of each launch in it."""

    workload: str
    policy: str
    launches: int
    flops: int
    traffic: int
    difference: float | None = None
    times: dict[str, list[float]] = field(default_factory=dict)
    beside: dict[str, list[float]] = field(default_factory=dict)
    absent: dict[str, str] = field(default_factory=dict)
    device: float | None = None
    kernels: dict[str, float] = field(default_factory=dict)

    def ratio(self, rival: str) -> float | None:
        """The rival's median time over ours."""
        if rival not in self.times or OURS not in self.times:
            return None
        return median(self.times[rival]) / median(self.beside.get(rival, self.times[OURS]))

    @property
    def best_compiled(self) -> float | None:
        found = [r for r in map(self.ratio, COMPILED) if r is not None]
        return min(found, default=None)


def _number(value: float | None, form: str) -> str:
    return "-" if value is None else format(value, form)


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def text(rows: Sequence[Row], title: str, ceilings: Ceilings | None, rivals: Sequence[str]) -> str:
    """The table; without `ceilings` nothing was measured."""
    lines = ["# Training steps on a GPU", ""]
    if ceilings is None:
        lines += [
            "Not measured: no GPU was there. Launches, arithmetic and traffic come from the plans "
            "and hold anywhere; `python -m benchmarks.cuda` measures the rest in under ten "
            "minutes.",
            "",
        ]
    else:
        lines += [
            f"{title}, {date.today()}: {ceilings.bandwidth / 1e12:.2f} TB/s copied, "
            f"{ceilings.float32 / 1e12:.0f} TFLOP/s float32, {ceilings.tf32 / 1e12:.0f} TFLOP/s "
            f"TF32, {1e6 * ceilings.node:.2f} us per node of a graph. Times are medians of "
            "interleaved turns in microseconds; in brackets the ratio to ours. `floor` is what "
            "arithmetic or main memory alone would take, `device` what our step takes without the "
            "host, `loss` the largest relative difference of our losses from the CPU target's over "
            "ten steps with the same noise.",
            "",
        ]
    head = [
        "workload",
        "precision",
        "launches",
        "Mflop",
        "MB",
        "loss",
        "floor",
        "device",
        OURS,
        *rivals,
    ]
    lines += [_line(head), "|---|---|" + "---:|" * (len(head) - 2)]
    lines += [_line(_cells(row, ceilings, rivals)) for row in rows]
    reasons = [f"- {r.workload}, {who}: {why}" for r in rows for who, why in r.absent.items()]
    if reasons:
        lines += ["", "Absent:", "", *dict.fromkeys(reasons)]
    return "\n".join(lines) + "\n"


def _cells(row: Row, ceilings: Ceilings | None, rivals: Sequence[str]) -> list[str]:
    floor = None
    if ceilings is not None:
        floor = 1e6 * ceilings.floor(row.flops, row.traffic, row.policy)
    ours = 1e6 * median(row.times[OURS]) if OURS in row.times else None
    cells = [
        row.workload,
        row.policy,
        str(row.launches),
        f"{row.flops / 1e6:,.1f}",
        f"{row.traffic / 1e6:.1f}",
        _number(row.difference, ".1e"),
        _number(floor, ".1f"),
        _number(None if row.device is None else 1e6 * row.device, ".1f"),
        _number(ours, ".1f"),
    ]
    for rival in rivals:
        if rival not in row.times:
            cells.append("-")
            continue
        cells.append(f"{1e6 * median(row.times[rival]):.1f} ({_number(row.ratio(rival), '.2f')})")
    return cells


def summary(row: Row) -> str:
    """One workload in one line."""
    against = {"eager": row.ratio("eager"), "the best compiled": row.best_compiled}
    parts: Mapping[str, str] = {n: f"{r:.1f} x {n}" for n, r in against.items() if r is not None}
    ours = f"{1e6 * median(row.times[OURS]):.1f} us" if OURS in row.times else "not run"
    return f"{row.workload} {row.policy}: {ours}, {row.launches} launches; " + ", ".join(
        parts.values()
    )
