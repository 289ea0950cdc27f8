"""The same charts as one PNG, for places that show no SVG (a README, an image viewer).

In: settled charts. Out: a Pillow image with one panel a chart, two or three across. Drawn at twice
the size and reduced, since Pillow's lines are not smoothed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import ceil
from typing import TYPE_CHECKING, Any

from gendsl.run.chart import (
    BOTTOM,
    EVALUATIONS,
    LEFT,
    RIGHT,
    SCATTERED,
    TOP,
    WIDTH,
    Chart,
    Point,
    Series,
    lines,
    markers,
    tick_text,
)

if TYPE_CHECKING:
    from PIL import Image

ZOOM = 2  # the picture's own resolution
OVER = 2  # oversampling on top of it
TITLE = 26
LEGEND_ROW, LEGEND_SIZE = 16, 11  # the height of a row, and of its letters
SWATCH = 19  # before a name in the legend
COLOURS = {
    "train": (178, 199, 230),
    "smooth": (46, 98, 178),
    "heldout": (217, 95, 14),
    "ema": (35, 139, 94),
    "value": (46, 98, 178),
    "data": (247, 200, 160),
    "sample": (36, 84, 160),
}
RADII = {"data": 2.6, "sample": 1.2}
WIDTHS = {"train": 1.0, "smooth": 1.8, "heldout": 1.8, "ema": 1.8, "value": 1.8}
INK, FAINT, RULE = (40, 44, 52), (110, 116, 126), (228, 230, 234)


class _Pen:
    """Draws in chart units at a place of the sheet."""

    def __init__(self, sheet: Any, left: float, top: float, zoom: float) -> None:
        from PIL import ImageDraw

        self._draw = ImageDraw.Draw(sheet)
        self._left, self._top = left, top
        self._zoom = zoom

    def _at(self, x: float, y: float) -> tuple[float, float]:
        return (self._left + x) * self._zoom, (self._top + y) * self._zoom

    def line(self, points: Sequence[tuple[float, float]], colour: Any, width: float) -> None:
        places = [self._at(x, y) for x, y in points]
        self._draw.line(places, fill=colour, width=round(width * self._zoom), joint="curve")

    def dot(self, x: float, y: float, radius: float, colour: Any) -> None:
        (cx, cy), r = self._at(x, y), radius * self._zoom
        self._draw.ellipse((cx - r, cy - r, cx + r, cy + r), fill=colour)

    def arrow(self, x: float, y: float, size: float, colour: Any) -> None:
        """Upwards."""
        corners = ((x - size, y + size), (x + size, y + size), (x, y - 0.7 * size))
        self._draw.polygon([self._at(*corner) for corner in corners], fill=colour)

    def text(self, x: float, y: float, text: str, size: int, colour: Any, anchor: str) -> float:
        """Returns the text's width in chart units."""
        from PIL import ImageFont

        font: Any = ImageFont.load_default(size * self._zoom)
        self._draw.text(self._at(x, y), text, fill=colour, font=font, anchor=anchor)
        return float(font.getlength(text)) / self._zoom


def panel_sheet(charts: Sequence[Chart], zoom: float = ZOOM) -> Image.Image:
    """All charts on one white sheet, with `zoom` pixels for a chart's unit."""
    from PIL import Image

    across = 1 if len(charts) == 1 else 2 if len(charts) in (2, 4) else 3
    down = ceil(len(charts) / across)
    rows = max(len(legend_rows(chart.series)) for chart in charts)
    height = TITLE + max(chart.height for chart in charts) + 8 + rows * LEGEND_ROW
    zoom *= OVER
    size = round(across * WIDTH * zoom), round(down * height * zoom)
    sheet = Image.new("RGB", size, (255, 255, 255))
    for index, chart in enumerate(charts):
        _panel(_Pen(sheet, index % across * WIDTH, index // across * height, zoom), chart)
    return sheet.reduce(OVER)


def _panel(pen: _Pen, chart: Chart) -> None:
    used = pen.text(LEFT, 8, chart.title, 14, INK, "lt")
    if chart.scale:
        pen.text(LEFT + used + 8, 10, chart.scale, 11, FAINT, "lt")
    plot_width, plot_height = WIDTH - LEFT - RIGHT, chart.height - TOP - BOTTOM
    bottom = TITLE + chart.height - BOTTOM

    def place(x: float, y: float) -> Point:
        """Of parts of the plot."""
        return LEFT + x * plot_width, bottom - y * plot_height

    for tick in chart.y.ticks:
        _, y = place(0, chart.y.place(tick))
        pen.line([(LEFT, y), (WIDTH - RIGHT, y)], RULE, 0.8)
        pen.text(LEFT - 7, y, tick_text(tick), 11, FAINT, "rm")
    for tick in chart.x.ticks:
        x, _ = place(chart.x.place(tick), 0)
        if not chart.across:  # of a plane: both axes are ruled
            pen.line([(x, bottom), place(chart.x.place(tick), 1)], RULE, 0.8)
        pen.text(x, bottom + 8, tick_text(tick), 11, FAINT, "mt")
    pen.text(LEFT + plot_width / 2, bottom + 21, chart.across, 11, FAINT, "mt")
    for series in chart.series:
        _series(pen, chart, series, place)
    _legend(pen, chart)


def _series(
    pen: _Pen, chart: Chart, series: Series, place: Callable[[float, float], Point]
) -> None:
    colour = COLOURS[series.style]
    for piece in lines(chart, series):
        pen.line([place(x, y) for x, y in piece], colour, WIDTHS[series.style])
    for x, y, beyond in markers(chart, series):
        if beyond:
            pen.arrow(*place(x, y), 3.6, colour)
        else:
            pen.dot(*place(x, y), RADII.get(series.style, 2.6), colour)


def legend_rows(series: Sequence[Series]) -> list[list[tuple[float, Series]]]:
    """Where each entry of a legend begins, in as many rows as it takes to stay below the chart."""
    from PIL import ImageFont

    font: Any = ImageFont.load_default(LEGEND_SIZE * ZOOM)  # as the entries are drawn, or nearly
    rows: list[list[tuple[float, Series]]] = [[]]
    x = float(LEFT)
    for entry in series:
        width = SWATCH + float(font.getlength(entry.name)) / ZOOM
        if rows[-1] and x + width > WIDTH:
            rows.append([])
            x = float(LEFT)
        rows[-1].append((x, entry))
        x += width + 14
    return rows


def _legend(pen: _Pen, chart: Chart) -> None:
    for number, row in enumerate(legend_rows(chart.series)):
        y = TITLE + chart.height + 7 + number * LEGEND_ROW
        for x, entry in row:
            if entry.style in EVALUATIONS or entry.style in SCATTERED:
                pen.dot(x + 10, y, 3, COLOURS[entry.style])
            else:
                pen.line([(x, y), (x + 14, y)], COLOURS[entry.style], 2.4)
            pen.text(x + SWATCH, y, entry.name, LEGEND_SIZE, FAINT, "lm")
