"""Image grids as PNG files.

In: arrays (N, C, H, W) and the range that the program declares for them. Out: a Pillow image of
N tiles. Always: values are clipped to the range, never stretched by what happens to be in them, so
two pictures of one run can be compared; small images are enlarged by whole pixels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, isqrt, sqrt
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from pathlib import Path

    from PIL import Image

Array = np.ndarray[Any, Any]

TILE = 56  # pixels that a tile should have at least along its shorter side
GAP = 3
MARGIN = 12
CAPTION = 15  # font size
BACKGROUND = (255, 255, 255)
INK = (70, 74, 82)


@dataclass(frozen=True)
class Row:
    """Tiles of one row of a comparison, with what they are."""

    name: str
    images: Array  # (N, H, W, 3) uint8


def tiles(values: Array, image: tuple[int, int, int], low: float, high: float) -> Array:
    """(N, ...) values in low..high as (N, H, W, 3) bytes; `image` is (C, H, W), C = 1 or 3."""
    channels, height, width = image
    pixels = np.asarray(values, dtype=np.float64).reshape(-1, channels, height, width)
    unit = (np.clip(np.nan_to_num(pixels, nan=low), low, high) - low) / (high - low)
    data = np.rint(unit * 255).astype(np.uint8).transpose(0, 2, 3, 1)
    return np.repeat(data, 3, axis=3) if channels == 1 else data


def drawable(image: tuple[int, int, int] | None, low: float | None, high: float | None) -> bool:
    """Whether a tensor with this image shape and range is a picture."""
    return (
        image is not None
        and image[0] in (1, 3)
        and low is not None
        and high is not None
        and low < high
    )


def scale_of(height: int, width: int) -> int:
    """Whole-number enlargement that makes a tile large enough to look at."""
    return max(1, ceil(TILE / min(height, width)))


def enlarge(images: Array, scale: int) -> Array:
    """Nearest-neighbour enlargement: a pixel stays a pixel."""
    return images.repeat(scale, axis=1).repeat(scale, axis=2)


def _columns(count: int) -> int:
    """As square as it goes; up to twice as wide as high where that fills every row."""
    square = max(1, ceil(sqrt(count)))
    wider = range(square, isqrt(2 * count) + 1)
    return next((columns for columns in wider if count % columns == 0), square)


def grid(
    images: Array, columns: int | None = None, caption: str = "", names: Sequence[str] = ()
) -> Image.Image:
    """All images (N, H, W, 3), row by row, nearly as wide as high; `names` label the rows."""
    count = len(images)
    columns = columns or _columns(count)
    big = enlarge(images, scale_of(*images.shape[1:3]))
    rows = [big[i : i + columns] for i in range(0, count, columns)]
    return _sheet(rows, list(names) or [""] * len(rows), caption)


def comparison(rows: Sequence[Row], columns: int = 6, caption: str = "") -> Image.Image:
    """Bands of rows with the same examples below each other: originals over reconstructions."""
    shown, names = [], []
    count = min(len(row.images) for row in rows)
    for start in range(0, count, columns):
        for row in rows:
            part = row.images[start : min(start + columns, count)]
            shown.append(enlarge(part, scale_of(*part.shape[1:3])))
            names.append(row.name if start == 0 else "")
    return _sheet(shown, names, caption, band=len(rows))


def _sheet(rows: list[Array], names: list[str], caption: str, band: int = 1) -> Image.Image:
    """Rows of tiles on a white sheet; a wider gap after every `band` rows when band > 1."""
    from PIL import Image, ImageDraw

    font = _font(CAPTION)
    side = max((int(font.getlength(n)) for n in names), default=0)
    left = MARGIN + (side + MARGIN if side else 0)
    top = MARGIN + (CAPTION + MARGIN if caption else 0)
    height, width = rows[0].shape[1:3]
    across = max(len(row) for row in rows)
    extra = 3 * GAP if band > 1 else 0
    total_width = left + across * (width + GAP) - GAP + MARGIN
    if caption:
        total_width = max(total_width, 2 * MARGIN + int(font.getlength(caption)))
    bands = (len(rows) + band - 1) // band
    total_height = top + len(rows) * (height + GAP) - GAP + (bands - 1) * extra + MARGIN
    sheet = Image.new("RGB", (total_width, total_height), BACKGROUND)
    pen = ImageDraw.Draw(sheet)
    if caption:
        pen.text((MARGIN, MARGIN - 2), caption, fill=INK, font=font)
    for index, (row, name) in enumerate(zip(rows, names, strict=True)):
        y = top + index * (height + GAP) + index // band * extra
        if name:
            pen.text((MARGIN, y + height // 2), name, fill=INK, font=font, anchor="lm")
        for column, tile in enumerate(row):
            sheet.paste(Image.fromarray(tile), (left + column * (width + GAP), y))
    return sheet


def _font(size: int) -> Any:
    from PIL import ImageFont

    return ImageFont.load_default(size)


def encode(image: Image.Image) -> bytes:
    """PNG bytes; the same picture gives the same bytes."""
    import io

    buffer = io.BytesIO()
    image.save(buffer, format="PNG", optimize=True)
    return buffer.getvalue()


def write(path: Path, image: Image.Image) -> None:
    """Save as PNG, all or nothing."""
    from gendsl.run.files import write_whole

    write_whole(path, encode(image))
