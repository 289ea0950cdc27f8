"""Which needs a claim has, by its form."""

from __future__ import annotations

from collections.abc import Mapping

from .batch_needs import batch_needs
from .bound_needs import bound_needs, up_to_needs
from .gradient_needs import gradient_needs
from .law_needs import iterated_needs, law_needs
from .needs import Need
from .obligation import Claim


def needs_of(claim: Claim, groups: Mapping[str, str]) -> list[Need] | None:
    """What subgoals have to show; None for a claim about lines of the program alone."""
    body = claim.body
    match body["is"]:
        case "HasLaw":
            return law_needs(claim, claim.node(body["value"]), body["law"])
        case "IterateLaw":
            return iterated_needs(claim, body)
        case "Plain" | "Independent":
            return gradient_needs(claim, groups)
        case "RepeatInvariant" | "Separable":
            return batch_needs(claim)
        case "Bounds":
            return bound_needs(claim)
        case "UpTo":
            return up_to_needs(claim, groups)
        case _:
            return None
