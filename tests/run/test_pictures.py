"""Pictures, charts and the report page."""

from __future__ import annotations

import io
import math
import re
import shutil
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from gendsl.__main__ import main
from gendsl.run import chart, chart_png, pictures
from gendsl.run.report import timing_summary
from tests.run.making import TINY, go, tiny


def test_values_are_clipped_to_the_declared_range() -> None:
    values = np.array([-2.0, -1.0, 0.0, 1.0, 7.0, math.nan, math.inf, -math.inf])
    found = pictures.tiles(values, (1, 1, 1), -1.0, 1.0)
    assert found.shape == (8, 1, 1, 3)
    assert found[:, 0, 0, 0].tolist() == [0, 0, 128, 255, 255, 0, 255, 0]


def test_channels_come_last() -> None:
    values = np.zeros((2, 3, 4, 5))
    values[1, 2, 3, 4] = 1.0
    found = pictures.tiles(values.reshape(2, -1), (3, 4, 5), 0.0, 1.0)
    assert found.shape == (2, 4, 5, 3)
    assert np.argwhere(found).tolist() == [[1, 3, 4, 2]]


def test_a_pixel_stays_a_pixel() -> None:
    images = np.random.default_rng(0).integers(0, 256, (1, 8, 8, 3), dtype=np.uint8)
    scale = pictures.scale_of(8, 8)
    sheet = np.asarray(pictures.grid(images))
    inner = sheet[pictures.MARGIN : -pictures.MARGIN, pictures.MARGIN : -pictures.MARGIN]
    assert inner.shape == (8 * scale, 8 * scale, 3)
    assert (inner[::scale, ::scale] == images[0]).all()
    assert (inner[scale - 1 :: scale, scale - 1 :: scale] == images[0]).all()


@settings(deadline=None)  # large grids take long on a machine that is busy
@given(st.integers(1, 70))
def test_grids_are_nearly_square_and_hold_all(count: int) -> None:
    images = np.full((count, 60, 60, 3), 7, dtype=np.uint8)
    sheet = np.asarray(pictures.grid(images))
    assert (sheet == 7).all(axis=2).sum() == count * 3600
    assert 0.5 <= sheet.shape[0] / sheet.shape[1] <= 1.2


def test_rows_have_names_and_a_caption() -> None:
    images = np.full((6, 60, 60, 3), 7, dtype=np.uint8)
    plain = np.asarray(pictures.grid(images, 3))
    named = np.asarray(pictures.grid(images, 3, "z[i] from -2.5 to 2.5", ("z[0]", "z[1]")))
    assert named.shape[0] > plain.shape[0] and named.shape[1] > plain.shape[1]
    left, top = named.shape[1] - plain.shape[1], named.shape[0] - plain.shape[0]
    assert (named[top:, left:] == plain).all()  # the pictures are the same
    assert (named[:top] != 255).any()  # the caption
    middle = top + plain.shape[0] // 2
    assert (named[top:middle, :left] != 255).any() and (named[middle:, :left] != 255).any()


def test_what_is_a_picture() -> None:
    assert pictures.drawable((1, 8, 8), 0.0, 1.0)
    assert pictures.drawable((3, 8, 8), -1.0, 1.0)
    for image, low, high in (
        (None, 0.0, 1.0),
        ((2, 8, 8), 0.0, 1.0),
        ((1, 8, 8), None, 1.0),
        ((1, 8, 8), 0.0, None),
        ((1, 8, 8), 1.0, 1.0),
    ):
        assert not pictures.drawable(image, low, high)


def test_comparison_puts_examples_below_each_other() -> None:
    first = np.full((7, 60, 60, 3), 10, dtype=np.uint8)
    second = np.full((7, 60, 60, 3), 20, dtype=np.uint8)
    rows = [pictures.Row("a", first), pictures.Row("b", second)]
    sheet = np.asarray(pictures.comparison(rows, columns=4))
    ys = {v: set(np.argwhere((sheet == v).all(axis=2))[:, 0].tolist()) for v in (10, 20)}
    assert min(ys[10]) < min(ys[20]) < max(ys[10]) < max(ys[20])
    assert pictures.encode(pictures.comparison(rows)) == pictures.encode(pictures.comparison(rows))


# ---- charts ------------------------------------------------------------------------------


@given(st.floats(-1e6, 1e6), st.floats(1e-3, 1e6))
def test_linear_axes_hold_their_values_in_few_round_steps(low: float, span: float) -> None:
    axis = chart.linear_axis(low, low + span)
    slack = 1e-8 * span
    assert axis.low <= low + slack and axis.high >= low + span - slack
    assert 3 <= len(axis.ticks) <= 9
    assert 0.0 <= axis.place(low) < axis.place(low + span) <= 1.0


@given(st.floats(1e-6, 1e6), st.floats(1.5, 1e9))
def test_log_axes(low: float, ratio: float) -> None:
    axis = chart.log_axis(low, low * ratio)
    assert axis.place(low) < 0.5 < axis.place(low * ratio)
    assert all(axis.low <= t <= axis.high for t in axis.ticks)


def test_a_single_value_and_no_value() -> None:
    for points in ((), ((5.0, 2.0),), ((1.0, 3.0), (2.0, 3.0))):
        drawn = chart.chart("t", "nats", [chart.Series("train", "train", points)])
        assert chart.svg(drawn).count("<svg") == 1
        assert chart_png.panel_sheet([drawn]).width > 0


def test_a_high_start_leaves_the_chart_at_its_edge() -> None:
    points = tuple((float(k), 500.0 if k < 3 else 24.0 + 1 / k) for k in range(201))
    drawn = chart.chart("t", "nats", [chart.Series("train", "train", points)])
    assert drawn.y.high < 30 and not drawn.y.log
    assert drawn.y.place(500.0) == 1.0


def test_what_leaves_the_chart_is_cut_off_and_pointed_at() -> None:
    """A line goes up to the edge and not along it; an evaluation beyond it is an arrow."""
    high = ((0.0, 500.0), (1.0, 500.0), (2.0, 500.0))
    train = chart.Series("a", "train", high + tuple((float(k), 24 + 1 / k) for k in range(3, 201)))
    points = ((0.0, 500.0), (100.0, 24.1), (200.0, 24.0))
    drawn = chart.chart("t", "nats", [train, chart.Series("b", "heldout", points)])
    ((first, *_, last),) = chart.lines(drawn, train)
    assert first[1] == 1.0 and 2 / 200 < first[0] <= 4 / 200 and last[0] == 1.0
    assert all(0 <= y <= 1 for piece in chart.lines(drawn, train) for _, y in piece)
    found = chart.markers(drawn, drawn.series[1])
    assert [beyond for _, _, beyond in found] == [True, False, False] and found[0][:2] == (0.0, 1.0)
    text = chart.svg(drawn)
    assert text.count("<path") == 1 and text.count("<circle") == 2
    assert text.index("500</title></path>") > text.index("<path")


def test_a_line_that_leaves_and_comes_back_is_in_pieces() -> None:
    series = chart.Series("a", "value", ((0.0, 0.0), (1.0, 4.0), (2.0, 0.0), (3.0, -2.0)))
    axis = chart.Axis(0.0, 2.0, ())
    drawn = chart.Chart("t", "", chart.Axis(0.0, 4.0, ()), axis, (series,))
    assert chart.lines(drawn, series) == [[(0.0, 0.0), (0.125, 1.0)], [(0.375, 1.0), (0.5, 0.0)]]


@pytest.mark.parametrize("style", ["heldout", "ema"])
def test_a_few_evaluations_are_not_joined(style: str) -> None:
    """A straight line between two of them would stand above what was trained in between."""
    points = tuple((100.0 * k, 1.0 / (k + 1)) for k in range(chart.JOINED))
    for count, pieces in ((2, 0), (chart.JOINED - 1, 0), (chart.JOINED, 1)):
        series = chart.Series("held-out", style, points[:count])
        drawn = chart.chart("t", "nats", [series])
        assert len(chart.lines(drawn, series)) == pieces
        assert len(chart.markers(drawn, series)) == chart.svg(drawn).count("<circle") == count
        assert chart.svg(drawn).count("<polyline") == pieces


def test_a_long_fall_gets_a_log_axis_unless_values_reach_zero() -> None:
    points = tuple((float(k), 1e4 * math.exp(-k / 15)) for k in range(100))
    assert chart.chart("t", "", [chart.Series("a", "train", points)]).y.log
    lower = tuple((x, y - 1.0 if x > 90 else y) for x, y in points)
    assert min(y for _, y in lower) < 13
    below = tuple((x, -y) for x, y in points)
    assert not chart.chart("t", "", [chart.Series("a", "train", below)]).y.log


@pytest.mark.parametrize(
    ("unit", "log", "scale"),
    [
        ("", False, ""),
        ("", True, "log scale"),
        ("nats", False, "nats"),
        ("nats", True, "nats, log scale"),
    ],
)
def test_a_chart_says_its_unit_and_scale(unit: str, log: bool, scale: str) -> None:
    points = ((0.0, 1.0), (1.0, 2.0))
    assert chart.chart("t", unit, [chart.Series("s", "value", points)], log=log).scale == scale


def test_a_long_legend_stays_below_its_chart() -> None:
    """It goes on in another row, for which the sheet has room."""
    points = tuple((float(x), 1.0 + x % 2) for x in range(40))
    many = [
        *chart.with_smooth(chart.Series("train", "train", points)),
        chart.Series("held-out", "heldout", points),
        chart.Series("held-out, averaged weights", "ema", points),
    ]
    rows = chart_png.legend_rows(many)
    assert [s.name for row in rows for _, s in row] == [s.name for s in many] and len(rows) == 2
    sheets = [
        np.asarray(chart_png.panel_sheet([chart.chart("a", "", series)] * 2))
        for series in (many[:1], many)
    ]
    assert sheets[1].shape[0] == sheets[0].shape[0] + chart_png.ZOOM * chart_png.LEGEND_ROW
    border = chart.WIDTH * chart_png.ZOOM
    legend = sheets[1][chart_png.ZOOM * (chart_png.TITLE + chart.HEIGHT) :]
    assert (legend[:, border - 4 : border + 4 + chart.LEFT] == 255).all()
    assert (legend[-chart_png.ZOOM * chart_png.LEGEND_ROW :, :border] != 255).any()


def test_the_running_mean_keeps_straight_lines() -> None:
    line = tuple((float(k), 3.0 * k + 1.0) for k in range(100))
    found = chart.smooth(line)
    assert [x for x, _ in found] == [x for x, _ in line]
    assert [y for _, y in found] == pytest.approx([y for _, y in line])
    assert chart.with_smooth(chart.Series("a", "train", line[:20]))[-1].style == "train"
    assert chart.with_smooth(chart.Series("a", "train", line))[-1].style == "smooth"


def test_tick_texts() -> None:
    values = (0.0, 0.25, 1.5, 2000.0, 12500.0, 3e6, 1e-5, -40.0)
    expected = ["0", "0.25", "1.5", "2k", "12.5k", "3M", "1e-05", "-40"]
    assert [chart.tick_text(v) for v in values] == expected


# ---- the page ----------------------------------------------------------------------------


class Page(HTMLParser):
    """Checks that elements close in order; collects texts and references."""

    VOID = frozenset({"meta", "img", "br"})

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.references: list[str] = []
        self.seen: dict[str, int] = {}

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen[tag] = self.seen.get(tag, 0) + 1
        self.references += [v or "" for k, v in attrs if k in ("src", "href", "action")]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen[tag] = self.seen.get(tag, 0) + 1

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("page")
    text = tiny(folder).read_text().replace("for tests.", "for <b>tests</b> & more.")
    assert go(tiny(folder, text), folder / "run", steps=120) == 0
    return folder / "run"


def test_the_page_stands_alone(run: Path) -> None:
    text = (run / "report.html").read_text()
    page = Page()
    page.feed(text)
    assert page.open == []
    assert page.seen["svg"] == 4  # the loss, its two terms, the schedule
    assert page.seen["img"] == 3  # samples, reconstruction, samples at step 100
    assert all(r.startswith("data:image/png;base64,") for r in page.references)
    assert not re.search(r"https?:|<script|@import|url\(", text)
    assert "&lt;b&gt;tests&lt;/b&gt; &amp; more." in text
    # A hash has no place to break at: on a small screen the page would scroll sideways.
    assert re.search(r"body {[^}]*overflow-wrap: break-word", text)


def test_the_page_tells_the_run(run: Path) -> None:
    text = (run / "report.html").read_text()
    for part in (
        "120 of 120 steps, finished",
        "held-out, averaged weights",
        "prefers-color-scheme: dark",
        "loss.recon · held-out",
        "steps per second",
        "encoder.h.w",
        "digits",
        "CC BY 4.0",
    ):
        assert part in text
    assert re.search(r"gendsl run \S+tiny.gml --out \S+ --steps 240 --resume", text)


def test_samplers_stand_as_in_the_program(tmp_path: Path) -> None:
    """The first one's samples are in `samples.png`, and each picture is named by its sampler."""
    text = TINY + "".join(
        f"""
sampler {name}[N = 4] -> [N, {shape}] in 0..1:
    z: [N, Z] ~ normal(mean = 0, var = 1)
    return sigmoid(decoder(z))
"""
        for name, shape in (("zebra", "(C H W)"), ("flat", "C * H * W"), ("ape", "(C H W)"))
    )
    program = tiny(tmp_path, text)
    assert main(["run", str(program), "--out", str(tmp_path / "run"), "--steps", "1"]) == 0
    for kind in ("nearest", "traversal"):
        for name in ("ape", "pictures", "zebra"):
            shutil.copy(tmp_path / "run" / "samples.png", tmp_path / "run" / f"{kind}-{name}.png")
    again = ["--resume", "--steps", "2"]
    assert main(["run", str(program), "--out", str(tmp_path / "run"), *again]) == 0
    captions = re.findall(
        "<figcaption>(.*?)</figcaption>", (tmp_path / "run/report.html").read_text()
    )
    assert captions == [
        "samples of pictures",
        "samples of zebra",
        "samples of ape",
        "reconstruction",
        *(
            f"{kind}-{name}"
            for kind in ("traversal", "nearest")
            for name in ("pictures", "zebra", "ape")
        ),
    ]


def test_pictures_on_the_disk_are_pictures(run: Path) -> None:
    for name in ("samples.png", "reconstruction.png", "curves.png", "samples/step-00000100.png"):
        with Image.open(io.BytesIO((run / name).read_bytes())) as image:
            assert image.format == "PNG" and min(image.size) > 130


def test_throughput_over_sessions(tmp_path: Path) -> None:
    path = tmp_path / "timings.jsonl"
    sessions = [(1, 3.0), (11, 4.0), (21, 5.0), (11, 2.0), (31, 4.0)]
    path.write_text("".join(f'{{"step": {s}, "seconds": {t}}}\n' for s, t in sessions) + '{"st')
    assert timing_summary(path) == (9.0, 10.0)
    assert timing_summary(tmp_path / "absent") == (0.0, 0.0)


def test_grids_fill_their_rows_where_nearly_square_allows() -> None:
    one, two, *sheets = (
        pictures.grid(np.zeros((n, 28, 28, 3), np.uint8)).width for n in (1, 4, 18, 60, 7)
    )
    assert [(width - one) / (two - one) + 1 for width in sheets] == [6, 10, 3]
