"""`gendsl recheck DIR`: judge certificates with the stand-alone checker.

The checker (`gendsl/recheck/`) shares no code with the prover; it can be run as a file, without
gendsl installed: `python gendsl/recheck/check.py DIR`. Exit code 0 when every certificate is
accepted, else 1.
"""

from __future__ import annotations

import argparse

from gendsl.cli.flags import UsageError


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("folder", nargs="?", metavar="DIR", help="what `check --certify DIR` wrote")


def execute(args: argparse.Namespace) -> int:
    if args.folder is None:
        raise UsageError("no folder given", "`gendsl check vae --certify DIR`, then `recheck DIR`")
    from gendsl.recheck.check import main

    return main([args.folder])
