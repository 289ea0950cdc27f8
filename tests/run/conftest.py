"""Tests of runs keep compiled plans and programs in a cache of their own, and show no progress of
proofs, which a slow machine would print in some runs and not in others."""

from __future__ import annotations

from collections.abc import Iterator

import pytest


@pytest.fixture(scope="session", autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        patch.setattr("gendsl.run.proving.SOON", 3600.0)
        yield
