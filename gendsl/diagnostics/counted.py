"""Counted nouns for messages."""

from __future__ import annotations


def counted(count: int, noun: str, plural: str = "") -> str:
    """`1 size`, `2 sizes`, `1,000 sizes`; `plural` where that is not the noun with an s."""
    return f"{count:,} {noun if count == 1 else plural or noun + 's'}"
