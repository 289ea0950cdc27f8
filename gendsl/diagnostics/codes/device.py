"""Warnings of a running target: W09xx."""

from __future__ import annotations

from gendsl.diagnostics.entry import Entry

ENTRIES: tuple[Entry, ...] = (
    Entry(
        "W0901",
        "steps run without a captured graph",
        "On CUDA a whole training step is recorded once and then replayed with one launch. Here "
        "the recording failed, for the reason that the message gives, and every kernel is launched "
        "by itself: the numbers are the same, and steps are slower. Another program's work on the "
        "device during the first step, or an old driver, can be the cause.",
        "",
        "whether a step can be captured depends on the machine, not on the program",
    ),
    Entry(
        "W0902",
        "generated source could not be written",
        "Kernels are kept as readable source in a cache folder, under a name made of their "
        "content. That folder cannot be written, so they are kept in memory only: training is the "
        "same, but there is no file to look at. Set `XDG_CACHE_HOME` to a folder that can be "
        "written.",
        "",
        "whether a folder can be written depends on the machine, not on the program",
    ),
    Entry(
        "W0903",
        "measured tiles are ignored or not kept",
        "Tiles of products that `--tune` measured on this GPU are kept in a cache folder, one file "
        "for each GPU and version of Triton. That file is damaged, of another format, or cannot be "
        "written; the message says which. Tiles come from the table that gendsl ships then: the "
        "numbers are the same, and steps may be slower.",
        "",
        "whether a cache file is whole depends on the machine, not on the program",
    ),
)
