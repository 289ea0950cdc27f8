"""The catalog: every diagnostic code, described once.

Joins the entries of the area modules and refuses a code that is described twice or that lies in
the wrong area. Nothing is looked up here while a program is checked.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import ModuleType

from gendsl.diagnostics.codes import (
    claims,
    device,
    file,
    gradient,
    lints,
    names,
    objective,
    runtime,
    session,
    shapes,
    syntax,
    target,
    types,
)
from gendsl.diagnostics.entry import Entry

# Area modules by the leading characters of their codes, in the order of `gendsl explain --list`.
AREAS: tuple[tuple[str, ModuleType], ...] = (
    ("E00", file),
    ("E01", syntax),
    ("E02", names),
    ("E03", types),
    ("E04", shapes),
    ("E05", objective),
    ("E06", claims),
    ("E07", gradient),
    ("W08", lints),
    ("E09", target),
    ("W09", device),
    ("E10", runtime),
    ("E10", session),
)


def join(areas: Iterable[tuple[str, tuple[Entry, ...]]]) -> dict[str, Entry]:
    """Entries by code, in area order and then by code."""
    table: dict[str, Entry] = {}
    for prefix, entries in areas:
        for entry in sorted(entries, key=lambda e: e.code):
            if not entry.code.startswith(prefix):
                raise ValueError(f"{entry.code} does not belong to area {prefix}xx")
            if entry.code in table:
                raise ValueError(f"{entry.code} is described twice")
            table[entry.code] = entry
    return table


CATALOG: Mapping[str, Entry] = join((prefix, m.ENTRIES) for prefix, m in AREAS)
