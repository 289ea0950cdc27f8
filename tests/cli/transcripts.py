"""Command transcripts: Markdown whose `console` blocks are run, and compared with what they show.

A block that opens with ```` ```gml NAME ```` (or `text NAME`) writes a file. A line `$ gendsl ...`
in a `console` block is run in a folder with these files; the lines below it are its output (stdout
and stderr as they come), then `[exit N]` unless N is 0. `$ rm`, `$ cat` and `$ ls` do what they do.
Times and versions are written `N.NN s`, `VERSION`.
"""

from __future__ import annotations

import io
import re
import shlex
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path

from gendsl import __version__
from gendsl.__main__ import main
from gendsl.cli.output import source_at

FENCE = re.compile(r"^```(\w+)(?: +(\S+))?\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Block:
    """A fenced block: its kind, its argument, its text, and where that stands in the file."""

    kind: str
    name: str
    text: str
    start: int
    end: int


def blocks(document: str) -> Iterator[Block]:
    for match in FENCE.finditer(document):
        yield Block(match[1], match[2] or "", match[3], match.start(3), match.end(3))


def replay(document: str, folder: Path) -> str:
    """The document with the output of every command as it is now; files are made in `folder`."""
    out, done = [], 0
    for block in blocks(document):
        if block.kind == "console":
            out.append(document[done : block.start] + session(block.text, folder))
            done = block.end
        elif block.name:
            (folder / block.name).parent.mkdir(parents=True, exist_ok=True)
            (folder / block.name).write_text(block.text, encoding="utf-8")
    return "".join(out) + document[done:]


def session(text: str, folder: Path) -> str:
    """The commands of one block, each with what it prints."""
    commands = [line for line in text.splitlines() if line.startswith("$ ")]
    return "".join(f"{command}\n{execute(command[2:], folder)}" for command in commands)


def execute(command: str, folder: Path) -> str:
    """Run one command line; its output, normalised, and its exit code when it is not 0."""
    program, *words = shlex.split(command)
    match program:
        case "gendsl":
            output, code = gendsl(words)
        case "cat":
            output, code = "".join((folder / w).read_text(encoding="utf-8") for w in words), 0
        case "ls":
            names = sorted(p.name for p in (folder / (words[0] if words else ".")).iterdir())
            output, code = "".join(f"{name}\n" for name in names), 0
        case "rm":
            for word in words:
                (folder / word).unlink()
            output, code = "", 0
        case _:
            raise ValueError(f"a transcript cannot run {program}")
    return normal(output) + (f"[exit {code}]\n" if code else "")


def gendsl(words: list[str]) -> tuple[str, int]:
    """What `gendsl WORDS` prints in the current folder, and its exit code."""
    source_at.cache_clear()
    both = io.StringIO()
    with redirect_stdout(both), redirect_stderr(both):
        try:
            code = main(words)
        except SystemExit as end:  # argparse leaves so after `--help`
            code = int(end.code or 0)
    return both.getvalue(), code


def normal(output: str) -> str:
    """Without what differs from run to run; every line ends, and none ends in blanks."""
    output = re.sub(r"\d+\.\d\d s\b", "N.NN s", output)
    output = output.replace(__version__, "VERSION")
    return "".join(f"{line.rstrip()}\n" for line in output.splitlines())
