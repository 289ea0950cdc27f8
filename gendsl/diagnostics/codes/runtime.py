"""Data, devices, run folders and checkpoints: E10xx."""

from __future__ import annotations

from gendsl.diagnostics.entry import Entry

ENTRIES: tuple[Entry, ...] = ()
