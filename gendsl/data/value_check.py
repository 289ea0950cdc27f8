"""Declared ranges and index bounds against all values of the data.

Nothing comes out: the first value that breaks a declaration raises E1023 (range) or E1024 (index)
with the part, the example and the value, and the range that the data really has.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from gendsl.core.program import DataField
from gendsl.data.dataset import Array, Column, Dataset
from gendsl.diagnostics.counted import counted
from gendsl.diagnostics.model import Diagnostic, GendslError, Label
from gendsl.shape.tensor_type import Range

# Rows converted at a time: a whole set in float32 would be four times its size in memory.
ROWS_AT_A_TIME = 4096

Parts = Sequence[tuple[str, Column]]


def check_range(field: DataField, parts: Parts, declared: Range) -> None:
    """Every value, as delivered in float32, lies between the bounds rounded to float32: data that
    holds the nearest float32 of a bound is inside."""
    low = np.float32(-np.inf if declared.low is None else float(declared.low))
    high = np.float32(np.inf if declared.high is None else float(declared.high))
    for part, column in parts:
        for first, values in _blocks(column):
            wrong = (values < low) | (values > high)
            if wrong.any():
                where = tuple(int(i) for i in np.argwhere(wrong)[0])
                raise _out_of_range(
                    field, declared, parts, part, first + where[0], where[1:], values[where]
                )


def _blocks(column: Column) -> Iterator[tuple[int, Array]]:
    for first in range(0, column.count, ROWS_AT_A_TIME):
        yield first, column.values(slice(first, first + ROWS_AT_A_TIME))


def _out_of_range(
    field: DataField,
    declared: Range,
    parts: Parts,
    part: str,
    example: int,
    position: tuple[int, ...],
    value: float,
) -> GendslError:
    bounds = [column.bounds for _, column in parts]
    low, high = min(b[0] for b in bounds), max(b[1] for b in bounds)
    place = f", position {position}" if position else ""
    return GendslError(
        Diagnostic(
            "E1023",
            f"`{field.name}` is declared in {declared}, but {part} example {example}{place} is "
            f"{float(value):.6g}",
            Label(field.span, f"in {declared}"),
            notes=(f"the data lies in {low:.6g}..{high:.6g}",),
            help="declare the range that the data has and scale in the program "
            "(`2 * x - 1` for -1..1), or rescale the file",
        )
    )


def check_indices(field: DataField, parts: Parts, bound: int, dataset: Dataset) -> None:
    """Every index i has 0 <= i < bound."""
    for part, column in parts:
        wrong = (column.raw < 0) | (column.raw >= bound)
        if wrong.any():
            where = tuple(int(i) for i in np.argwhere(wrong)[0])
            value = int(column.raw[where])
            largest = max(int(c.raw.max()) for _, c in parts)
            fix = f"write `of fin[{largest + 1}]`" if value >= 0 else "number the classes from 0 up"
            raise GendslError(
                Diagnostic(
                    "E1024",
                    f"`{field.name}` is an index below {bound}, but {part} example {where[0]} of "
                    f"`{dataset.name}` has {value}",
                    Label(field.span, f"{field.elem} has {counted(bound, 'value')}"),
                    help=fix,
                )
            )
