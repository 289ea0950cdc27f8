"""The part of `gendsl check` about Coq: `--coq` judges exported claims, `--certify` writes them.

In: a file's settled claims. Out: reports whose accepted claims name the layer "coq", and lines that
say what was accepted, what was not exported and why.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import asdict, replace
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
    return replace(analysis, claims=claims), Extra("coq", json, tuple(_lines(found, version)))


def _exports(analysis: Analysis, settled: Settled) -> Any:
    assert analysis.graph is not None and analysis.interface is not None
    stem = re.sub(r"\W", "_", _stem(analysis))
    return exports(settled, analysis.graph, analysis.interface, stem)


def _stem(analysis: Analysis) -> str:
    return file_stem(analysis.path if analysis.source is None else analysis.source.path)


def _lines(found: Sequence[ClaimResult], version: str) -> list[str]:
    accepted = sum(r.state == "accepted" for r in found)
    lines = [f"coq      {accepted} of {len(found)} proved claims accepted by coqc {version}"]
    for r in found:
        if r.state == "accepted":
            lines += [f"         accepted: {r.claim}, as", *shown(r.statement)]
        else:
            lines.append(f"         {r.state}: {r.claim}: {r.reason}")
    return lines


def shown(statement: str) -> list[str]:
    """What Coq was asked, indented: the reader judges whether that is the claim."""
    return [f"           {line.strip()}" for line in statement.splitlines()[1:]]


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
