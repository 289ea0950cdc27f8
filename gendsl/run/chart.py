"""Charts: what is drawn, ticks, and the inline SVG of the report page.

In: series of (step, value) points, or of points of a plane (see `scatter`). Out: a `Chart` with its
axes settled, and its SVG text. The SVG names CSS classes instead of colours, so that the page's
light and dark styles both hold for it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from itertools import pairwise
from math import ceil, floor, log10

Point = tuple[float, float]

WIDTH, HEIGHT = 380, 240
LEFT, RIGHT, TOP, BOTTOM = 52, 14, 12, 38
LOG_RATIO = 20  # drawn on a log axis when the peak is this many times the middle value
EARLY = 50  # the first 50th of a run counts as its start
SMOOTHED = 30  # from this many points on, a noisy series gets a smoothed line over it
JOINED = 12  # from this many evaluations on a line joins them; through fewer it would cut corners
EVALUATIONS = ("heldout", "ema")  # styles that are drawn as markers
SCATTERED = ("data", "sample")  # styles whose points have no order: markers alone


@dataclass(frozen=True)
class Series:
    """`style`: "train" (thin, noisy), "smooth" (its average), "heldout", "ema" or "value"; "data"
    and "sample" for points of a plane."""

    name: str
    style: str
    points: tuple[Point, ...]


@dataclass(frozen=True)
class Axis:
    """Values low..high with labelled ticks; `log` when positions are logarithms."""

    low: float
    high: float
    ticks: tuple[float, ...]
    log: bool = False

    def at(self, value: float) -> float:
        """0 at the low end, 1 at the high end."""
        if self.log:
            return (log10(value) - log10(self.low)) / (log10(self.high) - log10(self.low))
        return (value - self.low) / (self.high - self.low)

    def place(self, value: float) -> float:
        """The same, held within 0..1."""
        return min(1.0, max(0.0, self.at(value)))


@dataclass(frozen=True)
class Chart:
    title: str
    unit: str
    x: Axis
    y: Axis
    series: tuple[Series, ...]
    across: str = "step"  # what the x axis is
    height: int = HEIGHT

    @property
    def scale(self) -> str:
        """The unit, where there is one, and whether the axis is logarithmic."""
        return ", ".join(word for word in (self.unit, "log scale" if self.y.log else "") if word)


def chart(title: str, unit: str, series: Sequence[Series], log: bool | None = None) -> Chart:
    """Settle the axes. `log` None asks whether a linear axis would press most values flat; a value
    <= 0 rules it out."""
    kept = tuple(s for s in series if s.points)
    xs = [x for s in kept for x, _ in s.points] or [0.0, 1.0]
    ys = shown_values(kept, max(xs) / EARLY) or [0.0, 1.0]
    positive = min(ys) > 0
    wants = max(ys) > LOG_RATIO * sorted(ys)[len(ys) // 2] if log is None else log
    return Chart(
        title,
        unit,
        linear_axis(min(0.0, min(xs)), max(xs), tight=True),
        log_axis(min(ys), max(ys)) if wants and positive else linear_axis(min(ys), max(ys)),
        kept,
    )


def shown_values(series: Sequence[Series], early: float) -> list[float]:
    """The values that the axis has to hold. Training often starts far above where it will go: when
    the first steps would press the rest flat they may leave the chart at its upper edge."""
    values = [y for s in series for _, y in s.points]
    later = [y for s in series for x, y in s.points if x >= early]
    if len(later) >= SMOOTHED and max(values) - max(later) > max(later) - min(values):
        return [y for y in values if y <= max(later)]
    return values


def linear_axis(low: float, high: float, tight: bool = False) -> Axis:
    """About five round ticks; without `tight` the ends are ticks."""
    if high <= low:
        pad = abs(low) * 0.1 or 1.0
        low, high = (low, low + 1) if tight else (low - pad, low + pad)
    raw = (high - low) / 5
    scale = 10.0 ** floor(log10(raw))
    step = next(f * scale for f in (1, 2, 2.5, 5, 10) if f * scale >= raw * 0.999)
    first, last = floor(low / step + 1e-9), ceil(high / step - 1e-9)
    ticks = tuple(i * step for i in range(first, last + 1))
    if tight:
        return Axis(low, high, tuple(t for t in ticks if low <= t <= high))
    return Axis(ticks[0], ticks[-1], ticks)


def log_axis(low: float, high: float) -> Axis:
    """Ticks at 1, 2, 5 times powers of ten where few, else at powers of ten."""
    first, last = floor(log10(low)), ceil(log10(high))
    low, high = low / 1.1, high * 1.1
    decades = last - first
    factors = (1, 2, 5) if decades <= 3 else (1,)
    ticks = [f * 10.0**e for e in range(first, last + 1) for f in factors]
    return Axis(low, high, tuple(t for t in ticks if low <= t <= high), log=True)


def tick_text(value: float) -> str:
    """Short and exact enough: 2000 -> 2k, 0.25, 1e-05."""
    if abs(value) < 1e-12:
        return "0"
    for factor, suffix in ((1e6, "M"), (1e3, "k")):
        if abs(value) >= factor:
            return f"{value / factor:.6g}{suffix}"
    return f"{value:.4g}"


def smooth(points: Sequence[Point]) -> tuple[Point, ...]:
    """Centred running mean over a twentieth of the points; it narrows towards both ends."""
    reach = max(1, len(points) // 40)
    result = []
    for i, (x, _) in enumerate(points):
        near = min(reach, i, len(points) - 1 - i)
        window = points[i - near : i + near + 1]
        result.append((x, sum(y for _, y in window) / len(window)))
    return tuple(result)


def with_smooth(series: Series) -> tuple[Series, ...]:
    """The series, and its running mean when it is long enough to be noise to the eye."""
    if len(series.points) < SMOOTHED:
        return (series,)
    return series, Series(f"{series.name} (running mean)", "smooth", smooth(series.points))


# ---- what is drawn of a series, both ways from 0 to 1 ----------------------------------------


def lines(picture: Chart, series: Series) -> list[list[Point]]:
    """The line through the points in pieces, cut off where it leaves the chart; none through a few
    evaluations."""
    few = series.style in EVALUATIONS and len(series.points) < JOINED
    if few or series.style in SCATTERED:
        return []
    places = [(picture.x.place(x), picture.y.at(y)) for x, y in series.points]
    pieces: list[list[Point]] = []
    for first, last in pairwise(places):
        part = _inside(first, last)
        if part is None:
            continue
        if pieces and pieces[-1][-1] == part[0]:
            pieces[-1].append(part[1])
        else:
            pieces.append(list(part))
    return pieces


def _inside(first: Point, last: Point) -> tuple[Point, Point] | None:
    """The part of a straight line that lies between 0 and 1 in height."""
    (x, y), (across, up) = first, (last[0] - first[0], last[1] - first[1])
    if up == 0:
        return (first, last) if 0 <= y <= 1 else None
    ends = sorted((-y / up, (1 - y) / up))
    begin, end = max(0.0, ends[0]), min(1.0, ends[1])
    if begin >= end:
        return None
    from_ = first if begin == 0 else (x + begin * across, y + begin * up)
    to = last if end == 1 else (x + end * across, y + end * up)
    return from_, to


def markers(picture: Chart, series: Series) -> list[tuple[float, float, bool]]:
    """Where each point of a series of evaluations, of a plane, or a single point, is marked, and
    whether it is an evaluation that lies beyond the edge that it is marked at."""
    evaluated = series.style in EVALUATIONS
    if not evaluated and series.style not in SCATTERED and len(series.points) != 1:
        return []
    return [
        (picture.x.place(x), picture.y.place(y), evaluated and picture.y.at(y) > 1)
        for x, y in series.points
    ]


# ---- SVG ---------------------------------------------------------------------------------


def _x(part: float) -> float:
    return LEFT + part * (WIDTH - LEFT - RIGHT)


def _y(part: float) -> float:
    return HEIGHT - BOTTOM - part * (HEIGHT - TOP - BOTTOM)


def svg(picture: Chart) -> str:
    """The chart as an inline `<svg>` element."""
    label = escape(f"{picture.title} by step", quote=True)
    parts = [f'<svg class="chart" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{label}">']
    for tick in picture.y.ticks:
        y = _y(picture.y.place(tick))
        parts.append(
            f'<line class="rule" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'
        )
        parts.append(_text(LEFT - 7, y + 3.5, tick_text(tick), "end"))
    for tick in picture.x.ticks:
        parts.append(
            _text(_x(picture.x.place(tick)), HEIGHT - BOTTOM + 17, tick_text(tick), "middle")
        )
    parts.append(_text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 4, "step", "middle"))
    for series in picture.series:
        parts += _line(picture, series)
    parts.append("</svg>")
    return "\n".join(parts)


def _text(x: float, y: float, text: str, anchor: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'


def _line(picture: Chart, series: Series) -> list[str]:
    parts = []
    for piece in lines(picture, series):
        path = " ".join(f"{_x(x):.1f},{_y(y):.1f}" for x, y in piece)
        parts.append(f'<polyline class="series {series.style}" points="{path}"/>')
    for (x, y, beyond), (step, value) in zip(markers(picture, series), series.points, strict=False):
        title = f"<title>{escape(series.name)}, step {step:.0f}: {value:.5g}</title>"
        across, down = _x(x), _y(y)
        shape = f'circle cx="{across:.1f}" cy="{down:.1f}" r="2.8"'
        if beyond:  # an arrow out of the chart
            shape = f'path d="M{across - 3.5:.1f} {down + 4:.1f}h7l-3.5 -6z"'
        parts.append(f'<{shape} class="dot {series.style}">{title}</{shape.split()[0]}>')
    return parts


def legend(series: Sequence[Series]) -> str:
    """HTML for a chart's legend: a swatch and a name for each series."""
    items = (
        f'<span class="key"><i class="swatch {s.style}"></i>{escape(s.name)}</span>' for s in series
    )
    return '<div class="legend">' + "".join(items) + "</div>"
