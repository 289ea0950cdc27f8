"""One catalog entry: what a diagnostic code means, for people.

Area modules in `gendsl/diagnostics/codes/` hold tuples of entries; `catalog.py` joins them,
`gendsl explain` prints them, and a test runs every example.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

CODE = re.compile(r"[EW]\d{4}")


@dataclass(frozen=True)
class Entry:
    """What `code` means. `explanation` says what, why, and how to fix it, in a few sentences.

    `example` is a `.gml` program that yields exactly this code; where a program cannot show it
    (data files, run folders), it is "" and `example_reason` says what would.
    """

    code: str
    title: str
    explanation: str
    example: str
    example_reason: str | None = None

    def __post_init__(self) -> None:
        if not CODE.fullmatch(self.code):
            raise ValueError(f"{self.code!r} is not a diagnostic code")
        if not self.title.strip() or not self.explanation.strip():
            raise ValueError(f"{self.code} needs a title and an explanation")
        if bool(self.example.strip()) == bool(self.example_reason):
            raise ValueError(f"{self.code} needs an example or a reason for having none, not both")
