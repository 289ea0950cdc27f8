"""Verdicts on claims, as every report shows them.

The five words are never mixed: "proved" (a proof object that the kernel accepted), "certified" (a
rigorous interval bound over a stated box), "measured" (sampled, with n, seed and test), "refuted"
(a concrete counterexample, re-evaluated by the reference interpreter) and "unknown" (`goal` is what
was left over). Order of `VERDICTS`: from the strongest yes to no answer.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from gendsl.source.text import Span

Verdict = Literal["proved", "certified", "measured", "refuted", "unknown"]
VERDICTS: tuple[Verdict, ...] = get_args(Verdict)


@dataclass(frozen=True)
class ClaimReport:
    """What was found about one claim.

    `name` is qualified by its subject (`neg_elbo.kl_nonneg`), `statement` the claim as written.
    `layers` says where it holds ("reals", "float32") and who agreed ("kernel", "recheck", "coq");
    `laws` the trusted laws a proof used. `witness` is the counterexample or the sampled evidence:
    JSON values only. `goal` is what an unknown claim leaves to show; `note` is one line for the
    user (a missing hypothesis that would do, a vacuous one). `ms` is how long it took.
    """

    name: str
    statement: str
    verdict: Verdict
    layers: tuple[str, ...] = ()
    laws: tuple[str, ...] = ()
    witness: Mapping[str, Any] | None = None
    goal: str | None = None
    note: str | None = None
    ms: float = 0.0
    span: Span | None = None
    aliases: tuple[str, ...] = field(default=())


def count(reports: Iterable[ClaimReport]) -> dict[Verdict, int]:
    """How many claims have each verdict; verdicts that none has are left out."""
    total = dict.fromkeys(VERDICTS, 0)
    for report in reports:
        total[report.verdict] += 1
    return {verdict: n for verdict, n in total.items() if n}
