"""Points of a plane: samples over held-out data.

In: two arrays (n, 2). Out: a square `Chart`. Always: both axes have the same scale and are those of
the data, whatever the samples are, so that pictures of one run can be compared; samples beyond them
stand at the edge and are counted.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from gendsl.diagnostics.counted import counted
from gendsl.run.chart import BOTTOM, LEFT, RIGHT, TOP, WIDTH, Axis, Chart, Series, linear_axis

Array = np.ndarray[Any, Any]

SHOWN_POINTS = 2000  # points of either kind that are drawn
MARGIN = 0.15  # around the data, as a part of their extent


def scatter(title: str, samples: Array, data: Array, held_out: int) -> Chart:
    """`samples` over `data`, which are some of the `held_out` examples."""
    across, up = _axes(data)
    drawn = samples[:SHOWN_POINTS]
    low, high = np.array([across.low, up.low]), np.array([across.high, up.high])
    beyond = int((~((drawn >= low) & (drawn <= high)).all(1)).sum())  # not a number is outside too
    return Chart(
        title,
        f"{counted(beyond, 'sample')} beyond the edge" if beyond else "",
        across,
        up,
        (
            Series(_count("held-out example", len(data), held_out), "data", _points(data)),
            Series(_count("sample", len(drawn), len(samples)), "sample", _points(drawn)),
        ),
        across="",
        height=TOP + WIDTH - LEFT - RIGHT + BOTTOM,
    )


def _axes(data: Array) -> tuple[Axis, Axis]:
    """Equally long, with the data in their middle."""
    low, high = data.min(0).astype(float), data.max(0).astype(float)
    reach = (0.5 + MARGIN) * (float((high - low).max()) or 1.0)
    middle = (low + high) / 2
    across, up = (linear_axis(float(m) - reach, float(m) + reach, tight=True) for m in middle)
    return across, up


def _count(noun: str, shown: int, total: int) -> str:
    text = counted(total, noun)
    return text if shown == total else f"{shown:,} of {text}"


def _points(values: Array) -> tuple[tuple[float, float], ...]:
    return tuple((float(x), float(y)) for x, y in values)
