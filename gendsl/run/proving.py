"""What a person sees while claims are proved, when that takes a while.

In: the name of each claim as it is asked, and how many there are if that is known. Out: on a
terminal one line that is written anew and taken away at the end; elsewhere a line after a second
and then now and then. Always: nothing within the first second, and nothing here has any effect on a
verdict: the lines come from a thread of their own, which sleeps nearly all of the time.
"""

from __future__ import annotations

import os
import shutil
import threading
import time
from typing import TextIO

from gendsl.run.progress import duration

SOON = 1.0  # seconds until the first line
REFRESH_EVERY = 0.2  # on a terminal
PLAIN_EVERY = 10.0
ERASE = "\r\x1b[K"


class Proving:
    """A view of the prover at work: `begin` is told of each claim, the first of which starts it;
    `with` ends it. `total` is how many there will be, 0 where that is not known."""

    def __init__(self, stream: TextIO, total: int = 0) -> None:
        self._stream, self._total = stream, total
        self._live = stream.isatty() and os.environ.get("TERM") != "dumb"
        self._asked, self._name = 0, ""
        self._began = 0.0
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="gendsl-proving", daemon=True)

    def __enter__(self) -> Proving:
        return self

    def __exit__(self, *problem: object) -> None:
        self._ended.set()
        if self._asked:
            self._thread.join()

    def begin(self, name: str) -> None:
        """The next claim is being asked."""
        self._asked, self._name = self._asked + 1, name
        if self._asked == 1:
            self._began = time.monotonic()
            self._thread.start()

    def _watch(self) -> None:
        if self._ended.wait(SOON):
            return
        while True:
            self._write(f"{ERASE}{self._line()}" if self._live else f"{self._line()}\n")
            if self._ended.wait(REFRESH_EVERY if self._live else PLAIN_EVERY):
                break
        if self._live:
            self._write(ERASE)

    def _line(self) -> str:
        seconds = duration(time.monotonic() - self._began)
        number = f"{self._asked} of {self._total}" if self._total else f"{self._asked}"
        text = f"proving  claim {number}, {self._name} ({seconds})"
        return text[: shutil.get_terminal_size().columns - 1] if self._live else text

    def _write(self, text: str) -> None:
        self._stream.write(text)
        self._stream.flush()
