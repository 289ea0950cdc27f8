"""The process of one workload, seen from outside: orders to it, answers within a time.

In: what to run. Out: answers to orders (`benchmarks.gpu.contest`), or `Lost` with the reason.
Always: a process that is late is ended with all that it started; what it printed goes to the log.
"""

from __future__ import annotations

import json
import os
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from typing import IO, Any


class Lost(Exception):
    """No answer: the process has ended, or was ended."""


class Child:
    """See the module. Orders may be given before earlier ones are answered."""

    def __init__(self, name: str, log: IO[str], words: Sequence[str] = ()) -> None:
        self.name = name
        command = list(words) or [sys.executable, "-u", "-m", "benchmarks.gpu.contest", name]
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            env={**os.environ, "PYTHONFAULTHANDLER": "1"},
            start_new_session=True,
        )
        self._answers: queue.Queue[str] = queue.Queue()
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._answers.put(line)
        self._answers.put("")

    def order(self, do: str, **more: Any) -> None:
        """Ask for something; the answer comes with `answer`."""
        assert self._process.stdin is not None
        try:
            print(json.dumps({"do": do, **more}), file=self._process.stdin, flush=True)
        except OSError as problem:
            raise Lost(self._ended()) from problem

    def answer(self, seconds: float) -> dict[str, Any]:
        """The answer to the oldest order without one."""
        try:
            line = self._answers.get(timeout=max(0.0, seconds))
        except queue.Empty:
            self.end()
            raise Lost(f"no answer within {seconds:.0f} s") from None
        if not line:
            raise Lost(self._ended())
        found: dict[str, Any] = json.loads(line)
        return found

    def _ended(self) -> str:
        code = self._process.wait(timeout=10)
        return f"its process ended with {code}; the log says why"

    def end(self) -> None:
        """End the process and all that it started: they are a session of their own."""
        if self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait(timeout=10)
