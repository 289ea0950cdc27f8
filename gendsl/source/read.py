"""Reading program files: bytes to `SourceFile`, with coded errors and no surprises.

Text is UTF-8 (a byte order mark is dropped); line ends become `\\n`.
"""

from __future__ import annotations

from pathlib import Path

from gendsl.diagnostics.model import fail
from gendsl.diagnostics.suggest import did_you_mean
from gendsl.source.text import SourceFile

LIMIT = 4_000_000  # bytes: a program is a page; anything larger is another kind of file


def read_source(file: Path, shown: str) -> SourceFile:
    """The file's text under the path that diagnostics show. Raises `GendslError` E0001 - E0004."""
    try:
        if file.is_dir():
            raise fail("E0002", f"{shown} is a folder", help="name a `.gml` file in it")
        if file.stat().st_size > LIMIT:
            raise fail("E0004", f"{shown} is larger than {LIMIT // 10**6} MB: not a program")
        data = file.read_bytes()
    except FileNotFoundError:
        siblings = [p.name for p in file.parent.glob("*.gml")] if file.parent.is_dir() else []
        raise fail(
            "E0001", f"there is no file {shown}", help=did_you_mean(file.name, siblings)
        ) from None
    except OSError as problem:
        raise fail("E0001", f"{shown} cannot be read: {problem.strerror}") from None
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as problem:
        line = data.count(b"\n", 0, problem.start) + 1
        raise fail(
            "E0003",
            f"{shown} is not UTF-8 text: byte {data[problem.start]:#04x} in line {line}",
            help="save the file as UTF-8",
        ) from None
    return SourceFile(shown, text.replace("\r\n", "\n").replace("\r", "\n"))
