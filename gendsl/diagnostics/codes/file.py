"""Files: E00xx."""

from __future__ import annotations

from gendsl.diagnostics.entry import Entry

ENTRIES: tuple[Entry, ...] = (
    Entry(
        "E0001",
        "no such file",
        "The program named on the command line is neither a file that can be read nor the name "
        "of a program that comes with gendsl. A bare name such as `vae` means the shipped "
        "program; a path, or a name that ends in `.gml`, means a file. Check the spelling and "
        "the folder you are in.",
        "",
        "it is about a file that is not there: `gendsl check no_such.gml`",
    ),
    Entry(
        "E0002",
        "a folder where a file was wanted",
        "A program is one file. Name a `.gml` file in the folder; `gendsl check` also takes a "
        "folder and checks the files directly in it. The folder of a run goes to `gendsl sample`, "
        "`gendsl eval`, or `--out` beside `--resume`.",
        "",
        "it is about a folder: `gendsl run programs/`",
    ),
    Entry(
        "E0003",
        "not UTF-8 text",
        "Programs are UTF-8 text; the byte and the line are in the message. Usually the file "
        "was saved in an older encoding (save it as UTF-8), or it is no program at all, but a "
        "checkpoint or a picture.",
        "",
        "a catalog example is text already",
    ),
    Entry(
        "E0004",
        "too large to be a program",
        "A program is a page or two. A file of several megabytes is data under a wrong name, "
        "and it is refused before it is read.",
        "",
        "it would need an example of several megabytes",
    ),
    Entry(
        "E0005",
        "the file cannot be written",
        "`gendsl fmt` could not put the formatted text in place; the file is as it was. Usually "
        "the file or its folder is read-only, or the disk is full. `--diff` shows the change "
        "without writing.",
        "",
        "it is about a file that must not be written: `gendsl fmt` in a read-only folder",
    ),
    Entry(
        "E0006",
        "too deeply nested",
        "A value is computed from a value that is computed from a value, and so on, through more "
        "steps than the checker follows (several thousand layers). A program that long was written "
        "by another one; steps that repeat are a `for` loop.",
        "",
        "it would need an example of ten thousand lines",
    ),
)
