"""CIFAR-10 in both of its forms: binary rows (1 label byte + 3,072 pixels) and Python batches.

Python batches are pickles. `read_pickle` never gives the unpickler anything but inert stand-ins
that record their arguments, so nothing in the file can run, and the arrays are rebuilt here from
plain bytes; a pickle that asks for any other name is refused with E1008.
"""

from __future__ import annotations

import io
import math
import pickle
import pickletools
from pathlib import Path
from typing import Any

import numpy as np

from gendsl.data.dataset import IMAGE, LABEL, Array, Dataset, RawPart, assemble
from gendsl.data.read_idx import FETCH_AGAIN
from gendsl.diagnostics.model import GendslError, fail

PIXELS = 3 * 32 * 32
ROW = 1 + PIXELS
CLASSES = (
    "airplane",
    "automobile",
    "bird",
    "cat",
    "deer",
    "dog",
    "frog",
    "horse",
    "ship",
    "truck",
)
TRAIN_NAMES = tuple(f"data_batch_{number}" for number in range(1, 6))
TEST_NAME = "test_batch"
SUBFOLDERS = ("cifar-10-batches-bin", "cifar-10-batches-py")


# ---- binary ------------------------------------------------------------------------------


def read_binary(path: Path) -> tuple[Array, Array]:
    """(images (n, 3, 32, 32) uint8, labels (n,)) of one file."""
    size = path.stat().st_size
    if size == 0:
        raise fail("E1007", f"{path}: the file is empty", help=FETCH_AGAIN)
    if size % ROW:
        hundred = size % (ROW + 1) == 0
        raise fail(
            "E1003",
            f"{path}: {size} bytes are not a whole number of CIFAR-10 rows of {ROW} bytes",
            help="rows of 3074 bytes are CIFAR-100, which is not read: convert it to npz"
            if hundred
            else FETCH_AGAIN,
        )
    rows = np.frombuffer(path.read_bytes(), dtype=np.uint8).reshape(-1, ROW)
    labels = rows[:, 0]
    _check_labels(labels, path)
    return rows[:, 1:].reshape(-1, 3, 32, 32), labels


def _check_labels(labels: Array, path: Path) -> None:
    wrong = np.flatnonzero((labels < 0) | (labels >= len(CLASSES)))
    if wrong.size:
        row = int(wrong[0])
        raise fail(
            "E1004",
            f"{path}: row {row} has label {int(labels[row])}, CIFAR-10 has 0 to 9",
            help="check that this is a CIFAR-10 batch",
        )


# ---- Python batches ----------------------------------------------------------------------


class _Refused(Exception):
    """The pickle asked for a name that is not one of the four that arrays need."""


class _ArrayType:
    """Stands for the class `numpy.ndarray` where a pickle names it; it cannot be built."""

    def __init__(self) -> None:
        raise _Refused("a direct numpy.ndarray call")


class _DtypeRecord:
    """Stands for `numpy.dtype(...)`: keeps the arguments, checked later."""

    def __init__(self, *args: object) -> None:
        self.args = args
        self.state: Any = None

    def __setstate__(self, state: Any) -> None:
        self.state = state


class _ArrayRecord:
    """Stands for an array under reconstruction: keeps (version, shape, dtype, fortran, bytes)."""

    def __init__(self, *args: object) -> None:
        self.state: Any = None

    def __setstate__(self, state: Any) -> None:
        self.state = state


def _encode_latin1(text: object, codec: object = "latin1") -> bytes:
    """What Python 3 writes for bytes in protocol 2; only this one use of `_codecs.encode`."""
    if not isinstance(text, str) or codec not in ("latin1", "latin-1", "iso-8859-1"):
        raise _Refused(f"_codecs.encode with {codec!r}")
    return text.encode("latin1")


_ALLOWED: dict[tuple[str, str], Any] = {
    ("numpy", "ndarray"): _ArrayType,
    ("numpy", "dtype"): _DtypeRecord,
    ("numpy.core.multiarray", "_reconstruct"): _ArrayRecord,
    ("numpy._core.multiarray", "_reconstruct"): _ArrayRecord,
    ("_codecs", "encode"): _encode_latin1,
}


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str, /) -> Any:
        try:
            return _ALLOWED[module, name]
        except KeyError:
            raise _Refused(f"{module}.{name}") from None

    def persistent_load(self, pid: Any, /) -> Any:
        raise _Refused("a persistent object")


def _check_memo(body: bytes) -> None:
    """A memo index far beyond the file would make the unpickler fill all memory with its table."""
    for opcode, argument, _ in pickletools.genops(body):
        if "PUT" in opcode.name and isinstance(argument, int) and argument > len(body):
            raise ValueError(f"memo index {argument}")


def read_pickle(path: Path) -> tuple[Array, Array]:
    """(images, labels) of one `data_batch_N` file."""
    try:
        body = path.read_bytes()
        _check_memo(body)
        batch = _Unpickler(io.BytesIO(body), encoding="latin1").load()
    except _Refused as refused:
        raise fail(
            "E1008",
            f"{path}: the pickle asks for `{refused}`, which is not an array: nothing was run",
            help="only CIFAR batches are read from pickles; save other data as npz",
        ) from None
    except OSError:
        raise
    except Exception as error:  # any damage shows as some exception of the unpickler
        raise fail(
            "E1003",
            f"{path}: the pickle is damaged ({type(error).__name__}: {error})",
            help=FETCH_AGAIN,
        ) from error
    return _from_batch(batch, path)


def _from_batch(batch: object, path: Path) -> tuple[Array, Array]:
    if not isinstance(batch, dict):
        raise _not_a_batch(path, f"it holds a {type(batch).__name__}, not a dict")
    batch = {k.decode("latin1") if isinstance(k, bytes) else k: v for k, v in batch.items()}
    if "fine_labels" in batch:
        raise _not_a_batch(path, "it is CIFAR-100, which is not read: convert it to npz")
    if not isinstance(batch.get("data"), _ArrayRecord) or "labels" not in batch:
        raise _not_a_batch(path, "it lacks an array `data` or a list `labels`")
    data = _rebuild(batch["data"], path)
    if data.ndim != 2 or data.shape[1] != PIXELS or data.dtype != np.uint8:
        raise _not_a_batch(path, f"`data` is {data.shape} {data.dtype}, expected (n, 3072) uint8")
    labels = _labels(batch["labels"], path)
    _check_labels(labels, path)
    return data.reshape(-1, 3, 32, 32), labels


def _labels(labels: object, path: Path) -> Array:
    if isinstance(labels, _ArrayRecord):
        found = _rebuild(labels, path)
        if found.ndim != 1 or found.dtype.kind not in "iu":
            raise _not_a_batch(path, f"`labels` is {found.shape} {found.dtype}")
        return found
    if not isinstance(labels, list) or not all(type(v) is int for v in labels):
        raise _not_a_batch(path, "`labels` is not a list of integers")
    if any(not 0 <= v < 256 for v in labels):
        raise _not_a_batch(path, "a label lies outside 0 to 9")
    return np.array(labels, dtype=np.int64)


def _rebuild(record: _ArrayRecord, path: Path) -> Array:
    """The array that a recorded state describes: numeric types and plain bytes only."""
    try:
        _, shape, dtype_record, fortran, body = record.state
        name = dtype_record.args[0]
        order = dtype_record.state[1] if dtype_record.state else "|"
        if isinstance(body, str):
            body = body.encode("latin1")
        kinds = isinstance(name, str) and name[:1] in "uif" and name[1:] in ("1", "2", "4", "8")
        sound = isinstance(body, bytes) and order in ("<", ">", "|", "=")
        if not (kinds and sound and all(type(size) is int and size >= 0 for size in shape)):
            raise TypeError("unexpected parts")
        dtype = np.dtype(name).newbyteorder(order)
        if math.prod(shape) * dtype.itemsize != len(body):
            raise ValueError(f"{len(body)} bytes for shape {shape} {dtype}")
        values: Array = np.frombuffer(body, dtype=dtype)
        return values.reshape(shape, order="F" if fortran else "C")
    except (TypeError, ValueError, AttributeError, IndexError, UnicodeError) as error:
        raise fail(
            "E1003", f"{path}: an array in the pickle is damaged ({error})", help=FETCH_AGAIN
        ) from error


def _not_a_batch(path: Path, reason: str) -> GendslError:
    return fail(
        "E1004",
        f"{path}: not a CIFAR-10 batch: {reason}",
        help="a batch is a dict with `data` (n, 3072) uint8 and `labels`",
    )


# ---- data sets ---------------------------------------------------------------------------


def read_file(path: Path) -> Dataset:
    """One batch, binary (`.bin`) or pickled."""
    images, labels = _read_batch(path)
    place = str(path)
    part = RawPart({IMAGE: images, LABEL: labels}, {IMAGE: place, LABEL: place})
    return assemble(path.name, part, None, provenance=f"CIFAR-10 batch {path}", classes=CLASSES)


def _read_batch(path: Path) -> tuple[Array, Array]:
    return read_binary(path) if path.suffix == ".bin" else read_pickle(path)


def cifar_files(folder: Path) -> dict[str, Path]:
    """The batches of a folder (or of CIFAR's own sub-folder in it) by name; binary ones first."""
    for place in (folder, *(folder / name for name in SUBFOLDERS)):
        for suffix in (".bin", ""):
            names = (*TRAIN_NAMES, TEST_NAME)
            found = {name: place / f"{name}{suffix}" for name in names}
            found = {name: path for name, path in found.items() if path.is_file()}
            if found:
                return found
    return {}


def read_folder(
    folder: Path,
    name: str,
    *,
    provenance: str | None = None,
    licence: str = "CIFAR-10 carries no explicit licence",
) -> Dataset:
    """A folder of batches: `data_batch_1` to `_5` in order, and `test_batch`; none may lack."""
    files = cifar_files(folder)
    missing = [batch for batch in (*TRAIN_NAMES, TEST_NAME) if batch not in files]
    if missing:
        some = next(iter(files.values()), folder)
        raise fail(
            "E1000",
            f"{some.parent if files else folder}: CIFAR-10 batch `{missing[0]}` is missing",
            help="the folder needs data_batch_1 to data_batch_5 and test_batch; "
            "to read one batch, name that file",
        )
    batches = [_read_batch(files[batch]) for batch in TRAIN_NAMES]
    images = np.concatenate([images for images, _ in batches])
    labels = np.concatenate([labels.astype(np.int64) for _, labels in batches])
    test_images, test_labels = _read_batch(files[TEST_NAME])
    place = str(files[TRAIN_NAMES[0]].parent)
    places = {IMAGE: place, LABEL: place}
    return assemble(
        name,
        RawPart({IMAGE: images, LABEL: labels}, places),
        RawPart({IMAGE: test_images, LABEL: test_labels}, places),
        provenance=provenance or f"CIFAR-10 batches in {place}",
        licence=licence,
        classes=CLASSES,
    )
