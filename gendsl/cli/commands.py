"""The table of sub-commands, and how a command line finds its own."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib import import_module

from gendsl import __version__
from gendsl.cli.codes import OK
from gendsl.cli.flags import FlagParser, UsageError
from gendsl.diagnostics.suggest import did_you_mean

# Sub-command -> what it does; the module is `gendsl.cli.NAME`.
COMMANDS = {
    "check": "type-check programs, show sizes and shapes, settle their claims",
    "recheck": "judge certificates with a checker that shares no code with the prover",
    "run": "train a program; write samples, metrics, checkpoints and a report",
    "sample": "draw from a trained run",
    "eval": "measure a trained run: held-out terms, likelihood bounds, sample statistics",
    "fmt": "put programs into the canonical layout",
    "data": "list, get, describe and verify data sets",
    "explain": "say what a diagnostic code means",
    "doctor": "say what is installed, what is missing, and the fix",
}


def overview() -> str:
    """What `gendsl --help` prints."""
    width = max(map(len, COMMANDS))
    table = "\n".join(f"  {name:<{width}}  {text}" for name, text in COMMANDS.items())
    return f"""\
gendsl {__version__}: a typed language for generative models that proves what it trains

usage: gendsl COMMAND [ARGUMENTS]

{table}

`gendsl COMMAND --help` shows a command's flags; `gendsl --version` the version.
A first run, on the CPU, with data that comes along: gendsl run vae
"""


def dispatch(words: Sequence[str]) -> int:
    """Run the command that `words` names; its exit code. Raises `UsageError`, `GendslError`."""
    if not words or words[0] in ("-h", "--help", "help"):
        sys.stdout.write(overview())
        return OK
    first, rest = words[0], words[1:]
    if first in ("--version", "-V"):
        sys.stdout.write(f"gendsl {__version__}\n")
        return OK
    if first not in COMMANDS:
        raise _unknown(first)
    module = import_module(f"gendsl.cli.{first}")
    parser = FlagParser(f"gendsl {first}", COMMANDS[first])
    module.configure(parser)
    code: int = module.execute(parser.read(rest))
    return code


def _unknown(word: str) -> UsageError:
    kind = "flag" if word.startswith("-") else "command"
    names = ["--help", "--version"] if kind == "flag" else list(COMMANDS)
    hint = did_you_mean(word, names)
    if kind == "command" and word.endswith(".gml"):
        hint = f"`gendsl check {word}` or `gendsl run {word}`"
    listed = f"the commands are {', '.join(COMMANDS)}"
    return UsageError(f"gendsl has no {kind} `{word}`", hint or listed)
