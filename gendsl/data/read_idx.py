"""IDX files (the format of MNIST), plain or gzipped, and folders of them.

Comes in a path, goes out an array or a `Dataset`. The header is read first; the body must have
exactly the length that the header says (E1003), so a truncated or overlong file is never used.
"""

from __future__ import annotations

import contextlib
import gzip
import math
import re
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, cast

import numpy as np

from gendsl.data.dataset import IMAGE, LABEL, VALUE, Array, Dataset, RawPart, assemble
from gendsl.diagnostics.model import fail

# The third header byte names the element type (big-endian).
ELEMENTS = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
GZIP_MAGIC = b"\x1f\x8b"
FETCH_AGAIN = "fetch or copy the file again: it is incomplete or damaged"

_NAME = re.compile(r"^(train|t10k|test)-(images|labels)[-.]idx[13]-ubyte(\.gz)?$")


def looks_like_idx(head: bytes) -> bool:
    return len(head) >= 4 and head[:2] == b"\0\0" and head[2] in ELEMENTS and 1 <= head[3] <= 8


@contextlib.contextmanager
def open_plain_or_gzip(path: Path) -> Iterator[IO[bytes]]:
    """The content of a file, unzipped when it begins as gzip does."""
    with path.open("rb") as file:
        zipped = file.read(2) == GZIP_MAGIC
        file.seek(0)
        if zipped:
            with gzip.GzipFile(fileobj=file) as content:
                yield cast(IO[bytes], content)
        else:
            yield file


def read_array(path: Path) -> Array:
    """The one array of an IDX file."""
    try:
        with open_plain_or_gzip(path) as file:
            return _parse(file, path)
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise fail(
            "E1003", f"{path}: the gzip stream is damaged ({error})", help=FETCH_AGAIN
        ) from error


def _parse(file: IO[bytes], path: Path) -> Array:
    head = file.read(4)
    if not head:
        raise fail("E1007", f"{path}: the file is empty", help=FETCH_AGAIN)
    if not looks_like_idx(head):
        raise fail(
            "E1004",
            f"{path}: not an IDX file: it begins with {head.hex(' ')}",
            help="an IDX file begins with 00 00, an element type (08 for uint8) and the number of "
            "axes; check that the file is what its name says (a saved error page is common)",
        )
    rank = head[3]
    sizes_bytes = file.read(4 * rank)
    if len(sizes_bytes) != 4 * rank:
        raise fail("E1003", f"{path}: the file ends within its header", help=FETCH_AGAIN)
    shape = struct.unpack(f">{rank}I", sizes_bytes)
    dtype = np.dtype(ELEMENTS[head[2]])
    expected = math.prod(shape) * dtype.itemsize
    body = file.read(expected + 1)
    if len(body) != expected:
        found = f"{len(body)}" if len(body) < expected else "more"
        raise fail(
            "E1003",
            f"{path}: the header says {shape}, which is {expected} bytes, but {found} follow",
            help=FETCH_AGAIN,
        )
    return np.frombuffer(body, dtype=dtype).reshape(shape)


def column_name(array: Array) -> str:
    """A single vector is labels, vectors are values, anything of higher rank is pictures."""
    if array.ndim <= 1:
        return LABEL
    return VALUE if array.ndim == 2 else IMAGE


def read_file(path: Path) -> Dataset:
    """A data set of one column: a lone IDX file never brings its neighbours along."""
    array = read_array(path)
    name = column_name(array)
    part = RawPart({name: array}, {name: str(path)})
    return assemble(path.name, part, None, provenance=f"IDX file {path}")


def idx_files(folder: Path) -> dict[tuple[str, str], Path]:
    """The files of a folder with MNIST's names, by (part, column); plain ones before gzipped."""
    found: dict[tuple[str, str], Path] = {}
    for path in sorted(folder.iterdir(), key=lambda p: (p.suffix == ".gz", p.name)):
        match = _NAME.match(path.name)
        if match and path.is_file():
            part = "train" if match[1] == "train" else "test"
            found.setdefault((part, IMAGE if match[2] == "images" else LABEL), path)
    return found


def read_folder(
    folder: Path,
    name: str,
    *,
    provenance: str | None = None,
    licence: str = "not stated in the files",
    classes: tuple[str, ...] = (),
) -> Dataset:
    """A folder with `train-images-idx3-ubyte` and its companions."""
    files = idx_files(folder)
    if ("train", IMAGE) not in files:
        raise fail(
            "E1000",
            f"{folder}: no `train-images-idx3-ubyte` (or .gz) among its IDX files",
            help="a folder of IDX files needs the training pictures; to read one file, name it",
        )
    train, test = (_read_part(files, part) for part in ("train", "test"))
    assert train is not None
    origin = provenance or f"IDX files in {folder}"
    return assemble(name, train, test, provenance=origin, licence=licence, classes=classes)


def _read_part(files: dict[tuple[str, str], Path], part: str) -> RawPart | None:
    mine = {column: path for (p, column), path in files.items() if p == part}
    if not mine:
        return None
    ordered = [column for column in (IMAGE, LABEL) if column in mine]
    return RawPart(
        {column: read_array(mine[column]) for column in ordered},
        {column: str(mine[column]) for column in ordered},
    )
