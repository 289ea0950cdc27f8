"""Files stay under 600 lines, functions under 60, golden files under 200."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

FILE, FUNCTION, GOLDEN = 600, 60, 200
FOLDERS = ("gendsl", "backends", "benchmarks", "tests")
GENERATED = {"gendsl/syntax/table.py"}


def python_files(root: Path) -> Iterator[Path]:
    for folder in FOLDERS:
        for path in sorted((root / folder).rglob("*.py")):
            if str(path.relative_to(root)) not in GENERATED:
                yield path


def long_functions(text: str) -> list[str]:
    """`name (n lines)` of every function that is too long, docstring included."""
    return [
        f"{node.name} ({node.end_lineno - node.lineno + 1} lines)"
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.end_lineno is not None
        and node.end_lineno - node.lineno + 1 > FUNCTION
    ]


def test_files_are_short(root: Path) -> None:
    found = {
        str(path.relative_to(root)): lines
        for path in python_files(root)
        if (lines := len(path.read_text().splitlines())) > FILE
    }
    assert not found, f"more than {FILE} lines"


def test_functions_are_short(root: Path) -> None:
    found = {
        str(path.relative_to(root)): long
        for path in python_files(root)
        if (long := long_functions(path.read_text()))
    }
    assert not found, f"more than {FUNCTION} lines"


def test_golden_files_are_short(root: Path) -> None:
    found = [
        str(path.relative_to(root))
        for path in sorted((root / "tests").rglob("*"))
        if path.suffix in (".expected", ".graph", ".gml")
        and len(path.read_text().splitlines()) > GOLDEN
    ]
    assert not found, f"more than {GOLDEN} lines"


def test_every_module_says_what_it_is(root: Path) -> None:
    silent = [
        str(path.relative_to(root))
        for path in python_files(root)
        if path.read_text().strip() and ast.get_docstring(ast.parse(path.read_text())) is None
    ]
    assert not silent, "modules without a docstring"


@pytest.mark.parametrize(("lines", "flagged"), [(FUNCTION, False), (FUNCTION + 1, True)])
def test_the_function_rule_counts(lines: int, flagged: bool) -> None:
    text = "def f():\n" + "    pass\n" * (lines - 1)
    assert bool(long_functions(text)) is flagged
