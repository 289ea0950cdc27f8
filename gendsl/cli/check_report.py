"""How `gendsl check` reports: text for people, one line per finding, or JSON Lines.

JSON Lines: one compact object per file, in argument order, and nothing else.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Sequence
from typing import Any, TextIO

from gendsl.cli.check import Checked, Say
from gendsl.cli.output import json_line, report, shown_path, source_at
from gendsl.cli.program_report import program_lines
from gendsl.diagnostics.counted import counted
from gendsl.diagnostics.render import summary, to_json
from gendsl.diagnostics.style import style_of
from gendsl.prove.verdict import ClaimReport, Verdict, count

ROLES: dict[Verdict, str] = {
    "proved": "good",
    "certified": "good",
    "measured": "name",
    "refuted": "bad",
    "unknown": "open",
}
_LABEL = 9  # columns of the left labels: "claims   "
_NAME = 32  # columns of claim names; longer ones push their statement to the right


class Reporter:
    """Writes what was found about each file, and a line about all of them."""

    def __init__(self, format: str, stream: TextIO) -> None:
        self.format = format
        self.stream = stream
        self.style = style_of(stream)
        self._first = True

    def file(self, checked: Checked) -> None:
        match self.format:
            case "json":
                self.stream.write(json_line(file_json(checked)))
            case "concise":
                report(checked.diagnostics, "concise", self.stream)
                for claim in checked.analysis.claims:
                    if claim.verdict not in ("proved", "certified"):
                        self.stream.write(self._claim_line(claim, checked) + "\n")
            case _:
                self._text(checked)

    def progress(self) -> Say | None:
        """What shows lines at once to a person at a terminal; None elsewhere."""
        if self.format != "text" or not self.stream.isatty():
            return None
        return lambda text: print(text, file=self.stream, flush=True)

    def end(self, done: Sequence[Checked]) -> None:
        """After several files, a line about them all."""
        if self.format != "text" or len(done) < 2:
            return
        wrong = sum(1 for c in done if c.code == 1)
        claims = [claim for c in done for claim in c.analysis.claims]
        parts = [f"{len(done)} files" + (f", {wrong} of them wrong" if wrong else "")]
        if claims:
            parts.append(_counted(claims))
        seconds = sum(c.seconds for c in done)
        text = self.style.paint("; ".join(parts), "title")
        self.stream.write(f"\n{text} in {seconds:.2f} s\n")

    # -- text -------------------------------------------------------------------------------

    def _text(self, checked: Checked) -> None:
        self.stream.write("" if self._first else "\n")
        self._first = False
        report(checked.diagnostics, "text", self.stream)
        analysis = checked.analysis
        name = self.style.paint(shown_path(_file(checked)), "title")
        found = summary(checked.diagnostics)
        if analysis.program is None or analysis.graph is None:
            self.stream.write(f"{name}: {found}\n")
            return
        lines = [name]
        lines += self._labelled(program_lines(analysis.program, analysis.graph_hash))
        lines += self._claims(analysis.claims)
        lines += [f"  {line}".rstrip() for extra in checked.extras for line in extra.lines]
        end = [_counted(analysis.claims)] if analysis.claims else ["no claims"]
        if found:
            end.append(found)
        lines.append(f"  {self.style.paint(', '.join(end), 'title')} in {checked.seconds:.2f} s")
        self.stream.write("\n".join(lines) + "\n")

    def _labelled(self, rows: Iterable[tuple[str, str]]) -> list[str]:
        """Rows with a left label, shown once for each run of equal ones."""
        lines, before = [], ""
        for label, text in rows:
            shown = "" if label == before else label
            before = label
            lines.append(f"  {self.style.paint(f'{shown:<{_LABEL}}', 'faint')}{text}".rstrip())
        return lines

    def _claims(self, claims: Sequence[ClaimReport]) -> list[str]:
        """One row for each claim, under the name of the objective or function it is about."""
        words = max((len(c.verdict) for c in claims), default=0)
        names = min(_NAME, max((len(_own_name(c)) for c in claims), default=0))
        lines, before = [], ""
        for i, claim in enumerate(claims):
            label = self.style.paint(f"{'claims' if i == 0 else '':<{_LABEL}}", "faint")
            subject = claim.name.rpartition(".")[0]
            if subject != before:
                lines.append(f"  {label}{self.style.paint(subject + ':', 'name')}")
                label, before = " " * _LABEL, subject
            verdict = self.style.paint(f"{claim.verdict:<{words}}", ROLES[claim.verdict])
            indent = 2 + _LABEL + words + 2 + names + 2
            first, *rest = self._wrapped(" ".join(claim.statement.split()), indent)
            lines.append(f"  {label}{verdict}  {_own_name(claim):<{names}}  {first}")
            lines += [" " * indent + line for line in rest]
            for remark in remarks(claim):
                wrapped = self._wrapped(remark, indent)
                lines += [" " * indent + self.style.paint(line, "faint") for line in wrapped]
        return lines

    def _wrapped(self, text: str, indent: int) -> list[str]:
        room = max(40, self.style.width - indent)
        return textwrap.wrap(text, room, break_long_words=False, break_on_hyphens=False) or [""]

    # -- concise ----------------------------------------------------------------------------

    def _claim_line(self, claim: ClaimReport, checked: Checked) -> str:
        verdict = self.style.paint(f"{claim.verdict}[{claim.name}]", ROLES[claim.verdict])
        place = shown_path(_file(checked))
        line = _line(claim)
        statement = " ".join(claim.statement.split())
        return f"{place}:{line}: {verdict}: {statement}" if line else f"{place}: {verdict}"


def remarks(claim: ClaimReport) -> list[str]:
    """What to say under a claim: the counterexample, what is left to show, a hint."""
    found = []
    if claim.witness:
        found += _witness(claim)
    if claim.goal and claim.verdict == "unknown":
        found.append(f"left to show: {claim.goal}")
    if claim.note:
        found.append(claim.note)
    return found


def _own_name(claim: ClaimReport) -> str:
    """The name without its subject."""
    return claim.name.rpartition(".")[2]


def _witness(claim: ClaimReport) -> list[str]:
    """A counterexample: what it makes of the claim at which sizes, then the values."""
    from gendsl.prove.explain_proof import witness_lines

    assert claim.witness is not None
    lines = list(witness_lines(claim.witness))
    if claim.verdict == "measured":
        return ["measured: " + "; ".join(line.strip() for line in lines)]
    values = [line.strip() for line in lines if line.startswith("  ")]
    about = [line for line in lines if not line.startswith("  ")]
    return [
        f"false {'; '.join(about)}",
        *([f"where {', '.join(values)}"] if values else []),
    ]


def _counted(claims: Sequence[ClaimReport]) -> str:
    """`8 claims: 7 proved, 1 unknown`."""
    counts = ", ".join(f"{n} {verdict}" for verdict, n in count(claims).items())
    return f"{counted(len(claims), 'claim')}: {counts}"


def _file(checked: Checked) -> str:
    source = checked.analysis.source
    return checked.analysis.path if source is None else source.path


def _line(claim: ClaimReport) -> int | None:
    source = None if claim.span is None else source_at(claim.span.path)
    if source is None or claim.span is None:
        return None
    return source.position(claim.span.start)[0]


def file_json(checked: Checked) -> dict[str, Any]:
    """The object for one file."""
    return {
        "file": shown_path(_file(checked)),
        "graph_hash": checked.analysis.graph_hash,
        "claims": [claim_json(claim) for claim in checked.analysis.claims],
        "diagnostics": [to_json(d, source_at) for d in checked.diagnostics],
        **{extra.key: extra.json for extra in checked.extras},
    }


def claim_json(claim: ClaimReport) -> dict[str, Any]:
    return {
        "name": claim.name,
        "statement": claim.statement,
        "verdict": claim.verdict,
        "layers": list(claim.layers),
        "laws": list(claim.laws),
        "witness": None if claim.witness is None else dict(claim.witness),
        "goal": claim.goal,
        "note": claim.note,
        "ms": round(claim.ms, 3),
        "line": _line(claim),
        "aliases": list(claim.aliases),
    }
