"""Probability and the structure of objectives: E05xx."""

from __future__ import annotations

from gendsl.diagnostics.entry import Entry

ENTRIES: tuple[Entry, ...] = ()
