"""Where reports go, and the file texts that excerpts of them need.

Paths are shown as the user wrote them; files that gendsl ships are shown relative to the working
folder when they lie below it.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any, TextIO

from gendsl.diagnostics.model import Diagnostic, GendslError
from gendsl.diagnostics.render import render_concise, render_text, to_json
from gendsl.diagnostics.style import style_of
from gendsl.resources import FOLDERS, data
from gendsl.source.read import read_source
from gendsl.source.text import SourceFile


def shown_path(path: str) -> str:
    """The path to print for a file."""
    file = Path(path)
    if file.is_absolute() and any(file.is_relative_to(data(folder)) for folder in FOLDERS):
        here = Path.cwd()
        return str(file.relative_to(here)) if file.is_relative_to(here) else path
    return path


@cache
def source_at(path: str) -> SourceFile | None:
    """The text of the file of a span, under the path to print; None when it cannot be read."""
    try:
        return read_source(Path(path), shown_path(path))
    except GendslError:
        return None


def report(diagnostics: Sequence[Diagnostic], format: str, stream: TextIO | None = None) -> None:
    """Print diagnostics to `stream` (stderr when not given)."""
    target = stream or sys.stderr
    style = style_of(target)
    match format:
        case "json":
            for diagnostic in diagnostics:
                target.write(json_line(to_json(diagnostic, source_at)))
        case "concise":
            target.write(render_concise(diagnostics, source_at, style))
        case _:
            target.write(render_text(diagnostics, source_at, style))


def json_line(value: Any) -> str:
    """One compact JSON value and a newline."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False) + "\n"
