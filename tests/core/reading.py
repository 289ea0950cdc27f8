"""Programs from text, for tests of the checker."""

from __future__ import annotations

from collections.abc import Mapping

from gendsl.core.from_syntax import check
from gendsl.core.program import Program
from gendsl.diagnostics.model import Sink
from gendsl.driver import find_module
from gendsl.resources import names
from gendsl.source.text import SourceFile


def checked(text: str, modules: Mapping[str, str] | None = None) -> tuple[Program | None, Sink]:
    """The program of a text, with `modules` beside it, and what was reported."""
    beside = modules or {}

    def find(name: str, importer: str) -> SourceFile | None:
        if name in beside:
            return SourceFile(f"{name}.gml", beside[name])
        return find_module(name, importer)

    sink = Sink()
    program = check(SourceFile("program.gml", text), "", sink, find, [*names("stdlib"), *beside])
    return program, sink


def program_of(text: str, modules: Mapping[str, str] | None = None) -> Program:
    """The program of a text that must be right."""
    program, sink = checked(text, modules)
    assert program is not None, sink.sorted()
    return program


def codes_of(text: str, modules: Mapping[str, str] | None = None) -> list[str]:
    """The codes reported for a text, in order of place."""
    return [d.code for d in checked(text, modules)[1].sorted()]
