"""Claims that are proved without sequents: which of them have a theorem in Coq, and by what."""

from __future__ import annotations

from collections.abc import Mapping

from gendsl.core import claim as c
from gendsl.ir.graph import ParamInfo
from gendsl.prove.coq import batch_claims, flow_claims, law_claims
from gendsl.prove.coq.expr import NotExported
from gendsl.prove.coq.header import Theorem
from gendsl.prove.coq.whole import Prove
from gendsl.prove.reading import Setting


def direct(
    claim: c.Claim, setting: Setting, name: str, prove: Prove, params: Mapping[str, ParamInfo]
) -> tuple[Theorem, ...]:
    """The theorems of a claim, the claim's own last; `params` are those of the graph."""
    match claim.body:
        case c.RepeatInvariant(value, batch):
            return batch_claims.theorem(value, batch, setting, name, separable=False)
        case c.Separable(value, batch):
            return batch_claims.theorem(value, batch, setting, name, separable=True)
        case c.HasLaw():
            return law_claims.theorems(claim, claim.body, setting, name, prove)
        case c.Plain(c.GradEqual() | c.And()) | c.Independent():
            return flow_claims.theorems(claim.body, params, setting, name, prove)
        case c.Leaves():
            raise NotExported("it is about which groups a training step names, not about numbers")
        case _:
            raise NotExported(f"a form without a Coq statement ({type(claim.body).__name__})")
