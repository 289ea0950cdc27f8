"""Diagnostics as text for people, one line each for tools, and JSON objects.

In: diagnostics in the order to show them, and a way to find the text of a file. Out: strings; who
calls decides where they go. Nothing here raises for a diagnostic whose file is not at hand.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from gendsl.diagnostics.model import Diagnostic, Label, Severity
from gendsl.diagnostics.snippet import Excerpt, excerpts
from gendsl.diagnostics.style import Style
from gendsl.source.text import SourceFile, Span

Lookup = Callable[[str], SourceFile | None]

PLAIN = Style()


def render_text(diagnostics: Sequence[Diagnostic], lookup: Lookup, style: Style = PLAIN) -> str:
    """Every diagnostic with its excerpts, separated by blank lines; ends with a newline."""
    return "".join(_text(d, lookup, style) + "\n" for d in diagnostics)


def render_concise(diagnostics: Iterable[Diagnostic], lookup: Lookup, style: Style = PLAIN) -> str:
    """`path:line:column: error[E0401]: message`, one line each."""
    lines = []
    for d in diagnostics:
        place = _place(d.primary.span, lookup) + ": " if d.primary else ""
        message = " ".join(d.message.split("\n"))
        lines.append(f"{place}{_head(d, style)}: {message}\n")
    return "".join(lines)


def to_json(diagnostic: Diagnostic, lookup: Lookup) -> dict[str, Any]:
    """JSON values only; lines and columns count from 1, an end is exclusive."""
    return {
        "code": diagnostic.code,
        "severity": diagnostic.severity.value,
        "message": diagnostic.message,
        "primary": _label_json(diagnostic.primary, lookup) if diagnostic.primary else None,
        "labels": [_label_json(label, lookup) for label in diagnostic.labels],
        "notes": list(diagnostic.notes),
        "help": diagnostic.help,
    }


def summary(diagnostics: Iterable[Diagnostic]) -> str:
    """`2 errors, 1 warning`; "" when there are none."""
    counts = dict.fromkeys(Severity, 0)
    for diagnostic in diagnostics:
        counts[diagnostic.severity] += 1
    return ", ".join(f"{n} {s.value}{'s' * (n > 1)}" for s, n in counts.items() if n)


def _label_json(label: Label, lookup: Lookup) -> dict[str, Any]:
    source = lookup(label.span.path)
    place: dict[str, Any] = {"path": label.span.path, "start": None, "end": None}
    if source is not None:
        for key, offset in (("start", label.span.start), ("end", label.span.end)):
            line, column = source.position(offset)
            place[key] = {"line": line, "column": column}
    return {**place, "text": label.text}


def _head(diagnostic: Diagnostic, style: Style) -> str:
    word = diagnostic.severity.value
    return style.paint(f"{word}[{diagnostic.code}]", word)


def _place(span: Span, lookup: Lookup) -> str:
    source = lookup(span.path)
    if source is None:
        return span.path
    line, column = source.position(span.start)
    return f"{source.path}:{line}:{column}"


def _text(diagnostic: Diagnostic, lookup: Lookup, style: Style) -> str:
    out = [f"{_head(diagnostic, style)}{style.paint(': ' + diagnostic.message, 'title')}"]
    warning = diagnostic.severity is Severity.WARNING
    groups = _by_file(diagnostic)
    blocks = [_block(labels, lookup, style, warning) for labels in groups.values()]
    numbers = [e.number for block in blocks for e in block if e.number is not None]
    gutter = len(str(max(numbers, default=1)))
    for i, (labels, block) in enumerate(zip(groups.values(), blocks, strict=True)):
        arrow = style.paint(" " * gutter + (":::" if i else "-->"), "gutter")
        out.append(f"{arrow} {_place(labels[0][0].span, lookup)}")
        out += _block_lines(block, gutter, style)
    out += _remarks(diagnostic, gutter if groups else 0, style)
    return "\n".join(out) + "\n"


def _by_file(diagnostic: Diagnostic) -> dict[str, list[tuple[Label, bool]]]:
    """The labels by file, the primary one's file and the primary label first."""
    groups: dict[str, list[tuple[Label, bool]]] = {}
    if diagnostic.primary is not None:
        groups[diagnostic.primary.span.path] = [(diagnostic.primary, True)]
    for label in diagnostic.labels:
        groups.setdefault(label.span.path, []).append((label, False))
    return groups


def _block(
    labels: list[tuple[Label, bool]], lookup: Lookup, style: Style, warning: bool
) -> list[Excerpt]:
    source = lookup(labels[0][0].span.path)
    if source is None:
        return []
    return excerpts(source, labels, style, "primary_warning" if warning else "primary")


def _block_lines(block: list[Excerpt], gutter: int, style: Style) -> list[str]:
    empty = style.paint(" " * gutter + " |", "gutter")
    out = [empty] if block else []
    for excerpt in block:
        if excerpt.number is None:
            out.append(style.paint("...", "gutter"))
            continue
        number = style.paint(f"{excerpt.number:>{gutter}} |", "gutter")
        out.append(f"{number} {excerpt.text}".rstrip())
        out += [f"{empty} {row}" for row in excerpt.rows]
    return out


def _remarks(diagnostic: Diagnostic, gutter: int, style: Style) -> list[str]:
    """`= note: ...` and `= help: ...`, further lines aligned with the first."""
    remarks = [("note", note) for note in diagnostic.notes]
    if diagnostic.help:
        remarks.append(("help", diagnostic.help))
    out = []
    for word, text in remarks:
        sign = style.paint(" " * gutter + (" = " if gutter else "  = "), "gutter")
        first, *rest = text.split("\n")
        out.append(f"{sign}{style.paint(word + ':', word)} {first}")
        indent = " " * (gutter + (3 if gutter else 4) + len(word) + 2)
        out += [(indent + line).rstrip() for line in rest]
    return out
