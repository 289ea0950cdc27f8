"""Certificates with altered proof data: is a false step ever accepted?

`python -m benchmarks.altered_certificates --count 1000` writes the certificates of all proved
claims of `stdlib/*.gml` and `programs/*.gml`, changes one place of the proof object (a coefficient,
an exponent, a relation, a reference, a premise, a rule, a hypothesis), leaves the statement as it
is, and gives the result to the stand-alone checker. What is still accepted proves the same, true
statement by another proof object: the statement is not in the altered part, the checker rebuilds it
from the graph. The table says how many were rejected, and lists the changes that were accepted.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.coq_table import shipped_files
from gendsl.diagnostics.model import Sink
from gendsl.driver import analyse
from gendsl.prove.certify import write
from gendsl.recheck.check import judge

TABLE = Path(__file__).parent / "tables" / "altered_certificates.md"
RELATIONS = ("eq", "ge", "gt", "ne")


def certificates(folder: Path, files: Sequence[Path]) -> list[Path]:
    """The certificates of the files that have a proof object."""
    for path in files:
        rows: list[tuple[Any, Any]] = []
        found = analyse(str(path), Sink(), keep=lambda *row, rows=rows: rows.append(row))
        if rows and found.graph is not None and found.interface is not None:
            write(folder, str(path), found.graph, found.interface, rows)
    made = sorted(folder.glob("*.json"))
    return [p for p in made if json.loads(p.read_text())["proof"]["theorems"]]


def altered(made: dict[str, Any], r: random.Random) -> tuple[dict[str, Any], str]:
    """One place of the proof object changed, and what was done; the statement stays."""
    result = deepcopy(made)
    proof = result["proof"]
    while True:
        kind = r.choice(
            ["coefficient", "exponent", "relation", "reference", "premise", "rule", "hypothesis",
             "conclusion", "data"]
        )  # fmt: skip
        if _alter(proof, kind, r) and result != made:
            return result, kind
        result = deepcopy(made)
        proof = result["proof"]


def _alter(proof: dict[str, Any], kind: str, r: random.Random) -> bool:
    """Whether there was a place of this kind."""
    theorem = r.choice(proof["theorems"])
    match kind:
        case "coefficient" | "exponent" | "reference":
            terms = [t for p in proof["polys"] for t in p]
            return bool(terms) and _alter_term(r.choice(terms), kind, len(proof["atoms"]), r)
        case "relation":
            r.choice(proof["props"])[0] = r.choice(RELATIONS)
        case "premise":
            if not theorem["premises"]:
                return False
            k = r.randrange(len(theorem["premises"]))
            theorem["premises"][k] = r.randrange(len(proof["theorems"]))
        case "rule":
            theorem["rule"] = r.choice(proof["theorems"])["rule"]
        case "hypothesis":
            if not theorem["hyps"]:
                return False
            theorem["hyps"].pop(r.randrange(len(theorem["hyps"])))
        case "conclusion":
            theorem["concl"] = f"h{r.randrange(len(proof['props']))}"
        case _:
            refs = [k for k, x in enumerate(theorem["data"]) if isinstance(x, str) and x[0] == "p"]
            if not refs:
                return False
            theorem["data"][r.choice(refs)] = f"p{r.randrange(len(proof['polys']))}"
    return True


def _alter_term(term: list[Any], kind: str, atoms: int, r: random.Random) -> bool:
    if kind == "coefficient":
        term[0] = r.choice(["1", "-1", "2", "1/2", "3"])
        return True
    if not term[1]:
        return False
    factor = r.choice(term[1])
    if kind == "exponent":
        factor[1] = r.choice(["1", "2", "-1", "1/2", "3"])
    else:
        factor[0] = f"a{r.randrange(atoms)}"
    return True


def place(before: Any, after: Any, path: str = "") -> str:
    """Where two JSON values differ first, and how."""
    if isinstance(before, dict) and isinstance(after, dict):
        for key in before:
            if before[key] != after[key]:
                return place(before[key], after[key], f"{path}.{key}".lstrip("."))
    if isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        for k, (x, y) in enumerate(zip(before, after, strict=True)):
            if x != y:
                return place(x, y, f"{path}[{k}]")
    return f"{path}: {json.dumps(before)} became {json.dumps(after)}"


@dataclass(frozen=True)
class Altered:
    """One altered certificate; `reason` says why it was rejected, "" when it was not."""

    kind: str
    claim: str
    reason: str
    change: str


def run(folder: Path, paths: Sequence[Path], count: int, seed: int) -> list[Altered]:
    """What the checker says about altered certificates."""
    r = random.Random(seed)
    found = []
    file = folder / "altered.json"
    for _ in range(count):
        path = r.choice(list(paths))
        before = json.loads(path.read_text(encoding="utf-8"))
        made, kind = altered(before, r)
        file.write_text(json.dumps(made), encoding="utf-8")
        assert all(made[key] == before[key] for key in before if key != "proof")
        claim, change = path.name.removesuffix(".json"), place(before["proof"], made["proof"])
        found.append(Altered(kind, claim, judge(file).reason, change))
    file.unlink()
    return found


def table(rows: Sequence[Altered], seed: int, seconds: float) -> str:
    kinds = Counter(x.kind for x in rows)
    kept = Counter(x.kind for x in rows if not x.reason)
    lines = [
        "# Altered certificates",
        "",
        f"`python -m benchmarks.altered_certificates --count {len(rows)} --seed {seed}` "
        f"({seconds:.0f} s):",
        "one place of a proof object is changed, the statement stays. An accepted one is another",
        "proof of the same statement, which the checker rebuilds from the graph and evaluates.",
        "",
        "| change | altered | rejected | accepted |",
        "|---|---|---|---|",
    ]
    for kind, total in sorted(kinds.items()):
        lines.append(f"| {kind} | {total} | {total - kept[kind]} | {kept[kind]} |")
    lines.append(f"| all | {len(rows)} | {len(rows) - sum(kept.values())} | {sum(kept.values())} |")
    lines += ["", "Accepted (the statement is the same in each, and rebuilt from the graph):", ""]
    lines += [f"- {x.claim}: {x.kind}, {x.change}" for x in rows if not x.reason]
    return "\n".join(lines) + "\n"


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    started = time.perf_counter()
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        paths = certificates(folder, shipped_files())
        rows = run(folder, paths, args.count, args.seed)
    text = table(rows, args.seed, time.perf_counter() - started)
    TABLE.write_text(text, encoding="utf-8")
    print(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
