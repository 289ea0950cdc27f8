"""The run folder: where it is, what lies in it, and who may write to it.

In: the program's name, `--out` and `--resume`. Out: a `RunFolder` that is this process's alone
until it is released. Always: nothing of an earlier run is overwritten; a folder that is not a run
is never written into. Names that start with a dot are the writer's own (lock, temporary files)
and do not make a folder "non-empty".
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from gendsl.diagnostics.model import fail
from gendsl.run.files import disk_errors

DEFAULT_PLACE = Path("runs")


@dataclass
class RunFolder:
    """Paths of a run's files. `acquire` locks it; the lock ends with the process or `release`."""

    path: Path
    _lock: IO[Any] | None = field(default=None, repr=False)

    @property
    def manifest(self) -> Path:
        return self.path / "manifest.json"

    @property
    def metrics(self) -> Path:
        return self.path / "metrics.jsonl"

    @property
    def timings(self) -> Path:
        return self.path / "timings.jsonl"

    @property
    def checkpoints(self) -> Path:
        return self.path / "checkpoints"

    @property
    def samples(self) -> Path:
        """Pictures drawn on the way, `step-%08d.png`."""
        return self.path / "samples"

    @property
    def report(self) -> Path:
        return self.path / "report.html"

    def acquire(self) -> None:
        """Create the folder where needed and take its lock."""
        with disk_errors("make", self.path):
            self.path.mkdir(parents=True, exist_ok=True)
            handle = (self.path / ".lock").open("w")
        if not _try_lock(handle):
            handle.close()
            raise fail(
                "E1046",
                f"another process is training in {self.path}",
                help="wait until it ends, or choose another folder with `--out DIR`",
            )
        self._lock = handle

    def release(self) -> None:
        if self._lock is not None:
            self._lock.close()
            self._lock = None


def _try_lock(handle: IO[Any]) -> bool:
    """An advisory lock that the system drops when the process dies, however it dies."""
    try:
        import fcntl
    except ImportError:  # not a POSIX system: there is no lock to take, and nothing to refuse
        return True
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def is_blank(path: Path) -> bool:
    """Whether a run may start here: absent, or a folder with nothing but dot files."""
    if not path.exists():
        return True
    if not path.is_dir():
        raise fail(
            "E1043",
            f"{path} is not a folder",
            help="give a folder that does not exist yet with `--out DIR`",
        )
    with disk_errors("read", path):
        return all(entry.name.startswith(".") for entry in path.iterdir())


def choose(name: str, out: Path | None, resume: bool, place: Path = DEFAULT_PLACE) -> RunFolder:
    """The folder of this run; makes nothing.

    With `out`, exactly that one. Otherwise `runs/NAME`, and where that is taken `runs/NAME-2`,
    `runs/NAME-3`, ...; with `resume` the one of these with the largest number.
    """
    if out is None:
        taken = _numbered(place, name)
        if resume:
            return RunFolder(taken[max(taken)] if taken else place / name)
        number = max((n for n, p in taken.items() if not is_blank(p)), default=0) + 1
        return RunFolder(place / (name if number == 1 else f"{name}-{number}"))
    if resume:
        if not is_blank(out) and not (out / "manifest.json").is_file():
            raise fail(
                "E1042",
                f"{out} is not a run folder: it holds no manifest.json",
                help="give the folder of a run to `--out`, or a new one",
            )
    elif not is_blank(out):
        raise fail(
            "E1041",
            f"the folder {out} is not empty",
            help="add `--resume` to go on with the run in it, or choose a new folder",
        )
    return RunFolder(out)


def _numbered(place: Path, name: str) -> dict[int, Path]:
    """The folders `NAME`, `NAME-2`, ... in `place` by number."""
    pattern = re.compile(re.escape(name) + r"(?:-([1-9][0-9]*))?")
    found: dict[int, Path] = {}
    if place.is_dir():
        for path in place.iterdir():
            match = pattern.fullmatch(path.name)
            if match and path.is_dir():
                found[int(match[1] or 1)] = path
    return found
