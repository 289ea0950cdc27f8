"""Entries of a folder in the user's cache: what was made once and need not be made again.

In: the bytes of an entry, and the path that says what they were made from. Out: the same bytes in a
later run, or None. Always: an entry begins with the hash of its bytes, so that half of one or a
damaged one is not taken; it appears all at once; those that were not used for longest go first; and
a folder that cannot be read or written costs a note on the standard error, never the run.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import sys
import tempfile
from pathlib import Path

from gendsl.diagnostics.model import fail


def folder(name: str) -> Path:
    """The folder of that name in the user's cache: in `$XDG_CACHE_HOME` or `~/.cache`; E1017 where
    there is neither."""
    base = os.environ.get("XDG_CACHE_HOME")
    try:
        root = Path(base) if base else Path.home() / ".cache"
    except RuntimeError as error:
        raise fail(
            "E1017",
            "there is no home folder to keep data sets and compiled programs in",
            help="set XDG_CACHE_HOME to a folder that can be written",
        ) from error
    return root / "gendsl" / name


def read_entry(path: Path, what: str) -> bytes | None:
    """The entry's bytes; None if there is none, or none that can be trusted. `what`: it in a few
    words, as in "compiled plan"."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as problem:
        _say(f"the kept {what} {path} cannot be read ({problem.strerror}): made again")
        return None
    digest, _, body = content.partition(b"\n")
    if digest != _digest(body):
        _say(f"the kept {what} {path} is damaged: made again")
        return None
    with contextlib.suppress(OSError):  # a cache that can only be read still serves
        os.utime(path)
    return body


def write_entry(path: Path, body: bytes, what: str, most: int) -> None:
    """Keep these bytes, and of the folder's entries with the same ending at most `most`."""
    try:
        put(path, _digest(body) + b"\n" + body)
        entries = list(path.parent.glob(f"*{path.suffix}"))
        if len(entries) > most:
            for old in sorted(entries, key=_used)[:-most]:
                old.unlink(missing_ok=True)
    except OSError as problem:
        _say(f"the {what} is not kept: {problem.strerror} ({path.parent})")


def put(path: Path, content: bytes) -> None:
    """Make this the content of the file, and its folders if need be. Another process that reads it
    now finds the old content or the new one; what fails leaves nothing behind."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, aside = tempfile.mkstemp(prefix=".", suffix=".tmp", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(content)
        os.replace(aside, path)
    except BaseException:
        Path(aside).unlink(missing_ok=True)
        raise


def _digest(body: bytes) -> bytes:
    return hashlib.sha256(body).hexdigest().encode()


def _used(path: Path) -> float:
    """When it was last; 0 for one that another process has just removed."""
    try:
        return path.stat().st_mtime
    except FileNotFoundError:
        return 0.0


def _say(text: str) -> None:
    print(f"note: {text}", file=sys.stderr)
