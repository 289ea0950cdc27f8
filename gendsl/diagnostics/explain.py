"""Catalog entries as text: one code in full, or the list of all.

In: a code as the user typed it. Out: text that ends with a newline, or None for an unknown code.
"""

from __future__ import annotations

import textwrap

from gendsl.diagnostics.catalog import AREAS, CATALOG
from gendsl.diagnostics.entry import Entry
from gendsl.diagnostics.style import Style

_WIDTH = 88


def explain(code: str, style: Style) -> str | None:
    """The entry of `code` (any case, `0401` alone is an error's)."""
    name = canonical(code)
    entry = CATALOG.get(name)
    return None if entry is None else _entry(entry, style)


def canonical(code: str) -> str:
    """`e0401` and `0401` mean E0401 (or W0801, where only the warning exists)."""
    name = code.strip().upper()
    if name.isdigit():
        return next((c for c in (f"E{name}", f"W{name}") if c in CATALOG), f"E{name}")
    return name


def listing(style: Style) -> str:
    """Every code with its title, by area."""
    out = []
    for prefix, module in AREAS:
        entries: list[Entry] = sorted(module.ENTRIES, key=lambda e: e.code)
        if entries:
            heading = (module.__doc__ or prefix).split("\n")[0].rstrip(".")
            out.append(style.paint(heading.rsplit(":", 1)[0], "title"))
            out += [f"  {_code(e, style)}  {e.title}" for e in entries]
            out.append("")
    return "\n".join(out[:-1]) + "\n" if out else ""


def _code(entry: Entry, style: Style) -> str:
    return style.paint(entry.code, "warning" if entry.code.startswith("W") else "error")


def _entry(entry: Entry, style: Style) -> str:
    paragraphs = [
        "\n".join(textwrap.wrap(" ".join(p.split()), _WIDTH, break_on_hyphens=False))
        for p in textwrap.dedent(entry.explanation).strip().split("\n\n")
    ]
    out = [
        f"{_code(entry, style)}{style.paint(': ' + entry.title, 'title')}",
        "",
        *_spaced(paragraphs),
    ]
    if entry.example.strip():
        snippet = textwrap.indent(textwrap.dedent(entry.example).strip("\n"), "    ")
        out += ["", style.paint("For example, this program:", "note"), "", snippet]
    elif entry.example_reason:
        out += ["", f"{style.paint('When:', 'note')} {entry.example_reason}"]
    return "\n".join(line.rstrip() for line in "\n".join(out).split("\n")) + "\n"


def _spaced(paragraphs: list[str]) -> list[str]:
    return "\n\n".join(paragraphs).split("\n")
