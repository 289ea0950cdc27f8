"""`gendsl run PROGRAM`: reads the flags into `RunOptions` and hands over to `gendsl.run`."""

from __future__ import annotations

import argparse
import shlex
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from gendsl.cli.flags import FlagParser, UsageError, add_format, add_settings, one_of, whole
from gendsl.options import STAGES, RunOptions
from gendsl.precision import PRECISIONS

if TYPE_CHECKING:
    from gendsl.driver import Analysis


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "program", nargs="?", metavar="PROGRAM", help="a .gml file, or a shipped program's name"
    )
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--cpu", action="store_true", help="run on the CPU (default)")
    where.add_argument("--cuda", action="store_true", help="run on an NVIDIA GPU")
    parser.add_argument("--data", metavar="NAME_OR_PATH", help="data other than the program's own")
    add_settings(parser, "set a size or hyperparameter; may be given several times")
    parser.add_argument("--steps", type=whole(1), metavar="N", help="how many steps to train")
    parser.add_argument(
        "--seed", type=whole(0), metavar="N", help="seed of all randomness (default 0)"
    )
    parser.add_argument(
        "--out", type=Path, metavar="DIR", help="the run's folder (default runs/PROGRAM)"
    )
    parser.add_argument(
        "--resume",
        action="store_true",
        help="go on with the run in the folder (the program's newest), with the flags it had; "
        "`--resume --out DIR` needs no PROGRAM",
    )
    parser.add_argument(
        "--raw", action="store_true", help="sample with the trained, not the averaged weights"
    )
    parser.add_argument(
        "--precision",
        type=one_of(tuple(PRECISIONS)),
        metavar="NAME",
        help=f"of matrix products: {', '.join(PRECISIONS)} (default: the program's, else float32)",
    )
    parser.add_argument(
        "--tune",
        action="store_true",
        help="first measure, on this GPU, which tiles of products are quickest, and keep them",
    )
    parser.add_argument(
        "--emit",
        type=one_of(STAGES),
        metavar="STAGE",
        help=f"print a stage and stop: {', '.join(STAGES)}",
    )
    parser.add_argument(
        "--allow-refuted", action="store_true", help="train in spite of a refuted claim"
    )
    parser.add_argument(
        "--passes",
        default="all",
        metavar="NAMES",
        help="graph passes before planning: all, none, or names joined by commas",
    )
    add_format(parser)


def execute(args: argparse.Namespace) -> int:
    if args.program is None and not (args.resume and args.out):
        fix = "`gendsl run vae`, or a `.gml` file"
        if args.resume:
            fix += "; with `--out DIR` the program is that of the run in this folder"
        raise UsageError("no program given", fix)
    if args.tune and (not args.cuda or args.emit is not None):
        raise UsageError("`--tune` measures kernels on a GPU", "`gendsl run PROGRAM --cuda --tune`")
    from gendsl.cli.programs import require_program

    texts = None
    if args.program is None:
        args.program, texts = _program_of(args.out)
    else:
        require_program(args.program)
    from gendsl.run import kept, startup

    asked = replace(as_before(args) if args.resume else options(args), texts=texts)
    with startup.quick():
        _check_passes(args.passes)
        entry = None if args.emit else kept.look(asked)
        if entry is not None and entry.body is not None:
            startup.load()  # this program was trained before: PyTorch will be needed, and soon
        from gendsl.run.session import run

        return run(asked, _front_text, entry)


def _check_passes(names: str) -> None:
    if names == "all":
        return  # whatever there is: the passes need not be looked up
    from gendsl.passes.pipeline import select

    try:
        select(names)
    except ValueError as problem:
        raise UsageError(str(problem), "`--passes all`, `--passes none`") from None


def _front_text(analysis: Analysis, stage: str) -> str | None:
    from gendsl.cli.emit import stage_text

    return stage_text(analysis, stage)


def _program_of(folder: Path) -> tuple[str, dict[str, str]]:
    """The program of the run in a folder, and files of it that have changed, as they were."""
    from gendsl.run.reopen import kept_texts, run_manifest

    then = run_manifest(folder)
    program = options_of(then["command"]).program
    return program, kept_texts(then, program)


def as_before(args: argparse.Namespace) -> RunOptions:
    """The options of a run that goes on: those it was started with, but for what is given anew."""
    from gendsl.run.folder import choose
    from gendsl.run.manifest import read

    asked = options(args)
    manifest = choose(asked.name, asked.out, resume=True).manifest
    if not manifest.is_file():
        return asked
    then = options_of(read(manifest)["command"])
    device = asked.device if args.cpu or args.cuda else then.device
    return replace(
        asked,
        device=device,
        data=asked.data or then.data,
        settings=tuple((dict(then.settings) | dict(asked.settings)).items()),
        seed=then.seed if args.seed is None else asked.seed,
        precision=asked.precision or (then.precision if device == then.device else None),
        allow_refuted=asked.allow_refuted or then.allow_refuted,
        raw=asked.raw or then.raw,
    )


def options(args: argparse.Namespace) -> RunOptions:
    """The flags as data."""
    return RunOptions(
        program=args.program,
        device="cuda" if args.cuda else "cpu",
        data=args.data,
        settings=tuple(args.settings),
        steps=args.steps,
        seed=args.seed or 0,
        out=args.out,
        resume=args.resume,
        emit=args.emit,
        allow_refuted=args.allow_refuted,
        precision=args.precision,
        tune=args.tune,
        raw=args.raw,
        passes=args.passes,
        format=args.format,
    )


def options_of(command: str) -> RunOptions:
    """The options that a manifest's command line stands for."""
    parser = FlagParser("gendsl run", "")
    configure(parser)
    return options(parser.read(shlex.split(command)[2:]))
