"""Flags: argparse with errors that say what to type instead.

A wrong command line is a `UsageError`, which `gendsl.__main__` prints; nothing exits from here
but `--help`.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from typing import NoReturn

from gendsl.diagnostics.suggest import did_you_mean

_HELP_WIDTH = 96


class UsageError(Exception):
    """The command line is wrong: what about it, and what to do."""

    def __init__(self, message: str, help: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.help = help


class FlagParser(argparse.ArgumentParser):
    """An argument parser that raises, and that knows its flags by name."""

    def __init__(self, prog: str, description: str) -> None:
        super().__init__(
            prog=prog,
            description=description,
            allow_abbrev=False,
            add_help=False,
            formatter_class=lambda prog: argparse.HelpFormatter(prog, width=_HELP_WIDTH),
        )
        self.add_argument("-h", "--help", action="help", help="show this text and stop")

    def error(self, message: str) -> NoReturn:
        raise UsageError(message, f"`{self.prog} --help` shows the flags")

    def read(self, words: Sequence[str]) -> argparse.Namespace:
        """Parse all of `words`. Raises `UsageError`."""
        args, rest = self.parse_known_args(words)
        if rest:
            raise self._unknown(rest[0])
        return args

    def _unknown(self, word: str) -> UsageError:
        if not word.startswith("-"):
            return UsageError(f"one argument too many: {word}", f"`{self.prog} --help` shows usage")
        flag = word.split("=", 1)[0]
        hint = did_you_mean(flag, self._option_string_actions)
        return UsageError(
            f"`{self.prog}` has no flag `{flag}`", hint or f"`{self.prog} --help` shows the flags"
        )


def one_of(choices: Sequence[str]) -> Callable[[str], str]:
    """An argument type: a word of a list."""

    def read(word: str) -> str:
        if word in choices:
            return word
        hint = did_you_mean(word, choices)
        listed = ", ".join(choices)
        raise argparse.ArgumentTypeError(
            f"{word!r} is none of {listed}" + (f"; {hint}" if hint else "")
        )

    return read


def whole(least: int) -> Callable[[str], int]:
    """An argument type: a whole number from `least` on."""

    def read(word: str) -> int:
        try:
            value = int(word)
        except ValueError:
            value = least - 1
        if value < least:
            raise argparse.ArgumentTypeError(f"{word!r} is not a whole number >= {least}")
        return value

    return read


def setting(word: str) -> tuple[str, str]:
    """An argument type: NAME=VALUE."""
    name, sign, value = word.partition("=")
    if not sign or not name.strip() or not value.strip():
        raise argparse.ArgumentTypeError(f"{word!r} is not NAME=VALUE, as in beta=0.5")
    return name.strip(), value.strip()


def add_settings(parser: argparse.ArgumentParser, help: str) -> None:
    """`--set NAME=VALUE`, which may be given several times."""
    parser.add_argument(
        "--set",
        dest="settings",
        action="append",
        type=setting,
        default=[],
        metavar="NAME=VALUE",
        help=help,
    )


FORMATS = ("text", "concise", "json")


def add_format(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--format",
        type=one_of(FORMATS),
        default="text",
        metavar="FORMAT",
        help="how to report: text (default), concise (one line each) or json",
    )
