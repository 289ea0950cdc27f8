"""`gendsl check PATHS`: type-check programs and settle their claims.

Each file is analysed on its own, in the order given; a folder stands for the `.gml` files directly
in it. Reports go to stdout. The exit code is that of the worst file: 1 for an error or a refuted
claim, 3 where claims stay open, 0 otherwise. Nothing here imports torch.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gendsl.cli.codes import OK, UNSETTLED, WRONG
from gendsl.cli.flags import UsageError, add_format, one_of
from gendsl.cli.programs import require_program
from gendsl.core.claim import Claim
from gendsl.diagnostics.model import Diagnostic, GendslError, Severity, Sink
from gendsl.driver import Analysis, analyse
from gendsl.options import FRONT_STAGES
from gendsl.run.proving import Proving

Say = Callable[[str], None]  # is told of progress in lines of text


@dataclass(frozen=True)
class Extra:
    """A further part of a report: its key and value in JSON, its lines as text."""

    key: str
    json: Any
    lines: tuple[str, ...]


@dataclass(frozen=True)
class Checked:
    """One file, what is known about it, and how long that took."""

    analysis: Analysis
    diagnostics: tuple[Diagnostic, ...]
    seconds: float
    extras: tuple[Extra, ...] = ()

    @property
    def code(self) -> int:
        """The exit code for this file alone."""
        verdicts = {claim.verdict for claim in self.analysis.claims}
        if "refuted" in verdicts or any(d.severity is Severity.ERROR for d in self.diagnostics):
            return WRONG
        if any(e.key == "coq" and not e.json["agrees"] for e in self.extras):
            return UNSETTLED  # a judge that was asked rejects a theorem
        if any(e.key == "kernels" and not e.json["proved"] for e in self.extras):
            return UNSETTLED
        return UNSETTLED if verdicts - {"proved", "certified"} else OK


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "paths",
        nargs="*",
        metavar="PATH",
        help="a .gml file, a folder of them, or the name of a shipped program (vae)",
    )
    add_format(parser)
    parser.add_argument(
        "--emit",
        type=one_of(FRONT_STAGES),
        metavar="STAGE",
        help=f"print a stage instead of a report: {', '.join(FRONT_STAGES)}",
    )
    parser.add_argument(
        "--battery",
        action="store_true",
        help="also ask what no claim was written for: terms, signs, gradients, batch, sizes",
    )
    parser.add_argument(
        "--floats",
        action="store_true",
        help="also bound the rounding errors of each term in float32",
    )
    parser.add_argument(
        "--explain",
        metavar="CLAIM",
        help="print the proof of one claim in steps (--latex: as LaTeX)",
    )
    parser.add_argument(
        "--certify",
        type=Path,
        metavar="DIR",
        help="write a certificate of each proved claim, for `gendsl recheck DIR`",
    )
    parser.add_argument(
        "--coq",
        action="store_true",
        help="let coqc judge the proved claims that can be exported",
    )
    parser.add_argument(
        "--kernels",
        action="store_true",
        help="also prove that the emitted torch and Triton source computes the graph",
    )
    parser.add_argument("--latex", action="store_true", help="with --explain: print LaTeX")


def execute(args: argparse.Namespace) -> int:
    if not args.paths:
        raise UsageError("nothing to check", "`gendsl check FILE.gml`, or a folder, or `vae`")
    if args.emit:
        return emit(args.paths, args.emit, args.format)
    if args.explain:
        from gendsl.cli.explain_claim import explain

        return explain(files(args.paths), args.explain, latex=args.latex)
    asked = tuple(name for name in ("battery", "floats", "kernels", "coq") if getattr(args, name))
    return check_all(files(args.paths), args.format, asked, args.certify)


def check_all(
    paths: Sequence[str],
    format: str,
    asked: tuple[str, ...] = (),
    certificates: Path | None = None,
) -> int:
    """Check and report file by file, so that the first results are seen at once; `asked` names
    further parts of the report, `certificates` the folder for proof objects."""
    from gendsl.cli.check_report import Reporter

    if certificates is not None:
        from gendsl.run.files import disk_errors

        with disk_errors("make", certificates):  # before anything is proved in vain
            certificates.mkdir(parents=True, exist_ok=True)
    reporter = Reporter(format, sys.stdout)
    done = []
    for path in paths:
        checked = check_one(path, asked, certificates, reporter.progress())
        reporter.file(checked)
        done.append(checked)
        sys.stdout.flush()
    reporter.end(done)
    return worst([checked.code for checked in done])


def check_one(
    path: str,
    asked: tuple[str, ...] = (),
    certificates: Path | None = None,
    say: Say | None = None,
) -> Checked:
    started = time.perf_counter()
    sink = Sink()
    settled: list[tuple[Claim, Any]] = []
    keep = certificates is not None or "coq" in asked
    try:
        require_program(path)
        with Proving(sys.stderr) as shown:
            analysis = analyse(
                path,
                sink,
                keep=(lambda *row: settled.append(row)) if keep else None,
                begin=None if say is None else lambda claim: shown.begin(claim.name),
            )
    except GendslError as problem:
        for diagnostic in problem.diagnostics:
            sink.report(diagnostic)
        analysis = Analysis(path)
    if certificates is not None and settled:
        from gendsl.cli.check_coq import write_exports
        from gendsl.prove.certify import write
        from gendsl.run.files import disk_errors

        assert analysis.graph is not None and analysis.interface is not None
        source = path if analysis.source is None else analysis.source.path
        with disk_errors("write in", certificates):
            write(certificates, source, analysis.graph, analysis.interface, settled)
            write_exports(certificates, analysis, settled)
    extras: tuple[Extra, ...] = ()
    if "coq" in asked and settled:
        from gendsl.cli.check_coq import judged

        try:
            analysis, part = judged(analysis, settled)
            extras = (part,)
        except GendslError as problem:
            for diagnostic in problem.diagnostics:
                sink.report(diagnostic)
    if asked and analysis.graph is not None:
        from gendsl.cli.check_extras import extra_parts

        extras += extra_parts(analysis, tuple(name for name in asked if name != "coq"), say)
    return Checked(analysis, sink.sorted(), time.perf_counter() - started, extras)


def worst(codes: Sequence[int]) -> int:
    """1 before 3 before 0."""
    return WRONG if WRONG in codes else max(codes, default=OK)


def files(paths: Sequence[str]) -> list[str]:
    """The arguments with folders replaced by their `.gml` files."""
    found: list[str] = []
    for path in paths:
        if Path(path).is_dir():
            inside = sorted(str(file) for file in Path(path).glob("*.gml"))
            if not inside:
                raise UsageError(f"{path} holds no .gml file", "name a file, or another folder")
            found += inside
        else:
            found.append(path)
    return found


def emit(paths: Sequence[str], stage: str, format: str) -> int:
    """Print one stage of each file; diagnostics go to stderr. A stage that was reached is printed
    even when a later one fails."""
    from gendsl.cli.emit import stage_text
    from gendsl.cli.output import report

    codes = []
    for path in files(paths):
        require_program(path)
        sink = Sink()
        text = stage_text(analyse(path, sink, prove=False), stage)
        report(sink.sorted(), format)
        sys.stdout.write(text or "")
        codes.append(WRONG if sink.has_errors else OK)
    return worst(codes)
