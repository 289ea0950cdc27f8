"""A claim while it is settled, and the outcome of a form."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gendsl.core import claim as c
from gendsl.core.program import Interface
from gendsl.ir.graph import Graph
from gendsl.prove.props import Alternatives, alternatives
from gendsl.prove.reading import Setting
from gendsl.prove.sequent import Proof
from gendsl.prove.subgoal import Subgoal
from gendsl.prove.verdict import Verdict


@dataclass(frozen=True)
class Outcome:
    """A verdict with its evidence: `proofs` are the kernel theorems of a proved claim, `subgoals`
    those of a claim that is no comparison of nodes."""

    verdict: Verdict
    proofs: tuple[Proof, ...] = ()
    laws: tuple[str, ...] = ()
    witness: Mapping[str, Any] | None = None
    goal: str | None = None
    note: str | None = None
    subgoals: tuple[Subgoal, ...] = ()


@dataclass(frozen=True)
class Case:
    """A claim being settled."""

    claim: c.Claim
    graph: Graph
    interface: Interface
    setting: Setting

    @property
    def given(self) -> Alternatives:
        """The claim's hypotheses, as an "or" of "and"s."""
        return alternatives(c.And(self.claim.given), self.graph.builder)
