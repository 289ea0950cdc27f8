"""Files of a run folder, written so that no reader ever sees half of one.

A temporary name starts with a dot, ends in `.tmp`, and lies beside its target; the rename is atomic
and both the file and its folder are flushed to the disk first.
"""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Iterator
from pathlib import Path

from gendsl.diagnostics.model import fail


@contextlib.contextmanager
def disk_errors(what: str, path: Path) -> Iterator[None]:
    """Turn an `OSError` (disk full, no permission, ...) into a coded error about `what`."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        raise fail(
            "E1044",
            f"cannot {what} {path}: {reason}",
            help=_remedy(error),
        ) from error


def _remedy(error: OSError) -> str:
    """What a person can do about the error of the system."""
    match error.errno:
        case errno.ENOSPC | errno.EDQUOT:
            return "free some space or choose another place with `--out DIR`"
        case errno.ENOTDIR | errno.EEXIST:
            return "a file is where a folder has to be: choose another place with `--out DIR`"
        case errno.EACCES | errno.EPERM | errno.EROFS:
            return "choose a place that you may write to with `--out DIR`"
        case errno.ENAMETOOLONG:
            return "choose a shorter name with `--out DIR`"
        case _:
            return "choose another place with `--out DIR`"


def write_whole(path: Path, content: bytes | str) -> None:
    """Replace `path` by `content`, all or nothing, durable when this returns."""
    data = content.encode() if isinstance(content, str) else content
    temporary = path.with_name(f".{path.name}.tmp")
    with disk_errors("write", path):
        path.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(temporary, path)
        flush_folder(path.parent)


def flush_folder(folder: Path) -> None:
    """Make renames within `folder` durable (a no-op where folders cannot be opened)."""
    flags = getattr(os, "O_DIRECTORY", None)
    if flags is None:
        return
    handle = os.open(folder, os.O_RDONLY | flags)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
