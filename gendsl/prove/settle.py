"""Claims to verdicts: the entry point of the prover.

In: a graph, its claims, the interface of the program. Out: one `ClaimReport` for each claim.
Always: `proved` only with kernel theorems for every sequent or subgoal of the claim (but for which
groups a training step names, and means over a batch that are shown by their form); whatever could
not be done in time is `unknown` with the goal that is left.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace

from gendsl.core import claim as c
from gendsl.core.program import Interface
from gendsl.ir.graph import Graph, Node
from gendsl.prove import forms
from gendsl.prove.budget import undisturbed
from gendsl.prove.case import Case, Outcome
from gendsl.prove.kernel.normal import KernelError, stop_at
from gendsl.prove.props import IllPosed
from gendsl.prove.reading import Setting
from gendsl.prove.verdict import ClaimReport
from gendsl.shape.dim import Dim
from gendsl.shape.tensor_type import Range

SECONDS = 4.0  # of processor time for one claim


Keep = Callable[[c.Claim, Outcome], None]
Begin = Callable[[c.Claim], None]


def settle(
    graph: Graph,
    claims: Sequence[c.Claim],
    interface: Interface,
    *,
    seconds: float = SECONDS,
    keep: Keep | None = None,
    begin: Begin | None = None,
) -> tuple[ClaimReport, ...]:
    """A verdict for every claim; `begin` is shown each claim before it is asked, `keep` each
    outcome, complete in itself. What was shown to be defined is shared by claims whose variables
    have the same ranges."""
    defined: dict[frozenset[c.Variable], set[Node]] = {}
    reports = []
    for claim in claims:
        if begin is not None:
            begin(claim)
        shared = None if keep else defined.setdefault(frozenset(claim.variables), set())
        reports.append(
            settle_one(graph, claim, interface, seconds=seconds, defined=shared, keep=keep)
        )
    return tuple(reports)


def settle_one(
    graph: Graph,
    claim: c.Claim,
    interface: Interface,
    *,
    seconds: float = SECONDS,
    defined: set[Node] | None = None,
    keep: Keep | None = None,
) -> ClaimReport:
    start, deadline = time.monotonic(), time.process_time() + seconds
    setting = setting_of(graph, claim, interface, deadline)
    if defined is not None:
        setting = replace(setting, defined=defined)
    stop_at(deadline)
    try:
        with undisturbed():
            outcome = forms.settled(Case(claim, graph, interface, setting))
    except IllPosed as problem:
        outcome = Outcome("unknown", goal=str(problem), note="ill-posed")
    except (KernelError, RecursionError) as problem:
        outcome = Outcome("unknown", goal=str(problem) or type(problem).__name__)
    finally:
        stop_at(float("inf"))
    if keep is not None:
        keep(claim, outcome)
    name = f"{claim.subject}.{claim.name}" if claim.subject else claim.name
    return ClaimReport(
        name=name,
        statement=claim.source,
        verdict=outcome.verdict,
        layers=("reals",) if outcome.verdict == "proved" else (),
        laws=outcome.laws,
        witness=outcome.witness,
        goal=_readable(outcome.goal, claim, graph),
        note=outcome.note,
        ms=1000 * (time.monotonic() - start),
        span=claim.span,
        aliases=claim.aliases,
    )


def _readable(goal: str | None, claim: c.Claim, graph: Graph) -> str | None:
    """What is left to show, in the words of the program."""
    if goal is None or "%" not in goal:
        return goal
    from gendsl.prove.explain_proof import goal_text  # only where something is left

    return goal_text(goal, claim, graph)


def setting_of(graph: Graph, claim: c.Claim, interface: Interface, deadline: float) -> Setting:
    """The declared ranges and bounds that a claim may use."""
    ranges: dict[str, Range] = {}
    for name, hyper in interface.hypers.items():
        ranges[f"hyper:{name}"] = hyper.range
    for name, field in interface.data.items():
        if field.range is not None:
            ranges[f"data:{name}"] = field.range
    bounds: dict[Node, tuple[Dim | None, Dim | None]] = {}
    for v in claim.variables:
        if isinstance(v.low, Dim) or isinstance(v.high, Dim):
            bounds[v.node] = (_dim(v.low), _dim(v.high))
        elif v.low is not None or v.high is not None:
            ranges[f"argument:{v.node.op.key}"] = Range(v.low, v.high)  # type: ignore[attr-defined]
    least = {name: d.at_least for name, d in interface.dims.items()}
    return Setting(graph.builder, ranges, least, bounds, deadline)


def _dim(bound: object) -> Dim | None:
    return bound if isinstance(bound, Dim) else None
