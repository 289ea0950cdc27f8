"""Small files in every format, and one way to say which error a call must raise."""

from __future__ import annotations

import gzip
import pickle
import struct
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gendsl.core.program import DataField, DimInfo
from gendsl.diagnostics.model import Diagnostic, GendslError
from gendsl.shape.dim import ONE, Dim
from gendsl.shape.tensor_type import Axis, Bool, Elem, Factor, Fin, Range, Real, TensorType
from gendsl.source.text import Span

Array = np.ndarray[Any, Any]

IDX_CODES = {"u1": 0x08, "i1": 0x09, "i2": 0x0B, "i4": 0x0C, "f4": 0x0D, "f8": 0x0E}
SPAN = Span("model.gml", 3, 9)


def refused(code: str, call: Callable[[], object], *parts: str) -> Diagnostic:
    """The one diagnostic that `call` raises: this code, a help, all parts in its message."""
    with pytest.raises(GendslError) as caught:
        call()
    (diagnostic,) = caught.value.diagnostics
    assert diagnostic.code == code, diagnostic
    assert diagnostic.help
    for part in parts:
        assert part in diagnostic.message, diagnostic.message
    return diagnostic


def idx_bytes(array: Array) -> bytes:
    code = IDX_CODES[array.dtype.str[1:]]
    head = struct.pack(f">BBBB{array.ndim}I", 0, 0, code, array.ndim, *array.shape)
    return head + array.astype(array.dtype.newbyteorder(">")).tobytes()


def write_idx(path: Path, array: Array) -> Path:
    body = idx_bytes(array)
    path.write_bytes(gzip.compress(body) if path.suffix == ".gz" else body)
    return path


def pictures(count: int, *shape: int, seed: int = 0) -> Array:
    return np.random.default_rng(seed).integers(0, 256, (count, *shape), dtype=np.uint8)


def labels(count: int, classes: int = 10) -> Array:
    return (np.arange(count) % classes).astype(np.uint8)


def write_idx_folder(folder: Path, train: int = 12, test: int = 4, suffix: str = "") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for part, count, seed in (("train", train, 1), ("t10k", test, 2)):
        write_idx(folder / f"{part}-images-idx3-ubyte{suffix}", pictures(count, 5, 4, seed=seed))
        write_idx(folder / f"{part}-labels-idx1-ubyte{suffix}", labels(count))
    return folder


def cifar_rows(count: int, seed: int = 0) -> bytes:
    rows = np.concatenate([labels(count)[:, None], pictures(count, 3072, seed=seed)], axis=1)
    return rows.tobytes()


def write_cifar_folder(folder: Path, count: int = 3) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for seed, name in enumerate((*(f"data_batch_{n}" for n in range(1, 6)), "test_batch")):
        (folder / f"{name}.bin").write_bytes(cifar_rows(count, seed))
    return folder


def python2_batch(data: bytes, rows: int, labels_: list[int]) -> bytes:
    """The opcodes with which Python 2 wrote CIFAR-10's own batches (protocol 2, byte strings)."""
    out = [b"\x80\x02}(", _string(b"data")]
    out += [b"cnumpy.core.multiarray\n_reconstruct\n", b"cnumpy\nndarray\n", b"K\x00\x85"]
    out += [_string(b"b"), b"\x87R(K\x01", b"M" + struct.pack("<H", rows)]
    out += [b"M" + struct.pack("<H", 3072), b"\x86", b"cnumpy\ndtype\n", _string(b"u1")]
    out += [
        b"K\x00K\x01\x87R(K\x03",
        _string(b"|"),
        b"NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb",
    ]
    out += [b"\x89T" + struct.pack("<i", len(data)) + data, b"tb"]
    out += [_string(b"labels"), b"](" + b"".join(b"K" + bytes([v]) for v in labels_) + b"eu."]
    return b"".join(out)


def _string(text: bytes) -> bytes:
    return b"U" + bytes([len(text)]) + text


def python3_batch(images: Array, labels_: list[int], protocol: int) -> bytes:
    return pickle.dumps({"data": images, "labels": labels_}, protocol=protocol)


# ---- program fields ------------------------------------------------------------------------


def dim(text: int | str) -> Dim:
    return Dim.of(text) if isinstance(text, int) else Dim.name(text)


def image_field(
    *sizes: int | str | Dim,
    name: str = "x",
    low: int | None = 0,
    high: int | None = 1,
    flat: bool = True,
    elem: Elem | None = None,
    source: str | None = None,
) -> DataField:
    """`data x: [B, (C H W)] in 0..1`, or with the axes apart when not `flat`."""
    dims = [size if isinstance(size, Dim) else dim(size) for size in sizes]
    factors = tuple(Factor(str(d), d) for d in dims)
    batch = Axis("B", Dim.name("B"))
    if flat:
        items = (batch, Axis("(" + " ".join(f.label for f in factors) + ")", _all(dims), factors))
    else:
        items = (batch, *(Axis(f.label, f.size) for f in factors))
    bounds = Range(*(None if end is None else Fraction(end) for end in (low, high)))
    declared = TensorType(items, elem or Real(), bounds)
    return DataField(name, declared, "B", factors, elem or Real(), bounds, source, SPAN)


def _all(dims: list[Dim]) -> Dim:
    return Dim.product(dims) if dims else ONE


def label_field(classes: int | str = 10, name: str = "y", source: str | None = None) -> DataField:
    elem = Fin(dim(classes))
    declared = TensorType((Axis("B", Dim.name("B")),), elem)
    return DataField(name, declared, "B", (), elem, None, source, SPAN)


def bool_field(name: str = "m") -> DataField:
    declared = TensorType((Axis("B", Dim.name("B")),), Bool())
    return DataField(name, declared, "B", (), Bool(), None, None, SPAN)


def dims(**kinds: int | None) -> dict[str, DimInfo]:
    """Declared sizes: a number is a default, None means that the data binds it."""
    found = {
        name: DimInfo(name, "data" if default is None else "dim", default, ONE, Span("m", i, i + 1))
        for i, (name, default) in enumerate(kinds.items())
    }
    return {"B": DimInfo("B", "batch", None, ONE, Span("m", 90, 91)), **found}
