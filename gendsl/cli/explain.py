"""`gendsl explain CODE`: what a diagnostic code means; `--list` shows all codes."""

from __future__ import annotations

import argparse
import sys

from gendsl.cli.codes import OK
from gendsl.cli.flags import UsageError


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("codes", nargs="*", metavar="CODE", help="a code, as in E0401")
    parser.add_argument("--list", action="store_true", help="show every code with its title")


def execute(args: argparse.Namespace) -> int:
    from gendsl.diagnostics.explain import explain, listing
    from gendsl.diagnostics.style import style_of

    style = style_of(sys.stdout)
    if args.list:
        sys.stdout.write(listing(style))
        return OK
    if not args.codes:
        raise UsageError("no code given", "`gendsl explain E0401`, or `gendsl explain --list`")
    texts = []
    for code in args.codes:
        text = explain(code, style)
        if text is None:
            raise _unknown(code)
        texts.append(text)
    sys.stdout.write("\n".join(texts))
    return OK


def _unknown(code: str) -> UsageError:
    from gendsl.diagnostics.catalog import CATALOG
    from gendsl.diagnostics.explain import canonical
    from gendsl.diagnostics.suggest import did_you_mean

    hint = did_you_mean(canonical(code), CATALOG)
    return UsageError(
        f"there is no diagnostic code `{code}`", hint or "`gendsl explain --list` shows all codes"
    )
