"""`gendsl`: runs a command and turns every ending into an exit code (see `gendsl.cli.codes`).

A user's error is rendered, a wrong command line is answered with what to type, a bug of gendsl is
reported as one; no traceback is shown unless `GENDSL_DEBUG=1`.
"""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Sequence

from gendsl.cli.codes import INTERNAL, INTERRUPTED, USAGE, WRONG
from gendsl.cli.commands import dispatch
from gendsl.cli.flags import UsageError
from gendsl.diagnostics.model import GendslError


def main(words: Sequence[str] | None = None) -> int:
    """Run the command line `words` (of the process, when not given); the exit code."""
    argv = list(sys.argv[1:] if words is None else words)
    try:
        code = dispatch(argv)
        sys.stdout.flush()  # a closed pipe is noticed here, not in the interpreter's last moments
        return code
    except UsageError as problem:
        sys.stderr.write(f"error: {problem.message}\n")
        if problem.help:
            sys.stderr.write(f"  = help: {problem.help}\n")
        return USAGE
    except GendslError as problem:
        from gendsl.cli.output import report

        report(problem.diagnostics, format_of(argv))
        return WRONG
    except KeyboardInterrupt:
        sys.stderr.write("\ninterrupted\n")
        return INTERRUPTED
    except BrokenPipeError:
        # Whoever read our output has enough (`| head`). Python would complain while it closes
        # stdout, so that is given somewhere to go.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return WRONG
    except Exception as problem:
        from gendsl.cli.crash import crash_report, missing_package

        package = missing_package(problem)
        if package:
            sys.stderr.write(f"error: the Python package `{package}` is not installed\n")
            sys.stderr.write("  = help: `gendsl doctor` says what is missing, and the fix\n")
            return WRONG
        if os.environ.get("GENDSL_DEBUG") == "1":
            traceback.print_exception(problem)
        sys.stderr.write(crash_report(problem, argv))
        return INTERNAL


def format_of(words: Sequence[str]) -> str:
    """The `--format` of a command line that has been read without a usage error."""
    from gendsl.cli.flags import FORMATS

    for word, following in zip(words, [*words[1:], ""], strict=True):
        value = following if word == "--format" else word.removeprefix("--format=")
        if value in FORMATS and word.startswith("--format"):
            return value
    return "text"


if __name__ == "__main__":
    sys.exit(main())
