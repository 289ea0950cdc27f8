"""Data sets: reading files, bundled and fetched sets, binding to a program, order of batches.

`load` gives a `Dataset` from a name or a path, `bind` checks it against a program's data fields
and gives a `Bound`, `batch_indices` says which examples a step sees. Nothing is ever half-read:
each problem is a `GendslError` with a code E1000..E1039 (`gendsl/diagnostics/codes/runtime.py`).
"""

from __future__ import annotations

from gendsl.data.binding import Bound, BoundField, bind, check_conditions, default_source
from gendsl.data.dataset import Column, Dataset
from gendsl.data.loading import load, names
from gendsl.data.order import batch_indices, held_out_split

__all__ = [
    "Bound",
    "BoundField",
    "Column",
    "Dataset",
    "batch_indices",
    "bind",
    "check_conditions",
    "default_source",
    "held_out_split",
    "load",
    "names",
]
