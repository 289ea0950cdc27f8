"""NumPy files: `.npy` (one array) and `.npz` (several), never with pickles inside.

The array's header is read and compared with the bytes that follow before anything is allocated.

Note [Names in npz]: a name is split at `_` and `-`; a part `test`, `t10k`, `val` or `valid` puts
the array into the test part, `train` is dropped. What is left: `x`, `image(s)`, `data`, `input(s)`
are the pictures; `y`, `label(s)`, `target(s)`, `class(es)` the labels; any other name is a column
of that name. In a nameless archive (`arr_0`, ...) vectors are labels and the others pictures.
Pictures are (n, H, W) or (n, C, H, W); arrays of rank 2 are called "value".
"""

from __future__ import annotations

import io
import math
import re
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import IO

import numpy as np

from gendsl.data.dataset import IMAGE, LABEL, VALUE, Array, Dataset, RawPart, assemble
from gendsl.data.read_idx import FETCH_AGAIN, column_name
from gendsl.diagnostics.model import GendslError, fail

NPY_MAGIC = b"\x93NUMPY"
ZIP_MAGIC = b"PK\x03\x04"

_PICTURES = {"x", "image", "images", "data", "input", "inputs"}
_LABELS = {"y", "label", "labels", "target", "targets", "class", "classes"}
_TEST = {"test", "t10k", "val", "valid", "validation"}


def read_npy(path: Path) -> Dataset:
    with path.open("rb") as file:
        array = _array(file, path.stat().st_size, str(path))
    # One vector of floats is a set of numbers; one vector of integers is labels.
    name = VALUE if array.ndim == 1 and array.dtype.kind == "f" else column_name(array)
    part = RawPart({name: array}, {name: str(path)})
    return assemble(path.name, part, None, provenance=f"NumPy file {path}")


def read_npz(
    path: Path,
    *,
    name: str | None = None,
    provenance: str | None = None,
    licence: str = "not stated in the file",
    classes: tuple[str, ...] = (),
    scale: int = 255,
) -> Dataset:
    """An archive of arrays, by Note [Names in npz]."""
    arrays = _members(path)
    if not arrays:
        raise fail("E1007", f"{path}: the archive holds no arrays", help="save at least one array")
    train = _select(arrays, path, test=False)
    test = _select(arrays, path, test=True)
    if train is None:
        raise fail(
            "E1014",
            f"{path}: only test arrays inside ({', '.join(arrays)})",
            help="name the training arrays `x_train` and `y_train`, or `image` and `label`",
        )
    return assemble(
        name or path.name,
        train,
        test,
        provenance=provenance or f"NumPy archive {path}",
        licence=licence,
        classes=classes,
        scale=scale,
    )


def _members(path: Path) -> dict[str, Array]:
    arrays: dict[str, Array] = {}
    try:
        with zipfile.ZipFile(path) as archive:
            for member in archive.infolist():
                if not member.filename.endswith(".npy"):
                    raise fail(
                        "E1002",
                        f"{path}: `{member.filename}` inside is not an array",
                        help="write the archive with `np.savez` or `np.savez_compressed`",
                    )
                place = f"{path} ({member.filename[:-4]})"
                body = io.BytesIO(archive.read(member))
                arrays[member.filename[:-4]] = _array(body, member.file_size, place)
    except (GendslError, OSError):
        raise
    except Exception as error:  # zipfile meets damage with half a dozen kinds of exception
        raise fail(
            "E1003", f"{path}: the archive is damaged ({error})", help=FETCH_AGAIN
        ) from error
    return arrays


def _array(file: IO[bytes], size: int, place: str) -> Array:
    """One `.npy` stream of `size` bytes; refuses objects, wrong lengths and unknown headers."""
    if size == 0:
        raise fail("E1007", f"{place}: the file is empty", help=FETCH_AGAIN)
    try:
        version = np.lib.format.read_magic(file)
        reader = (
            np.lib.format.read_array_header_1_0
            if version == (1, 0)
            else np.lib.format.read_array_header_2_0
        )
        shape, fortran, dtype = reader(file)
        if any(size < 0 for size in shape):
            raise ValueError(f"negative size in {shape}")
    except OSError:
        raise
    except Exception as error:  # a damaged header shows as an error of the tokenizer, too
        raise fail(
            "E1004",
            f"{place}: not a NumPy array ({str(error).splitlines()[0]})",
            help="write the file with `np.save`; check that it is what its name says",
        ) from error
    if dtype.hasobject:
        raise fail(
            "E1008",
            f"{place}: the array holds Python objects, which only a pickle can read",
            help="a pickle can run code, so it is refused: save a plain numeric array instead",
        )
    if dtype.kind not in "biuf" or dtype.itemsize > 8:
        raise fail(
            "E1005",
            f"{place}: element type {dtype.name} is not read",
            help="save uint8, an integer type, float16, float32 or float64",
        )
    expected = math.prod(shape) * dtype.itemsize
    found = size - file.tell()
    if found != expected:
        raise fail(
            "E1003",
            f"{place}: the header says {shape} {dtype}, which is {expected} bytes, "
            f"but {found} follow",
            help=FETCH_AGAIN,
        )
    values: Array = np.frombuffer(file.read(), dtype=dtype)
    return values.reshape(shape, order="F" if fortran else "C")


def _select(arrays: Mapping[str, Array], path: Path, *, test: bool) -> RawPart | None:
    """The arrays of one part, pictures first, each under its column name."""
    chosen: dict[str, tuple[str, Array]] = {}
    for key, array in arrays.items():
        words = [word for word in re.split(r"[_\-]", key.lower()) if word]
        if bool(_TEST & set(words)) != test:
            continue
        rest = [word for word in words if word not in _TEST and word != "train"]
        column = _column_of("_".join(rest), array)
        if column in chosen:
            raise fail(
                "E1014",
                f"{path}: `{chosen[column][0]}` and `{key}` could both be the {column} column",
                help="keep one of them, or give the arrays the names `image` and `label`",
            )
        chosen[column] = (key, array)
    if not chosen:
        return None
    order = sorted(chosen, key=lambda column: (column == LABEL, column not in (IMAGE, VALUE)))
    return RawPart(
        {column: chosen[column][1] for column in order},
        {column: f"{path} ({chosen[column][0]})" for column in order},
    )


def _column_of(word: str, array: Array) -> str:
    pictures = IMAGE if array.ndim > 2 else VALUE
    if word in _PICTURES or word == "":
        return pictures
    if word in _LABELS:
        return LABEL
    if re.fullmatch(r"arr_\d+", word):
        return column_name(array)
    return word
