"""Colour on terminals, and how wide text is on them.

Roles, not colours, are named by those who print. Colour is used only when the stream is a
terminal and `NO_COLOR` is unset (no-color.org); `FORCE_COLOR` turns it on for pipes.
"""

from __future__ import annotations

import os
import shutil
import unicodedata
from dataclasses import dataclass
from typing import TextIO

_ROLES = {
    "error": "1;31",
    "warning": "1;33",
    "title": "1",
    "gutter": "1;34",
    "primary": "1;31",
    "primary_warning": "1;33",
    "secondary": "1;34",
    "help": "1;32",
    "note": "1",
    "good": "32",
    "strong": "1;32",
    "bad": "1;31",
    "open": "33",
    "faint": "2",
    "name": "36",
    "": "",
}

PIPE_WIDTH = 120


@dataclass(frozen=True)
class Style:
    """How to print on one stream: whether colours are wanted, and its width in columns."""

    colour: bool = False
    width: int = PIPE_WIDTH

    def paint(self, text: str, role: str) -> str:
        code = _ROLES[role]
        return f"\x1b[{code}m{text}\x1b[0m" if self.colour and code and text else text


def style_of(stream: TextIO) -> Style:
    """The style for a stream as the environment wants it."""
    terminal = stream.isatty()
    width = shutil.get_terminal_size().columns if terminal else PIPE_WIDTH
    if os.environ.get("NO_COLOR"):
        return Style(False, width)
    forced = bool(os.environ.get("FORCE_COLOR"))
    return Style(forced or (terminal and os.environ.get("TERM") != "dumb"), width)


def glyph(ch: str) -> tuple[str, int]:
    """What to print for one character of a source line (not a tab), and its width in columns.

    Control and direction characters are made visible: they could disguise the text.
    """
    category = unicodedata.category(ch)
    if category in ("Mn", "Me"):
        return ch, 0
    if category.startswith("C") or category in ("Zl", "Zp"):
        return "\ufffd", 1
    return ch, 2 if unicodedata.east_asian_width(ch) in ("W", "F") else 1


def columns(text: str) -> int:
    """The width of one line of text on a terminal."""
    return sum(glyph(ch)[1] for ch in text)
