"""What a data set is once it has been read: named columns, a test part, and a content hash.

`assemble` is the only way in: it takes arrays as a reader found them, checks everything that can
be wrong with values and counts (E1005..E1010), and brings them to one of three kinds. A `Dataset`
therefore always holds at least one example, equal counts per part, the same columns with the same
shapes in both parts, and finite numbers. Its hash covers content only, never names or paths, and
does not depend on how the file stored it (an index column is hashed as int64).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from gendsl.diagnostics.counted import counted
from gendsl.diagnostics.model import fail

Array = npt.NDArray[Any]
Kind = Literal["real", "index", "bool"]

IMAGE, LABEL, VALUE = "image", "label", "value"


@dataclass(frozen=True)
class Column:
    """One field for all examples: `raw` is (n, ...). A real value is `raw / scale` in float32.

    Pictures stay uint8 in memory; `values` converts only the rows asked for. Kind "index" is
    int64, "bool" is bool (scale 1 for both), "real" is uint8 or float32."""

    raw: Array
    kind: Kind
    scale: int = 1

    @property
    def count(self) -> int:
        return int(self.raw.shape[0])

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of one example."""
        return tuple(int(size) for size in self.raw.shape[1:])

    @property
    def bounds(self) -> tuple[float, float]:
        """The smallest and the largest value, as delivered."""
        ends = np.array([self.raw.min(), self.raw.max()])
        low, high = self._deliver(ends) if self.kind == "real" else ends
        return float(low), float(high)

    def moments(self) -> tuple[float, float]:
        """Mean and standard deviation over all values, as delivered."""
        if self.raw.dtype == np.uint8:  # exact, without a float copy of the whole set
            counts = np.bincount(self.raw.reshape(-1), minlength=256).astype(np.float64)
            values = np.arange(256) / self.scale
            mean = float(counts @ values / counts.sum())
            return mean, float(np.sqrt(counts @ (values - mean) ** 2 / counts.sum()))
        return float(self.raw.mean(dtype=np.float64)), float(self.raw.std(dtype=np.float64))

    def _deliver(self, raw: Array) -> Array:
        if self.scale == 1:
            return raw.astype(np.float32)
        return raw.astype(np.float32) / np.float32(self.scale)

    def values(self, rows: Array | slice = slice(None)) -> Array:
        """The rows asked for in their natural range: float32, int64 or bool."""
        picked = self.raw[rows]
        return self._deliver(picked) if self.kind == "real" else picked

    def rows(self, rows: Array) -> Column:
        return replace(self, raw=self.raw[rows])


@dataclass(frozen=True)
class Dataset:
    """Columns by name ("image" and "label" for pictures), an optional test part of its own."""

    name: str
    columns: Mapping[str, Column]
    test: Mapping[str, Column] | None
    classes: tuple[str, ...]
    provenance: str
    licence: str
    data_hash: str

    @property
    def count(self) -> int:
        return next(iter(self.columns.values())).count

    @property
    def test_count(self) -> int:
        return next(iter(self.test.values())).count if self.test is not None else 0


@dataclass(frozen=True)
class RawPart:
    """What a reader found for one part: arrays by column name, and where each came from."""

    arrays: Mapping[str, Array]
    places: Mapping[str, str]


def assemble(
    name: str,
    train: RawPart,
    test: RawPart | None,
    *,
    provenance: str,
    licence: str = "not stated in the file",
    classes: tuple[str, ...] = (),
    scale: int = 255,
    kinds: Mapping[str, Kind] | None = None,
) -> Dataset:
    """Check and normalise what a reader found. `scale` is what uint8 pictures are divided by;
    `kinds` overrides the rule that integer "label" columns are indices and uint8 ones real."""
    columns = _part(train, kinds or {}, scale)
    held = None if test is None else _part(test, kinds or {}, scale)
    if held is not None and test is not None:
        _agree(columns, held, train, test)
    return Dataset(name, columns, held, classes, provenance, licence, content_hash(columns, held))


def content_hash(columns: Mapping[str, Column], test: Mapping[str, Column] | None) -> str:
    """SHA-256 over a line per column (part, name, kind, dtype, shape, scale) and its bytes."""
    digest = hashlib.sha256(b"gendsl data 1\n")
    for part, held in (("train", columns), ("test", test or {})):
        for name in sorted(held):
            column = held[name]
            raw = np.ascontiguousarray(column.raw)
            raw = raw.astype(raw.dtype.newbyteorder("<"), copy=False)
            line = f"{part} {name} {column.kind} {raw.dtype.str} {raw.shape} {column.scale}\n"
            digest.update(line.encode())
            digest.update(raw.data.cast("B"))
    return digest.hexdigest()


def _part(part: RawPart, kinds: Mapping[str, Kind], scale: int) -> dict[str, Column]:
    columns = {
        name: _column(name, array, part.places[name], kinds.get(name), scale)
        for name, array in part.arrays.items()
    }
    (first, reference), *others = columns.items()
    for name, column in others:
        if column.count != reference.count:
            raise fail(
                "E1009",
                f"{part.places[first]} holds {counted(reference.count, 'example')} (`{first}`), "
                f"but {part.places[name]} holds {column.count} (`{name}`)",
                help="the two must list the same examples in the same order; "
                "fetch or write the file that is too short again",
            )
    return columns


def _column(name: str, array: Array, place: str, kind: Kind | None, scale: int) -> Column:
    if array.ndim == 0:
        raise fail(
            "E1010",
            f"{place}: `{name}` is a single number, not one value per example",
            help="the first axis must run over the examples",
        )
    if array.size == 0:
        raise fail(
            "E1007",
            f"{place}: `{name}` has shape {array.shape} and holds no values",
            help="give a file with at least one example",
        )
    kind = kind or _kind_of(name, array, place)
    match kind:
        case "bool":
            return Column(np.ascontiguousarray(array), "bool")
        case "index":
            return _index_column(name, array, place)
        case "real":
            return _real_column(name, array, place, scale)


def _kind_of(name: str, array: Array, place: str) -> Kind:
    code = array.dtype.kind
    if code == "b":
        return "bool"
    if code == "f" or (name != LABEL and array.dtype == np.uint8 and array.ndim > 1):
        if name == LABEL:
            raise fail(
                "E1005",
                f"{place}: labels are {array.dtype.name}, but a label is an index",
                help="store them as integers from 0, e.g. `labels.astype(np.int64)`",
            )
        return "real"
    if code in "iu" and (name == LABEL or name not in (IMAGE, VALUE)):
        return "index"
    raise fail(
        "E1005",
        f"{place}: `{name}` has element type {array.dtype.name}, which is not read",
        help="pictures are uint8 (divided by 255) or float16/32/64 (taken as they are); "
        "labels are integers",
    )


def _index_column(name: str, array: Array, place: str) -> Column:
    if name == LABEL and array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if name == LABEL and array.ndim != 1:
        raise fail(
            "E1010",
            f"{place}: labels have shape {array.shape}, expected ({array.shape[0]},)",
            help="store one index per example; for one-hot rows take `argmax(axis=1)`",
        )
    if array.dtype == np.uint64 and int(array.max()) > np.iinfo(np.int64).max:
        raise fail("E1005", f"{place}: `{name}` holds an index beyond int64", help="check the file")
    return Column(np.ascontiguousarray(array, dtype=np.int64), "index")


def _real_column(name: str, array: Array, place: str, scale: int) -> Column:
    if array.ndim == 4:
        _refuse_channels_last(name, array, place)
    if array.dtype == np.uint8:
        return Column(np.ascontiguousarray(array), "real", scale)
    with np.errstate(over="ignore"):
        values = np.ascontiguousarray(array, dtype=np.float32)
    finite = np.isfinite(values)
    if not finite.all():
        where = tuple(int(i) for i in np.argwhere(~finite)[0])
        raise fail(
            "E1006",
            f"{place}: `{name}` holds {array[where]} at example {where[0]}, position {where[1:]}",
            notes=(f"not finite in float32: {int((~finite).sum()):,} of {values.size:,} values",),
            help="remove or repair these examples before training",
        )
    return Column(values, "real")


def _refuse_channels_last(name: str, array: Array, place: str) -> None:
    """(n, H, W, 3) read as (n, C, H, W) would train a model on nonsense without a word."""
    _, first, second, last = array.shape
    if last in (1, 3, 4) and first >= 8 and second >= 8:
        raise fail(
            "E1010",
            f"{place}: `{name}` has shape {array.shape}, which has its channels last",
            help="pictures are (n, C, H, W): save `array.transpose(0, 3, 1, 2)`",
        )


def _agree(
    columns: Mapping[str, Column], test: Mapping[str, Column], train: RawPart, held: RawPart
) -> None:
    """Both parts must offer the same columns, of one shape and kind."""
    if set(columns) != set(test):
        alone = sorted(set(columns) ^ set(test))[0]
        has, lacks = ("train", "test") if alone in columns else ("test", "train")
        raise fail(
            "E1010",
            f"the {has} part has `{alone}`, the {lacks} part has not "
            f"({next(iter(train.places.values()))} and {next(iter(held.places.values()))})",
            help=f"add the file or array with `{alone}` of the {lacks} part, or remove the other",
        )
    for name, column in columns.items():
        other = test[name]
        mine = (column.shape, column.kind, column.scale)
        if mine != (other.shape, other.kind, other.scale):
            raise fail(
                "E1010",
                f"`{name}` has examples of shape {column.shape} {column.raw.dtype} in "
                f"{train.places[name]}, but {other.shape} {other.raw.dtype} in "
                f"{held.places[name]}",
                help="both parts must have the same shape and element type",
            )
