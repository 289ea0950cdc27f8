"""These tests run Triton's interpreter, in a process of their own: TRITON_INTERPRET=1 is read once.

`make test` runs `TRITON_INTERPRET=1 pytest tests/triton_interpret` after everything else; in any
other process nothing here is collected.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

collect_ignore_glob = [] if os.environ.get("TRITON_INTERPRET") == "1" else ["test_*.py"]


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Generated source of tests goes to a folder of the test."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))


@pytest.fixture(autouse=True)
def interpreter() -> Iterator[None]:
    """Kernels run quickly; `test_interpreter` shows that they compute the same."""
    from backends.triton_cuda.interpreter import quick

    with quick():
        yield
