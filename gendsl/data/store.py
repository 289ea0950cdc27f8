"""Where sets lie on this machine: bundled ones in the package, fetched ones in folders.

A fetched set is looked for in `$GENDSL_DATA/NAME`, the cache folder (`$XDG_CACHE_HOME` or
`~/.cache`, then `gendsl/data/NAME`) and the system's own folder. Writing happens only in the
cache, piece by piece, each hashed before it gets its name.
"""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import os
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from gendsl import cache
from gendsl.data.read_idx import open_plain_or_gzip
from gendsl.data.sets import DIGIT_CLASSES, FASHION_CLASSES, FetchedSet, Piece
from gendsl.diagnostics.model import fail

BUNDLED_FOLDER = Path(__file__).parent / "bundled"


@dataclass(frozen=True)
class BundledSet:
    """A set that comes inside the package."""

    name: str
    aliases: tuple[str, ...]
    title: str
    licence: str
    origin: str
    file: str
    scale: int
    classes: tuple[str, ...]
    data_hash: str

    @property
    def path(self) -> Path:
        return BUNDLED_FOLDER / self.file


BUNDLED: tuple[BundledSet, ...] = (
    BundledSet(
        "digits",
        (),
        "1,797 grey handwritten digits of 8x8, 10 classes",
        "CC BY 4.0 (UCI Machine Learning Repository); bundled/LICENSE-digits.txt",
        "E. Alpaydin, C. Kaynak: Optical Recognition of Handwritten Digits (1998), test part",
        "digits.npz",
        16,
        DIGIT_CLASSES,
        "a78b493171ed2fb833551a7e3a0d3f2ccae3625a6b08c040e9ed887c691b0bd8",
    ),
    BundledSet(
        "fashion2k",
        ("fashion-mnist-2000",),
        "1,600 + 400 grey pictures of clothes of 28x28, 10 classes, equally many of each",
        "MIT, Copyright 2017 Zalando SE; bundled/LICENSE-fashion2k.txt",
        "H. Xiao, K. Rasul, R. Vollgraf: Fashion-MNIST (2017), the first of each class",
        "fashion2k.npz",
        255,
        FASHION_CLASSES,
        "8c0d3cb9b73833d1ec90d8ff9b45fb1c606a2f62e84cec06c39a48975d646e79",
    ),
)


def bundled_set(name: str) -> BundledSet | None:
    return next((s for s in BUNDLED if name == s.name or name in s.aliases), None)


def cache_folder(name: str) -> Path:
    return cache.folder("data") / name


def folders(known: FetchedSet) -> tuple[Path, ...]:
    """Where a set may lie, first choice first."""
    own = os.environ.get("GENDSL_DATA")
    mine = [Path(own) / name for name in (known.name, *known.aliases)] if own else []
    system = [Path(known.system_folder)] if known.system_folder else []
    return (*mine, cache_folder(known.name), *system)


def piece_path(folder: Path, piece: Piece) -> Path | None:
    """The piece's file, plain or gzipped."""
    candidates = (folder / piece.file, folder / f"{piece.file}.gz")
    return next((path for path in candidates if path.is_file()), None)


def find(known: FetchedSet) -> Path | None:
    """The first folder that has all pieces (not yet hashed: loading does that)."""
    for folder in folders(known):
        if all(piece_path(folder, piece) is not None for piece in known.pieces):
            return folder
    return None


PieceState = Literal["sound", "damaged", "absent"]


def piece_state(folder: Path, piece: Piece) -> PieceState:
    """Whether the piece is there with exactly its bytes."""
    path = piece_path(folder, piece)
    if path is None:
        return "absent"
    digest = hashlib.sha256()
    try:
        with open_plain_or_gzip(path) as stream:
            while block := stream.read(1 << 20):
                digest.update(block)
    except (EOFError, gzip.BadGzipFile, zlib.error):
        return "damaged"
    return "sound" if digest.hexdigest() == piece.sha256 else "damaged"


@contextlib.contextmanager
def disk_errors(what: str, path: Path) -> Iterator[None]:
    """Turn an `OSError` on `path` into a coded error."""
    try:
        yield
    except OSError as error:
        raise fail(
            "E1017",
            f"cannot {what} {path}: {error.strerror or error}",
            help="check permissions and free space; XDG_CACHE_HOME moves the cache folder",
        ) from error


def write_piece(folder: Path, file: str, body: bytes) -> None:
    """Put a whole file in place, or nothing."""
    temporary = folder / f".{file}.{os.getpid()}.tmp"
    with disk_errors("write", folder / file):
        try:
            with temporary.open("wb") as stream:
                stream.write(body)
                stream.flush()
                os.fsync(stream.fileno())
            temporary.replace(folder / file)
        finally:
            temporary.unlink(missing_ok=True)
