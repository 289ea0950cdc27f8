"""What `sample` and `eval` share: the flags of a run folder, and its options as they were."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from gendsl.cli.flags import UsageError, add_format
from gendsl.cli.run import options_of
from gendsl.precision import FLOAT32

if TYPE_CHECKING:
    from gendsl.run.reopen import Reopened


def add_run(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", nargs="?", metavar="RUN", type=Path, help="the folder of a run")
    parser.add_argument(
        "--raw", action="store_true", help="the trained weights, not the averaged ones"
    )
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--cpu", action="store_true", help="run on the CPU (default: as it trained)")
    where.add_argument("--cuda", action="store_true", help="run on an NVIDIA GPU")
    add_format(parser)


def opened(args: argparse.Namespace) -> Reopened:
    """The run in the folder that the command line names."""
    if args.run is None:
        raise UsageError("no run given", "the folder of a run, as in `runs/vae`")
    from gendsl.run.reopen import reopen, run_manifest
    from gendsl.run.targets import require_packages

    require_packages()
    options = options_of(run_manifest(args.run)["command"])
    if args.cpu or args.cuda:
        # the other device need not have the precision that was trained with
        device = "cuda" if args.cuda else "cpu"
        same = device == options.device
        precision = options.precision if same else FLOAT32
        options = replace(options, device=device, precision=precision)
    return reopen(args.run, options, args.raw)
