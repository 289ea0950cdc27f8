"""What all tests share: golden files, rewritten by `pytest --update-golden`."""

from __future__ import annotations

import difflib
from collections.abc import Callable
from pathlib import Path

import pytest

Golden = Callable[[Path, str], None]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--update-golden", action="store_true", help="rewrite expected outputs instead of failing"
    )


@pytest.fixture
def updating(request: pytest.FixtureRequest) -> bool:
    """Whether expectations are to be rewritten."""
    return bool(request.config.getoption("--update-golden"))


@pytest.fixture
def golden(updating: bool) -> Golden:
    """`golden(path, text)`: the file at `path` holds exactly `text`."""

    def check(path: Path, text: str) -> None:
        if updating:
            path.write_text(text, encoding="utf-8")
            return
        if not path.exists():
            pytest.fail(f"{path} does not exist: run pytest --update-golden and read what it wrote")
        wanted = path.read_text(encoding="utf-8")
        if text != wanted:
            lines = difflib.unified_diff(
                wanted.splitlines(), text.splitlines(), f"{path.name} (wanted)", "got", lineterm=""
            )
            pytest.fail("\n".join(lines), pytrace=False)

    return check


@pytest.fixture(scope="session")
def root() -> Path:
    """The checkout."""
    return Path(__file__).resolve().parent.parent
