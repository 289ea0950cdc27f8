"""No committed file names a machine's folders, a package registry's host, or unfinished work."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

# Pieces are joined here so that this file passes its own test.
_FOLDERS = "|".join(("work", "root", "tmp", "opt", "home/" + "[a-z]+"))
_HOSTS = "|".join(
    re.escape(".".join(parts))
    for parts in (
        ("pypi", "org"),
        ("pythonhosted", "org"),
        ("npmjs", "org"),
        ("npmjs", "com"),
        ("deb", "debian", "org"),
        ("download", "pytorch", "org"),
    )
)
FORBIDDEN = {
    "a machine's folder": re.compile(rf"(?<![\w.*~)}}\]-])/(?:{_FOLDERS})/\w"),
    "a registry's host": re.compile(_HOSTS),
    "unfinished work": re.compile(r"\b(?:TO" + r"DO|FIX" + r"ME|XX" + r"X)\b"),
    "a conflict": re.compile(r"^(?:<{7}|>{7}) ", re.MULTILINE),
}


def tracked(root: Path) -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=root, capture_output=True, text=True, check=True
    ).stdout
    return [root / name for name in listed.split("\0") if name and (root / name).is_file()]


def findings(text: str) -> list[str]:
    found = []
    for what, pattern in FORBIDDEN.items():
        for match in pattern.finditer(text):
            line = text.count("\n", 0, match.start()) + 1
            found.append(f"line {line}: {what}: {match[0]!r}")
    return found


def test_no_forbidden_words(root: Path) -> None:
    found = {}
    for path in tracked(root):
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue  # data
        if lines := findings(text):
            found[str(path.relative_to(root))] = lines
    assert not found


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("see /" + "work/x", 1),
        ("at '/" + "tmp/a.gml'", 1),
        ("https://" + "pypi" + ".org/x", 1),
        ("homework/" + "root/x", 0),
        ("a /" + "opt" + "ion", 0),
        ("# TO" + "DO: later", 1),
    ],
)
def test_the_rules_match(text: str, number: int) -> None:
    assert len(findings(text)) == number
