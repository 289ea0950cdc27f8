"""What a run of `python -m benchmarks.cuda` has found: rows, ceilings, and the files they lie in.

In: answers of the workloads' processes. Out: `cuda.md`, the table, and `cuda.json`, all numbers.
Always: both are written whole after every answer.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks.gpu import table
from benchmarks.gpu.device import Ceilings
from benchmarks.gpu.table import Row


class Results:
    """Rows by workload, in the folder's table and numbers."""

    def __init__(self, folder: Path, title: str, rivals: Sequence[str]) -> None:
        self.folder, self.title, self.rivals = folder, title, rivals
        self.rows: dict[str, Row] = {}
        self.ceilings: Ceilings | None = None

    def read(self) -> None:
        """What an earlier run has left, if it was on such a device."""
        path = self.folder / "cuda.json"
        if not path.is_file():
            return
        content = json.loads(path.read_text(encoding="utf-8"))
        if content["device"] != self.title:
            return
        self.rows = {name: Row(**row) for name, row in content["rows"].items()}
        if content["ceilings"] is not None:
            self.ceilings = Ceilings(**content["ceilings"])

    def lacks(self, name: str, rival: str) -> bool:
        return name not in self.rows or rival not in self.rows[name].times

    def add(self, found: dict[str, Any]) -> None:
        """Take what an answer says beside what is known, and write everything."""
        if found["ceilings"] is not None:
            self.ceilings = Ceilings(**found["ceilings"])
        new = Row(**found["row"])
        row = self.rows.setdefault(new.workload, new)
        row.difference = row.difference if new.difference is None else new.difference
        row.device = row.device if new.device is None else new.device
        row.kernels = new.kernels or row.kernels
        row.times |= {who: t for who, t in new.times.items() if who not in row.times}
        row.beside |= new.beside
        row.absent = {w: t for w, t in (row.absent | new.absent).items() if w not in row.times}
        self.write()

    def lacking(self, name: str, rival: str, why: str) -> None:
        """Say why a contender was not measured."""
        row = self.rows[name]
        if rival not in row.times and rival not in row.absent:
            row.absent[rival] = why
            self.write()

    def write(self) -> None:
        rows = {name: asdict(row) for name, row in self.rows.items()}
        ceilings = None if self.ceilings is None else asdict(self.ceilings)
        content = {"device": self.title, "ceilings": ceilings, "rows": rows}
        found = [who for row in self.rows.values() for who in row.times if who != table.OURS]
        columns = list(dict.fromkeys([*found, *self.rivals]))  # those of earlier runs as well
        text = table.text(list(self.rows.values()), self.title, self.ceilings, columns)
        for name, made in (("cuda.json", json.dumps(content, indent=1) + "\n"), ("cuda.md", text)):
            aside = self.folder / f"{name}.part"
            aside.write_text(made, encoding="utf-8")
            os.replace(aside, self.folder / name)
