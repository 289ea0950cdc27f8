"""Coded warnings of the running target, on stderr: a target has no sink to report to.

In: a code of the catalog, what happened, and what to do about it. Out: one message per process for
each code and message, so that a thousand steps do not say it a thousand times.
"""

from __future__ import annotations

import sys

from gendsl.diagnostics.model import Diagnostic
from gendsl.diagnostics.render import render_text
from gendsl.diagnostics.style import style_of

_said: set[tuple[str, str]] = set()


def warn(code: str, message: str, help: str) -> None:
    """Say it once, as every other diagnostic is shown."""
    if (code, message) in _said:
        return
    _said.add((code, message))
    diagnostic = Diagnostic(code, message, help=help)
    print(
        render_text([diagnostic], lambda path: None, style_of(sys.stderr)),
        end="",
        file=sys.stderr,
    )
