"""Programs as the command line names them: a path, or a shipped program's name."""

from __future__ import annotations

from pathlib import Path

from gendsl import resources
from gendsl.diagnostics.model import fail
from gendsl.diagnostics.suggest import did_you_mean


def require_program(word: str) -> None:
    """Raise E0001 with the nearest names when `word` is a bare name that nothing has, E0002 when it
    is the folder of a run.

    Anything that looks like a path is left to the reader, which says more about it.
    """
    if (Path(word) / "manifest.json").is_file():
        raise fail(
            "E0002",
            f"{word} is the folder of a run, not a program",
            help=f"`gendsl run PROGRAM --out {word} --resume` goes on with it; `gendsl sample "
            f"{word}` and `gendsl eval {word}` read it",
        )
    if "/" in word or word.endswith(".gml") or Path(word).exists():
        return
    known = resources.names("programs")
    if word in known:
        return
    beside = [path.stem for path in Path().glob("*.gml")]
    hint = did_you_mean(word, [*known, *beside])
    if Path(f"{word}.gml").exists():
        hint = f"did you mean the file `{word}.gml`?"
    raise fail(
        "E0001",
        f"there is no file `{word}` and no shipped program of that name",
        help=hint or f"the shipped programs are {', '.join(known)}",
    )
