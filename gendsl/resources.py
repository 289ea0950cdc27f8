"""Data files that come with gendsl: grammar, stdlib, programs.

In a wheel they lie in `gendsl/_data/`, in a checkout beside the package; `data` hides which.
Nothing here reads a file of the user's.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent
FOLDERS = ("grammar", "stdlib", "programs")


class MissingData(Exception):
    """The installation is broken: a folder that gendsl ships is not there."""


@cache
def data(folder: str) -> Path:
    """The folder "grammar", "stdlib" or "programs"."""
    for place in (_PACKAGE / "_data" / folder, _PACKAGE.parent / folder):
        if place.is_dir():
            return place
    raise MissingData(f"gendsl's own folder `{folder}` is missing: install gendsl again")


def names(folder: str) -> list[str]:
    """Names of the `.gml` files directly in a shipped folder, sorted."""
    return sorted(path.stem for path in data(folder).glob("*.gml"))


def shipped(folder: str, name: str) -> Path | None:
    """The shipped file `NAME.gml`, None when there is none."""
    path = data(folder) / f"{name}.gml"
    return path if name.isidentifier() and path.is_file() else None
