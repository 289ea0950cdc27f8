"""The front half of the pipeline, as a table.

| # | stage            | from                | to                     | may fail with |
|---|------------------|---------------------|------------------------|---------------|
| 0 | read             | path                | `SourceFile`           | E00xx         |
| 1 | parse            | `SourceFile`        | `ast.Module`           | E01xx         |
| 2 | resolve + check  | `ast.Module`        | `core.program.Program` | E02xx - E06xx |
| 3 | lower            | `Program`           | `Graph`, claims        | E0415, E0503  |
| 4 | prove            | `Graph`, claims     | `ClaimReport`s         | -             |

Stages 5 to 8 (differentiate, plan, emit, run) belong to `gendsl.run.session`. A stage that reports
errors ends the analysis; what was made until then is in the result. Nothing here imports torch, and
a stage is imported when it is first run: a program that is kept (`gendsl.run.kept`) needs none.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gendsl import resources
from gendsl.diagnostics.model import GendslError, Sink, fail
from gendsl.source.read import read_source
from gendsl.source.text import SourceFile

if TYPE_CHECKING:
    from gendsl.core.claim import Claim
    from gendsl.core.program import Interface, Program
    from gendsl.ir.graph import Graph
    from gendsl.prove.verdict import ClaimReport

# Terms nest as deeply as a program has lines that build on the line before; Python's own limit of
# 1,000 calls would end at a hundred. The prover keeps that limit: there it bounds a search.
DEEPEST = 50_000

Keep = Callable[["Claim", Any], None]  # Any: an Outcome
Begin = Callable[["Claim"], None]


@dataclass(frozen=True)
class Imported:
    """A module as the file at the path `importer` was given it."""

    name: str
    importer: str
    source: SourceFile


@dataclass(frozen=True)
class Analysis:
    """What is known about a program after the front half; later fields are None after an error.

    `imports` are in the order in which they were needed; `graph_hash` is None for a module without
    objectives (a stdlib module)."""

    path: str
    source: SourceFile | None = None
    imports: tuple[Imported, ...] = ()
    program: Program | None = None
    graph: Graph | None = None
    graph_hash: str | None = None
    obligations: tuple[Claim, ...] = ()
    claims: tuple[ClaimReport, ...] = ()

    @property
    def interface(self) -> Interface | None:
        return None if self.program is None else self.program.interface


def analyse(
    path: str,
    sink: Sink,
    *,
    prove: bool = True,
    keep: Keep | None = None,
    begin: Begin | None = None,
    texts: Mapping[str, str] | None = None,
) -> Analysis:
    """Stages 0 to 4 for one file; `prove=False` stops before the prover. `begin` is shown each
    claim before it is asked, `keep` each one with its outcome (the evidence, which a report does
    not hold). `texts` are files as they once were, by path: they are not read from the disk."""
    from gendsl.ir.text import graph_hash
    from gendsl.lower.program import lower

    result = Analysis(path)
    try:
        with deep():
            source = read(path, texts)
            result = replace(result, source=source)
            imports: list[Imported] = []
            program = check_program(source, sink, imports, texts)
            result = replace(result, imports=tuple(imports))
            if program is None:
                return result
            result = replace(result, program=program)
            lowered = lower(program)
            digest = graph_hash(lowered.graph) if lowered.graph.objectives else None
            result = replace(
                result, graph=lowered.graph, graph_hash=digest, obligations=lowered.claims
            )
    except GendslError as problem:
        for diagnostic in problem.diagnostics:
            sink.report(diagnostic)
        return result
    if prove:
        result = replace(result, claims=settle(result, keep, begin))
    return result


@contextmanager
def deep() -> Iterator[None]:
    """Calls may nest up to `DEEPEST` inside; beyond that the program is refused (E0006)."""
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(max(before, DEEPEST))
    try:
        yield
    except RecursionError as problem:
        raise fail(
            "E0006",
            "values of this program build on each other in too many steps",
            help="write repeated steps as a `for` loop",
        ) from problem
    finally:
        sys.setrecursionlimit(before)


def settle(
    analysis: Analysis, keep: Keep | None = None, begin: Begin | None = None
) -> tuple[ClaimReport, ...]:
    """Stage 4: a verdict for every claim; `begin` is shown each one before it is asked."""
    if not analysis.obligations:
        return ()
    from gendsl.prove.settle import settle as prove_all

    assert analysis.graph is not None and analysis.interface is not None
    return prove_all(
        analysis.graph, analysis.obligations, analysis.interface, keep=keep, begin=begin
    )


def read(path: str, texts: Mapping[str, str] | None = None) -> SourceFile:
    """Stage 0: the file at `path`, or the shipped program of that name (`vae`)."""
    if texts is not None and path in texts:
        return SourceFile(path, texts[path])
    file = Path(path)
    if not file.exists() and "/" not in path and not path.endswith(".gml"):
        shipped = resources.shipped("programs", path)
        if shipped is not None:
            file = shipped
    return read_source(file, path if file == Path(path) else str(file))


def check_program(
    source: SourceFile,
    sink: Sink,
    imports: list[Imported],
    texts: Mapping[str, str] | None = None,
) -> Program | None:
    """Stages 1 and 2; what is read besides the program is added to `imports`."""
    from gendsl.core.from_syntax import check

    def find(name: str, importer: str) -> SourceFile | None:
        found = find_module(name, importer, texts)
        if found is not None:
            imports.append(Imported(name, importer, found))
        return found

    return check(source, module_name(source.path), sink, find, resources.names("stdlib"))


def module_name(path: str) -> str:
    """ "" for a program; the module's name for a file of the stdlib."""
    file = Path(path)
    shipped = resources.shipped("stdlib", file.stem)
    return file.stem if shipped is not None and file.exists() and shipped.samefile(file) else ""


def find_module(
    name: str, importer: str, texts: Mapping[str, str] | None = None
) -> SourceFile | None:
    """The source of an imported module: the stdlib's, else one beside the importing file."""
    shipped = resources.shipped("stdlib", name)
    if shipped is not None:
        return read_source(shipped, str(shipped))
    beside = Path(importer).parent / f"{name}.gml"
    if texts is not None and str(beside) in texts:
        return SourceFile(str(beside), texts[str(beside)])
    found = name.isidentifier() and beside.is_file()
    return read_source(beside, str(beside)) if found else None
