"""`gendsl sample RUN [SAMPLER]`: more samples of a trained run."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from gendsl.cli.codes import OK
from gendsl.cli.flags import add_settings, whole
from gendsl.cli.output import json_line
from gendsl.cli.run_folder import add_run, opened
from gendsl.diagnostics.counted import counted


def configure(parser: argparse.ArgumentParser) -> None:
    add_run(parser)
    parser.add_argument(
        "sampler", nargs="?", default="", metavar="SAMPLER", help="which one (default: the first)"
    )
    parser.add_argument("--n", type=whole(1), metavar="N", help="how many examples")
    add_settings(parser, "an argument or a size of the sampler, as in guidance=2 or S=100")
    parser.add_argument(
        "--seed", type=whole(0), metavar="N", help="seed of the samples (default: the run's)"
    )
    parser.add_argument(
        "--out", type=Path, metavar="FILE", help="a .png or .npy file (default: in the run folder)"
    )


def execute(args: argparse.Namespace) -> int:
    run = opened(args)
    from gendsl.run.sample_command import SampleRequest, write

    request = SampleRequest(args.sampler, args.n, tuple(args.settings), args.seed, args.out)
    for path, result in write(run, request):
        if args.format == "json":
            line = {"file": str(path), "name": result.name, "shape": list(result.values.shape)}
            sys.stdout.write(json_line(line | {"step": run.step}))
        else:
            count = counted(len(result.values), "sample")
            print(f"{path}: {count} after {counted(run.step, 'step')}")
            if result.reason and args.out is None:
                print(f"no picture: {result.reason}")
    return OK
