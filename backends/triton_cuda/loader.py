"""Generated text as a Python module whose kernels Triton can read back.

In: a name and the text. Out: its globals. Always: the text lies in a file named after its content,
`CACHE/triton/NAME-HASH.py`, so that a person, a profiler and an error can show it; equal texts are
one file. Where that folder cannot be written the text is kept in memory only (W0902).
"""

from __future__ import annotations

import hashlib
import linecache
from pathlib import Path
from typing import Any

from backends.triton_cuda.notice import warn
from gendsl import cache


def folder() -> Path:
    """Where generated source lies."""
    return cache.folder("triton")


def digest(text: str) -> str:
    """The name of a content: the first 16 hexadecimal digits of its SHA-256."""
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def keep(name: str, text: str) -> str:
    """The path of a file that holds the text, or a name in angle brackets."""
    path = folder() / f"{name}-{digest(text)}.py"
    try:
        if not path.is_file() or path.read_text(encoding="utf-8") != text:
            cache.put(path, text.encode())  # another process may load the same program right now
    except OSError as problem:
        warn(
            "W0902",
            f"generated source is in memory only: {path} cannot be written: {problem.strerror}",
            "set XDG_CACHE_HOME to a folder that can be written, to have the source on disk",
        )
        return f"<{path.name}>"
    return str(path)


def load(name: str, text: str) -> dict[str, Any]:
    """Run the text (our own, from the graph) and give its globals."""
    file = keep(name, text)
    linecache.cache[file] = (len(text), None, text.splitlines(True), file)
    space: dict[str, Any] = {"__name__": f"gendsl_{name}_{digest(text)}", "__file__": file}
    exec(compile(text, file, "exec"), space)
    return space
