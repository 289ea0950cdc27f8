"""`gendsl doctor`: what is installed, what is missing, and the exact fix."""

from __future__ import annotations

import argparse
import sys
from dataclasses import asdict

from gendsl.cli.codes import OK, WRONG
from gendsl.cli.flags import one_of
from gendsl.diagnostics.counted import counted


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--format", type=one_of(("text", "json")), default="text", metavar="FORMAT",
        help="text (default), or json: one object per finding",
    )  # fmt: skip


_SIGNS = {"good": ("ok", "good"), "missing": ("missing", "bad"), "wrong": ("wrong", "bad")}


def execute(args: argparse.Namespace) -> int:
    from gendsl.cli.output import json_line
    from gendsl.diagnostics.style import style_of
    from gendsl.doctor import examine

    style = style_of(sys.stdout)
    area, bad = "", []
    for finding in examine():
        if finding.state in ("missing", "wrong"):
            bad.append(finding)
        if args.format == "json":
            sys.stdout.write(json_line(asdict(finding)))
            continue
        if finding.area != area:
            area = finding.area
            print(style.paint(area, "title"))
        word, role = _SIGNS.get(finding.state, ("absent", "faint"))
        print(f"  {style.paint(f'{word:<8}', role)}{finding.name:<15}{finding.text}")
        if finding.fix and finding.state != "good":
            print(f"  {'':<23}{style.paint('fix:', 'help')} {finding.fix}")
    if args.format == "text":
        print()
        print(
            style.paint(f"{counted(len(bad), 'thing')} to fix", "bad")
            if bad
            else style.paint("ready to check and to train", "good")
        )
    return WRONG if bad else OK
