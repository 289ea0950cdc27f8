"""`gendsl fmt PATHS`: rewrites programs in the canonical layout; `--check` only says which are not.

A file that does not parse is left as it is, with its diagnostics. `-` reads stdin and writes
stdout, for editors.
"""

from __future__ import annotations

import argparse
import difflib
import os
import sys
from pathlib import Path

from gendsl.cli.codes import OK, WRONG
from gendsl.cli.flags import UsageError
from gendsl.diagnostics.model import GendslError, fail
from gendsl.source.text import SourceFile


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "paths", nargs="*", metavar="PATH", help="a .gml file, a folder of them, or - for stdin"
    )
    parser.add_argument(
        "--check", action="store_true", help="write nothing; exit with 1 if a file would change"
    )
    parser.add_argument("--diff", action="store_true", help="write nothing; show what would change")


def execute(args: argparse.Namespace) -> int:
    from gendsl.cli.check import files
    from gendsl.cli.output import report

    if not args.paths:
        raise UsageError("nothing to format", "`gendsl fmt FILE.gml`, a folder, or -")
    if args.paths == ["-"]:
        return _stdin()
    changed, broken = [], 0
    paths = files(args.paths)
    for path in paths:
        try:
            if _one(path, write=not (args.check or args.diff), diff=args.diff):
                changed.append(path)
        except GendslError as problem:
            report(problem.diagnostics, "text")
            broken += 1
    if args.check or args.diff:
        for path in changed if args.check else []:
            print(f"would reformat {path}")
    elif changed:
        print("\n".join(f"reformatted {path}" for path in changed))
    print(_summary(len(paths), len(changed), broken, args.check or args.diff), file=sys.stderr)
    return WRONG if broken or (changed and (args.check or args.diff)) else OK


def _one(path: str, *, write: bool, diff: bool) -> bool:
    """Format one file; whether its text is not canonical."""
    from gendsl.source.read import read_source
    from gendsl.syntax.format import format_source

    file = Path(path)
    source = read_source(file, path)
    text = format_source(source)
    if text.encode() == file.read_bytes():
        return False
    if diff:
        _show_diff(source, text)
    if write:
        _replace(file, text)
    return True


def _show_diff(source: SourceFile, text: str) -> None:
    lines = difflib.unified_diff(
        source.text.splitlines(),
        text.splitlines(),
        source.path,
        f"{source.path} (formatted)",
        lineterm="",
    )
    print("\n".join(lines))


def _replace(file: Path, text: str) -> None:
    """Put the whole new text in place, or nothing."""
    temporary = file.with_name(f".{file.name}.{os.getpid()}.tmp")
    try:
        try:
            temporary.write_text(text, encoding="utf-8", newline="")
            temporary.chmod(file.stat().st_mode)
            temporary.replace(file)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as problem:
        raise fail("E0005", f"{file} cannot be written: {problem.strerror}") from None


def _stdin() -> int:
    from gendsl.syntax.format import format_source

    text = sys.stdin.read().replace("\r\n", "\n")
    sys.stdout.write(format_source(SourceFile("<stdin>", text)))
    return OK


def _summary(total: int, changed: int, broken: int, dry: bool) -> str:
    verb = "would change" if dry else "changed"
    parts = [f"{changed} {verb}"] if changed else []
    parts += [f"{broken} cannot be read"] if broken else []
    same = total - changed - broken
    parts += [f"{same} already in the canonical layout"] if same else []
    return f"{total} file{'s' * (total != 1)}: {', '.join(parts)}"
