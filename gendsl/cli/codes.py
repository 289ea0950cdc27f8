"""Exit codes of every command."""

from __future__ import annotations

OK = 0  # all claims proved or certified, or nothing to prove
WRONG = 1  # the program, data, device, checkpoint or run folder is wrong, or a claim is refuted
USAGE = 2  # the command line itself is wrong
UNSETTLED = 3  # `check` only: nothing refuted, but claims remain that are not proved
INTERNAL = 70  # a bug of gendsl
INTERRUPTED = 130  # Ctrl-C
