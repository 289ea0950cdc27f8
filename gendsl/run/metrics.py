"""`metrics.jsonl`: what a run measured, one JSON object a line, without a clock.

A line is {"step", "split", "weights", "metrics", ...}: split "train" (the loss of one step's batch,
before its update) or "heldout" (the average over the held-out part after `step` updates, or over
some of its examples where there are very many), weights "raw" or "ema", and every metric in nats by
dotted name. "hypers" gives scheduled values. A line with "final": true was written because the run
ended there, off the cadence or over the whole held-out part; it is dropped when the run goes on.
Always: resumed at step s, the file is what an unbroken run had written by step s.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gendsl.diagnostics.model import GendslError, fail
from gendsl.run.files import disk_errors, write_whole


@dataclass(frozen=True)
class Record:
    """One line of the file."""

    step: int
    split: str
    metrics: Mapping[str, float]
    weights: str = "raw"
    hypers: Mapping[str, float] = field(default_factory=dict)
    final: bool = False

    def line(self) -> str:
        value: dict[str, Any] = {"step": self.step, "split": self.split, "weights": self.weights}
        value["metrics"] = dict(self.metrics)
        if self.hypers:
            value["hypers"] = dict(self.hypers)
        if self.final:
            value["final"] = True
        return json.dumps(value, allow_nan=False) + "\n"

    @staticmethod
    def parse(line: str) -> Record:
        """Raises ValueError, KeyError or TypeError for a line that is none of ours."""
        value = json.loads(line)
        return Record(
            int(value["step"]),
            str(value["split"]),
            {str(k): float(v) for k, v in value["metrics"].items()},
            str(value["weights"]),
            {str(k): float(v) for k, v in value.get("hypers", {}).items()},
            bool(value.get("final", False)),
        )


def read(path: Path) -> list[Record]:
    """Every complete line. The last one may be torn by a kill and is then left out."""
    if not path.exists():
        return []
    with disk_errors("read", path):
        raw = path.read_bytes()
    lines = raw.split(b"\n")
    records = []
    for number, line in enumerate(lines[:-1], 1):
        try:
            records.append(Record.parse(line.decode()))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise damaged(path, number) from error
    return records


def damaged(path: Path, number: int) -> GendslError:
    return fail(
        "E1050",
        f"line {number} of {path} is not a line that gendsl wrote",
        help="the run cannot be resumed with it; start a new one with `--out DIR`",
    )


def cut_back(path: Path, step: int) -> list[Record]:
    """Keep what an unbroken run had written by `step`, and return it. Step 0 keeps nothing: a run
    that starts there writes its first evaluation again."""
    if not path.exists():
        return []
    kept = [r for r in read(path) if step > 0 and r.step <= step and not r.final]
    write_whole(path, "".join(r.line() for r in kept))
    return kept


class Journal:
    """Appends lines to a file; `sync` makes them durable (called before each checkpoint)."""

    def __init__(self, path: Path) -> None:
        self._path = path
        with disk_errors("write", path):
            if path.exists():
                _drop_torn_line(path)
            self._stream = path.open("a", encoding="utf-8")

    def write(self, lines: Iterable[str]) -> None:
        with disk_errors("write", self._path):
            self._stream.write("".join(lines))
            self._stream.flush()

    def sync(self) -> None:
        with disk_errors("write", self._path):
            self._stream.flush()
            os.fsync(self._stream.fileno())

    def close(self) -> None:
        with disk_errors("write", self._path):
            self._stream.close()


def _drop_torn_line(path: Path) -> None:
    """A kill may have left the start of a line at the end: nothing may be appended to that."""
    with path.open("r+b") as stream:
        whole = stream.read().rfind(b"\n") + 1
        stream.truncate(whole)
