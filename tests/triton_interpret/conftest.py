"""These tests run Triton's interpreter, in a process of their own: TRITON_INTERPRET=1 is read once.

`make test` runs `TRITON_INTERPRET=1 pytest tests/triton_interpret` after everything else; in any
other process nothing here is collected. Where there is a GPU, `GENDSL_ON_DEVICE=1 pytest
tests/triton_interpret` runs on it what asks for results of kernels, against the same references.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

INTERPRETED = os.environ.get("TRITON_INTERPRET") == "1"
ON_DEVICE = os.environ.get("GENDSL_ON_DEVICE") == "1" and not INTERPRETED
RESULTS = ("ops", "extremes", "programs", "functions", "precision")

collect_ignore_glob = [] if INTERPRETED else ["test_*.py"]
if ON_DEVICE:
    here = sorted(path.name for path in Path(__file__).parent.glob("test_*.py"))
    collect_ignore_glob = [n for n in here if n not in {f"test_{name}.py" for name in RESULTS}]


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Generated source of tests goes to a folder of the test."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))


@pytest.fixture(autouse=True)
def interpreter(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Kernels run quickly; `test_interpreter` shows that they compute the same. On a device tests
    compile in their own process: `pytest -n` makes many of these."""
    if ON_DEVICE:
        from backends.triton_cuda import ahead

        monkeypatch.setattr(ahead, "compile_all", lambda *_: 0)
        yield
        return
    from backends.triton_cuda.interpreter import quick

    with quick():
        yield
