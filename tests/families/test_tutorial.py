"""The README's tutorial, followed to the letter: programs are saved, changes applied, commands run.

A `gml` block is the whole program, a `diff` block changes it, and in a `console` block every line
after a command has to occur in what the command prints.
"""

from __future__ import annotations

import contextlib
import io
import re
import shlex
from pathlib import Path

import pytest

from gendsl.__main__ import main

BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def tutorial(root: Path) -> list[tuple[str, str]]:
    """The blocks of the section, in order."""
    text = (root / "README.md").read_text(encoding="utf-8")
    section = text.split("\n## Tutorial", 1)[1].split("\n## ", 1)[0]
    return BLOCK.findall(section)


def changed(program: str, diff: str) -> str:
    """The program after a diff whose old lines occur in it once."""
    lines = diff.splitlines(keepends=True)
    old = "".join(line[1:] for line in lines if line[0] in " -")
    new = "".join(line[1:] for line in lines if line[0] in " +")
    assert program.count(old) == 1, f"the change does not fit the program:\n{diff}"
    return program.replace(old, new)


def followed(block: str) -> None:
    """Run the commands of a console block."""
    parts = re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]
    for part in parts:
        command, *expected = part.splitlines()
        words = shlex.split(command)
        assert words[0] == "gendsl"
        out = io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
            code = main(words[1:])
        text = out.getvalue()
        wrong = any(re.search(r"error\[E\d{4}\]", line) for line in expected)
        assert code == (1 if wrong else 0), f"{command} ended with {code}:\n{text}"
        for line in expected:
            assert line in text, f"{command} does not print {line!r}:\n{text}"


def test_the_tutorial(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    program = Path("digits.gml")
    kinds = []
    for kind, body in tutorial(root):
        kinds.append(kind)
        match kind:
            case "gml":
                program.write_text(body)
            case "diff":
                program.write_text(changed(program.read_text(), body))
            case "console":
                followed(body)
            case _:
                pytest.fail(f"a block of an unknown kind: {kind}")
    assert kinds.count("gml") == 1 and kinds.count("diff") >= 6 and kinds.count("console") == 3
    for picture in ("runs/digits/samples.png", "runs/conditional/samples.png"):
        assert Path(picture).exists()
