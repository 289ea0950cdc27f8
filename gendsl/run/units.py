"""The unit of an objective and its terms.

In: the program's claims. Out: "nats" for an objective that a claim says to bound a negative log
likelihood, else no unit: squared errors, margins and adversarial losses have none to speak of.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

NATS = "nats"
_BOUND = " bounds nll("


def objectives_in_nats(claims: Iterable[Mapping[str, Any]]) -> frozenset[str]:
    """By the claims as a manifest has them: name ("neg_elbo.elbo") and statement."""
    return frozenset(c["name"].split(".", 1)[0] for c in claims if _BOUND in c["statement"])


def unit_of(metric: str, in_nats: frozenset[str]) -> str:
    """Of an objective ("neg_elbo") or a term of it ("neg_elbo.kl")."""
    return NATS if metric.split(".", 1)[0] in in_nats else ""
