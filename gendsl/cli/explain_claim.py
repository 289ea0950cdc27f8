"""`gendsl check PROGRAM --explain CLAIM`: the proof of one claim in steps, as text or LaTeX."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from gendsl.cli.codes import OK, UNSETTLED, WRONG
from gendsl.cli.flags import UsageError
from gendsl.cli.output import report
from gendsl.cli.programs import require_program
from gendsl.core.claim import Claim
from gendsl.diagnostics.model import Sink
from gendsl.diagnostics.suggest import did_you_mean
from gendsl.driver import Analysis, analyse


def explain(paths: Sequence[str], name: str, *, latex: bool = False) -> int:
    """Print how the claim `name` (or SUBJECT.NAME, or an alias) was settled."""
    known: list[str] = []
    for path in paths:
        require_program(path)
        sink = Sink()
        analysis = analyse(path, sink, prove=False)
        if sink.has_errors:
            report(sink.sorted(), "text")
            return WRONG
        found = [claim for claim in analysis.obligations if name in names_of(claim)]
        known += [claim.name for claim in analysis.obligations]
        if found:
            return max(_one(analysis, claim, latex=latex) for claim in found)
    hint = did_you_mean(name, known)
    raise UsageError(f"no claim is named {name}", hint or f"there are {', '.join(known[:8])}")


def names_of(claim: Claim) -> set[str]:
    own = {claim.name, *claim.aliases}
    return own | {f"{claim.subject}.{n}" for n in own} if claim.subject else own


def _one(analysis: Analysis, claim: Claim, *, latex: bool) -> int:
    from gendsl.prove.explain_proof import latex_text, plain_text
    from gendsl.prove.settle import settle_one

    assert analysis.graph is not None and analysis.interface is not None
    kept = []
    verdict = settle_one(
        analysis.graph, claim, analysis.interface, keep=lambda _, outcome: kept.append(outcome)
    ).verdict
    write = latex_text if latex else plain_text
    sys.stdout.write(write(claim, kept[0], analysis.graph, analysis.interface))
    return (
        OK if verdict in ("proved", "certified") else WRONG if verdict == "refuted" else UNSETTLED
    )
