"""Claims before Coq: which of a file's proved claims are accepted, and why the others are not.

In: proved claims with their outcomes. Out: one `ClaimResult` for each. A claim is accepted when Coq
accepts the theorem of each of its sequents.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from gendsl.core import claim as c
from gendsl.core.program import Interface
from gendsl.ir.graph import Graph
from gendsl.prove.case import Outcome
from gendsl.prove.coq import runner
from gendsl.prove.coq.export import Export, export
from gendsl.prove.settle import setting_of

CLASSES = ("equality", "inequality", "zero-iff", "monotone", "law", "gradient", "batch", "other")


@dataclass(frozen=True)
class ClaimResult:
    """`state` is "accepted", "rejected" (by Coq), "late" (Coq took too long) or "not exported";
    `reason` for all but the first."""

    claim: str
    kind: str
    state: str
    reason: str = ""
    statement: str = ""  # as Coq reads it
    axioms: tuple[str, ...] = ()  # what `Print Assumptions` listed


def kind_of(claim: c.Claim) -> str:
    """The class of a claim, for tables."""
    match claim.body:
        case c.Plain(c.Compare(op)):
            return "equality" if op in ("==", "!=") else "inequality"
        case c.Plain(c.GradEqual()) | c.Leaves():
            return "gradient"
        case c.Independent():
            return "gradient" if claim.body.group is not None else "equality"
        case c.InRange():
            return "inequality"
        case c.Iff():
            return "zero-iff"
        case c.Monotone():
            return "monotone"
        case c.HasLaw() | c.IterateLaw() | c.Bounds():
            return "law"
        case c.RepeatInvariant() | c.Separable():
            return "batch"
        case _:
            return "other"


def exports(
    settled: Sequence[tuple[c.Claim, Outcome]], graph: Graph, interface: Interface, stem: str
) -> list[tuple[c.Claim, Export]]:
    """The exports of the proved claims of one file."""
    found = []
    for claim, outcome in settled:
        if outcome.verdict == "proved":
            setting = setting_of(graph, claim, interface, float("inf"))
            found.append((claim, export(claim, outcome, setting, stem, graph.params)))
    return found


def results(coqc: str, made: Sequence[tuple[c.Claim, Export]]) -> list[ClaimResult]:
    """What Coq says about exported claims."""
    groups = [e.theorems for _, e in made if e.theorems]
    judged = {j.name: j for j in runner.judge(coqc, groups)} if groups else {}
    found = []
    for claim, e in made:
        if not e.theorems:
            found.append(ClaimResult(e.claim, kind_of(claim), "not exported", e.reason))
            continue
        j = judged[e.theorems[-1].name]
        state = "accepted" if j.accepted else "late" if j.late else "rejected"
        statement, axioms = e.theorems[-1].statement, tuple(sorted(j.axioms))
        found.append(ClaimResult(e.claim, kind_of(claim), state, j.reason, statement, axioms))
    return found
