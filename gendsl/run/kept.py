"""Programs as they are trained, kept on the disk between runs.

In: what the user asked for. Out: the program with its verdicts and its graphs, if an earlier run
made them from the same texts. Always: the key of an entry is a hash of the program's text and path,
of gendsl's own files but those that have no part in it, and of the versions of what they import; an
entry is taken only while every module that the program imports has the text that it had. So an
entry never outlives what it was made from, and a program that has been changed in any way is read,
checked and proved as if it was new. A claim that was not settled within its time is kept as
unknown, with what was left to show: it stays open, which never counts as a pass. A program with a
refuted claim is not kept, and `gendsl check` asks every claim anew. An entry that does not hold
what its hash says is made again, and that is said.
"""

from __future__ import annotations

import hashlib
import os
import platform
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

import gendsl
from gendsl import resources
from gendsl.cache import folder, read_entry, write_entry
from gendsl.driver import Imported, find_module, read
from gendsl.options import RunOptions

if TYPE_CHECKING:
    from gendsl.diagnostics.model import Diagnostic
    from gendsl.ir.graph import Node
    from gendsl.ir.step import StepGraph
    from gendsl.run.job import Source
    from gendsl.source.text import SourceFile

FORMAT = "gendsl program 1"
KEPT = 60  # entries; those not asked for longest go first
_NO_PART = {"__pycache__", "cli", "data", "editor", "recheck", "validate"}


@dataclass(frozen=True)
class Entry:
    """A program's place in the cache, and the bytes there."""

    path: Path
    body: bytes | None = None


@dataclass(frozen=True)
class Kept:
    """A program, its file, the warnings about it, what it imports, and its step after the graph
    passes with the values before the first one."""

    source: Source
    file: SourceFile
    warnings: tuple[Diagnostic, ...]
    imports: tuple[Imported, ...]
    step: StepGraph
    initial: Mapping[str, Node]


def look(options: RunOptions) -> Entry:
    """The program's place in the cache, and what is there if that can be trusted. Raises E000x when
    the program cannot be read."""
    path = _place(options)
    return Entry(path, read_entry(path, "program"))


def opened(entry: Entry, texts: Mapping[str, str] | None = None) -> Kept | None:
    """What is kept there, while the program imports what it did; `texts` as in `RunOptions`."""
    if entry.body is None:
        return None
    from gendsl.run.packed import unpack

    found = unpack(entry.body)
    assert isinstance(found, Kept)
    if any(find_module(i.name, i.importer, texts) != i.source for i in found.imports):
        return None
    return found


def keep(entry: Entry, made: Kept) -> None:
    """Keep a program none of whose claims is refuted."""
    from gendsl.run.packed import pack

    if any(claim.verdict == "refuted" for claim in made.source.claims):
        return
    builders = {id(b): b for b in (made.source.graph.builder, made.step.builder)}
    write_entry(entry.path, pack(made, list(builders.values())), "program", KEPT)


def _place(options: RunOptions) -> Path:
    digest = hashlib.sha256()
    for part in _parts(options):  # each after its length, so that no two lists read alike
        digest.update(b"%d\n" % len(part))
        digest.update(part)
    return folder("programs") / f"{digest.hexdigest()}.program"


def _parts(options: RunOptions) -> Iterator[bytes]:
    """Everything that decides about an entry, but for what the program imports."""
    source = read(options.program, options.texts)
    for text in (FORMAT, sys.version, platform.machine(), options.program, options.passes):
        yield text.encode()
    yield source.path.encode()
    yield source.text.encode()
    for package in ("lark", "mpmath", "numpy", "sympy"):
        try:
            yield f"{package} {version(package)}".encode()
        except PackageNotFoundError:
            yield package.encode()
    for file in (*_own_files(), *sorted(resources.data("grammar").iterdir())):
        yield file.name.encode()
        yield file.read_bytes()


def _own_files() -> Iterator[Path]:
    for place, inside, files in os.walk(Path(gendsl.__file__).parent):
        inside[:] = sorted(name for name in inside if name not in _NO_PART)
        yield from (Path(place, name) for name in sorted(files) if name.endswith(".py"))
