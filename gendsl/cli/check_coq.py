"""The part of `gendsl check` about Coq: `--coq` judges exported claims, `--certify` writes them.

In: a file's settled claims. Out: reports whose accepted claims name the layer "coq", and lines that
say what was accepted, what was not exported and why.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from itertools import accumulate, count
from pathlib import Path
from typing import Any

from gendsl.cli.check import Extra
from gendsl.core.claim import Claim
from gendsl.diagnostics.model import fail
from gendsl.driver import Analysis
from gendsl.prove.certify import file_stem, write_text
from gendsl.prove.coq import runner
from gendsl.prove.coq.claims import ClaimResult, exports, results
from gendsl.prove.export_lean import lean_text

LONGEST = 400  # characters of a formula in the report; certificates and JSON have all of it
_SIZE = re.compile(r"\((\w+) : nat\) \(H\w+ : \(0 < \w+\)%nat\)")
_TENSOR = re.compile(r"\((\w+) : ((?:nat -> )*)R\)")
_HYPOTHESIS = re.compile(r"\(\w+ : (.*)\)")
_TYPE = re.compile(r"\w+(?: -> \w+)*")

Settled = Sequence[tuple[Claim, Any]]


def judged(analysis: Analysis, settled: Settled) -> tuple[Analysis, Extra]:
    """The analysis with the layer "coq" where it accepts, and the part of the report."""
    coqc = runner.find()
    if coqc is None:
        raise fail("E0671", runner.MISSING, help=runner.HOW_TO_GET)
    found = results(coqc, _exports(analysis, settled))
    accepted = {r.claim for r in found if r.state == "accepted"}
    claims = tuple(
        replace(r, layers=(*r.layers, "coq")) if r.name in accepted else r for r in analysis.claims
    )
    version = runner.version(coqc)
    json = {
        "agrees": all(r.state != "rejected" for r in found),
        "version": version,
        "claims": [asdict(r) for r in found],
    }
    words = {r.name: " ".join(r.statement.split()) for r in analysis.claims}
    lines = tuple(_lines(found, version, words))
    return replace(analysis, claims=claims), Extra("coq", json, lines)


def _exports(analysis: Analysis, settled: Settled) -> Any:
    assert analysis.graph is not None and analysis.interface is not None
    stem = re.sub(r"\W", "_", _stem(analysis))
    return exports(settled, analysis.graph, analysis.interface, stem)


def _stem(analysis: Analysis) -> str:
    return file_stem(analysis.path if analysis.source is None else analysis.source.path)


def _lines(found: Sequence[ClaimResult], version: str, words: Mapping[str, str]) -> list[str]:
    """`words` are the claims as the program says them, by name."""
    accepted = sum(r.state == "accepted" for r in found)
    lines = [f"coq      {accepted} of {len(found)} proved claims accepted by coqc {version}"]
    for r in found:
        if r.state == "accepted":
            lines.append(f"         accepted: {r.claim}: {words.get(r.claim, '')}")
            lines += [f"           {line}" for line in shown(r.statement)]
        else:
            lines.append(f"         {r.state}: {r.claim}: {r.reason}")
    return lines


def shown(statement: str) -> list[str]:
    """What Coq was asked, for a reader who judges whether that is the claim: sizes and tensors in a
    line each, indices numbered from 1, a long formula cut."""
    rows = [line.strip() for line in statement.splitlines()[1:]]
    rows[0] = rows[0].removeprefix("forall ")
    sizes, tensors, rest = [], [], []
    for row in rows:
        binder = row.removesuffix(",")
        if m := _SIZE.fullmatch(binder):
            sizes.append(m[1])
        elif m := _TENSOR.fullmatch(binder):
            places = ", ".join("." * m[2].count("nat"))
            tensors.append(f"{m[1]}({places})" if places else m[1])
        elif (m := _HYPOTHESIS.fullmatch(binder)) and _is_one(m[1]):
            rest.append(f"given {m[1]}")
        else:
            rest.append(row)
    lines = [f"for all sizes {', '.join(sizes)} above 0"] if sizes else []
    lines += [f"for all real {', '.join(tensors)}"] if tensors else []
    return [_cut(_numbered(line)) for line in (*lines, *rest)]


def _is_one(text: str) -> bool:
    """Whether this is a proposition: no type, and nothing that goes on behind its bracket."""
    open_ = list(accumulate({"(": 1, ")": -1}.get(c, 0) for c in text))
    return not _TYPE.fullmatch(text) and min(open_, default=0) >= 0


def _numbered(line: str) -> str:
    """Indices in the order in which they appear: `i1195` is `i1`, unless something is called so."""
    used = set(re.findall(r"\w+", line))
    fresh = (f"{i}" for i in count(1) if not {f"i{i}", f"Hi{i}"} & used)
    names: dict[str, str] = {}

    def renamed(match: re.Match[str]) -> str:
        if match[2] not in names:
            names[match[2]] = next(fresh)
        return f"{match[1]}i{names[match[2]]}"

    return re.sub(r"\b(H?)i(\d{3,})\b", renamed, line)


def _cut(line: str) -> str:
    left = len(line) - LONGEST
    if left <= 0:
        return line
    return f"{line[:LONGEST]} ... ({left} more characters: `--certify DIR` writes them)"


def write_exports(folder: Path, analysis: Analysis, settled: Settled) -> None:
    """`FOLDER_NAME.v` and `FOLDER.NAME.lean` beside the certificates."""
    made = _exports(analysis, settled)
    groups = [e.theorems for _, e in made if e.theorems]
    stem = _stem(analysis)
    if groups:
        module = re.sub(r"\W", "_", stem)  # coqc takes the name of a file as that of a module
        write_text(folder / f"{module}.v", runner.script(groups))
        write_text(folder / f"{runner.LIBRARY}.v", runner.library_source().read_text("utf-8"))
        write_text(
            folder / f"{stem}.lean", lean_text(t.lean for group in groups for t in group if t.lean)
        )
