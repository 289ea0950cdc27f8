"""The primitive ops, one class each. Importing this package registers all of them."""

from __future__ import annotations

from gendsl.ops import (
    arithmetic,
    broadcast,
    compare,
    contract,
    conv,
    leaf,
    loop,
    movement,
    norm,
    reduce,
    select,
    slope,
    symbolic,
    unary,
)

__all__ = [
    "arithmetic",
    "broadcast",
    "compare",
    "contract",
    "conv",
    "leaf",
    "loop",
    "movement",
    "norm",
    "reduce",
    "select",
    "slope",
    "symbolic",
    "unary",
]
