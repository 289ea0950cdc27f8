"""`gendsl eval RUN`: measure a trained run."""

from __future__ import annotations

import argparse
import sys

from gendsl.cli.codes import OK
from gendsl.cli.flags import one_of, whole
from gendsl.cli.output import json_line
from gendsl.cli.run_folder import add_run, opened
from gendsl.diagnostics.counted import counted


def configure(parser: argparse.ArgumentParser) -> None:
    add_run(parser)
    parser.add_argument(
        "--split",
        type=one_of(("held_out", "train")),
        default="held_out",
        metavar="PART",
        help="held_out (default) or train",
    )
    parser.add_argument(
        "--n", type=whole(2), default=256, metavar="N", help="samples for distances (256)"
    )
    parser.add_argument(
        "--k", type=whole(1), default=64, metavar="K", help="draws of an IWAE bound (64)"
    )
    parser.add_argument("--no-pictures", action="store_true", help="numbers only")


def execute(args: argparse.Namespace) -> int:
    run = opened(args)
    from gendsl.run.eval_command import EvalRequest, evaluate

    request = EvalRequest(args.split, args.n, args.k, not args.no_pictures)
    found = evaluate(run, request)
    if args.format == "json":
        sys.stdout.write(json_line(found.json()))
        return OK
    examples, steps = counted(found.examples, "example"), counted(found.step, "step")
    print(f"{args.run}: {examples} ({args.split}), after {steps}")
    width = max(len(m.name) for m in found.measured)
    for m in found.measured:
        value = f"{m.value:.5g}" + (f" ± {m.error:.2g}" if m.error is not None else "")
        line = f"  {m.name:<{width}}  {value}{' ' + m.unit if m.unit else ''}"
        print(line + (f"   ({m.note})" if m.note and args.format == "text" else ""))
    for path in found.pictures:
        print(f"wrote {path}")
    return OK
