"""Which proved claims of the shipped modules and programs Coq accepts.

`python -m benchmarks.coq_table` settles every claim of `stdlib/*.gml` and `programs/*.gml`, exports
the proved ones, lets `coqc` judge them, and writes `benchmarks/tables/coq.md`: a row for each class
of claims, and every claim that was not accepted with the reason. It fails when no `coqc` is found.
With `--check` nothing is written, and it fails too when Coq rejects a theorem, or accepts less than
90% of the proved equalities, inequalities, zero-iff and monotonicity claims or 60% of all.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from gendsl import resources
from gendsl.core.claim import Claim
from gendsl.diagnostics.model import Sink
from gendsl.driver import analyse
from gendsl.prove.coq import runner
from gendsl.prove.coq.claims import CLASSES, ClaimResult, exports, results

TABLE = Path(__file__).parent / "tables" / "coq.md"
CORE = ("equality", "inequality", "zero-iff", "monotone")


def shipped_files() -> list[Path]:
    """The shipped modules, then the programs."""
    return [
        p for folder in ("stdlib", "programs") for p in sorted(resources.data(folder).glob("*.gml"))
    ]


def settle(path: Path) -> list[tuple[Claim, Any]]:
    """The exports of one file's proved claims."""
    rows: list[tuple[Claim, Any]] = []
    found = analyse(str(path), Sink(), keep=lambda *row: rows.append(row))
    if not rows:
        return []
    assert found.graph is not None and found.interface is not None
    return exports(rows, found.graph, found.interface, f"{path.parent.name}_{path.stem}")


def judge_shipped(coqc: str, files: Sequence[Path]) -> list[tuple[Path, ClaimResult]]:
    """Every proved claim of the files, judged in one go."""
    made = [(path, row) for path in files for row in settle(path)]
    judged = results(coqc, [row for _, row in made])
    return [(path, r) for (path, _), r in zip(made, judged, strict=True)]


def table(rows: Sequence[tuple[Path, ClaimResult]], version: str, seconds: float) -> str:
    count = Counter((r.kind, r.state) for _, r in rows)
    axioms = sorted({x for _, r in rows if r.state == "accepted" for x in r.axioms})
    lines = [
        "# Proved claims before Coq",
        "",
        f"`python -m benchmarks.coq_table`: coqc {version}, {seconds:.0f} s. A claim is accepted",
        "when Coq accepts the theorem of each of its sequents, resting on nothing but the standard",
        "axioms of the real numbers. What `Print Assumptions` lists below the accepted claims:",
        "",
        *(f"- {axiom}" for axiom in axioms),
        "",
        "| class | proved | accepted | rejected | too late | not exported |",
        "|---|---|---|---|---|---|",
    ]
    for kind in CLASSES:
        own = [count[kind, s] for s in ("accepted", "rejected", "late", "not exported")]
        if sum(own):
            lines.append(f"| {kind} | {sum(own)} | " + " | ".join(map(str, own)) + " |")
    core = [r for _, r in rows if r.kind in CORE]
    for name, some in (("the first four", core), ("all", [r for _, r in rows])):
        good = sum(r.state == "accepted" for r in some)
        share = f"{100 * good / max(1, len(some)):.0f}%"
        lines.append(f"| {name} | {len(some)} | {good} ({share}) | | | |")
    lines += ["", "Not accepted:", ""]
    for path, r in rows:
        if r.state != "accepted":
            lines.append(f"- {path.parent.name}/{path.name} {r.claim}: {r.state}, {r.reason}")
    return "\n".join(lines) + "\n"


def enough(rows: Sequence[tuple[Path, ClaimResult]]) -> bool:
    """Whether nothing is rejected, and the shares that `--check` asks for are reached."""
    shares = ((90, [r for _, r in rows if r.kind in CORE]), (60, [r for _, r in rows]))
    return not any(r.state == "rejected" for _, r in rows) and all(
        100 * sum(r.state == "accepted" for r in some) >= percent * len(some) > 0
        for percent, some in shares
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--check", action="store_true", help="write nothing; fail below the shares")
    args = parser.parse_args()
    coqc = runner.find()
    if coqc is None:
        print(f"error: {runner.MISSING}: {runner.HOW_TO_GET}", file=sys.stderr)
        return 1
    started = time.perf_counter()
    rows = judge_shipped(coqc, shipped_files())
    text = table(rows, runner.version(coqc), time.perf_counter() - started)
    print(text)
    if args.check:
        return 0 if enough(rows) else 1
    TABLE.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
