"""Points of a plane are pictures: samples over held-out data, wherever images are drawn."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from gendsl.__main__ import main
from gendsl.run.chart import lines, markers
from gendsl.run.chart_png import COLOURS, panel_sheet
from gendsl.run.scatter import SHOWN_POINTS, scatter

PROGRAM = """\
batch B
dim Z = 2

data x: [B, D] from synthetic_ring8

param centre: [D] init normal(mean = 0, var = 1)

objective gap:
    minimize mean[B](sum[D](square(x - centre)))
    show moved = x - centre
    show latent = sum[D](square(x - centre))

train:
    step gap over centre with sgd(lr = 0.01)
    batch B = 64
    steps 100

sampler around[N = 300] -> [N, D]:
    z: [N, D] ~ normal(mean = 0, var = 1)
    return centre + 0.1 * z

sampler latents[N = 5] -> [N, k: 3]:
    z: [N, k: 3] ~ normal(mean = 0, var = 1)
    return z
"""


def colours(path: Path) -> set[tuple[int, ...]]:
    pixels = np.asarray(Image.open(path).convert("RGB")).reshape(-1, 3)
    return {tuple(int(v) for v in row) for row in np.unique(pixels, axis=0)}


def test_points_are_drawn_by_run_sample_report_and_eval(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "plane.gml").write_text(PROGRAM)
    run = tmp_path / "run"
    assert main(["run", str(tmp_path / "plane.gml"), "--out", str(run)]) == 0
    said = capsys.readouterr().out
    assert re.search("wrote .*: samples.png, samples-latents.npy, moved.png, latent.npy, ", said)
    assert "samples-latents.npy is no picture" in said and "samples.png is no" not in said
    captions = re.findall("<figcaption>(.*?)</figcaption>", (run / "report.html").read_text())
    assert captions == ["samples of around", "moved", "step 100"]
    assert main(["sample", str(run), "--n", "9", "--format", "json"]) == 0
    drawn = Path(json.loads(capsys.readouterr().out)["file"])
    assert drawn.name == "sample-around-9.png"
    assert main(["sample", str(run), "--n", "9", "--out", str(tmp_path / "points.npy")]) == 0
    assert np.load(tmp_path / "points.npy").shape == (9, 2)
    assert main(["eval", str(run), "--n", "9", "--format", "json"]) == 0
    found = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert [Path(name).name for name in found["pictures"]] == ["scatter-around.png"]
    written = [run / "samples.png", run / "moved.png", run / "samples" / "step-00000100.png"]
    for path in (*written, drawn, run / "scatter-around.png"):
        assert {COLOURS["data"], COLOURS["sample"]} <= colours(path)


def test_axes_are_those_of_the_data() -> None:
    """Equally scaled, whatever the samples are; those beyond them stand at the edge."""
    data = np.array([[0.0, 10.0], [4.0, 11.0], [2.0, 12.0]])
    samples = np.array([[2.0, 11.0], [1e6, 11.0], [2.0, -1e6], [np.nan, 11.0]])
    chart = scatter("ring", samples, data, 30)
    assert chart.x.high - chart.x.low == pytest.approx(chart.y.high - chart.y.low)
    middle = (chart.x.low + chart.x.high) / 2, (chart.y.low + chart.y.high) / 2
    assert middle == pytest.approx((2, 11))
    assert all(chart.x.low < x < chart.x.high and chart.y.low < y < chart.y.high for x, y in data)
    assert chart.scale == "3 samples beyond the edge"
    below, above = chart.series
    assert (below.name, above.name) == ("3 of 30 held-out examples", "4 samples")
    wanted = [(0.5, 0.5, False), (1.0, 0.5, False), (0.5, 0.0, False)]
    for found, place in zip(markers(chart, above), wanted, strict=False):
        assert found == pytest.approx(place)
    assert lines(chart, above) == lines(chart, below) == []
    sizes = [panel_sheet([chart], zoom).size for zoom in (1, 2)]
    assert sizes[1] == (2 * sizes[0][0], 2 * sizes[0][1])
    assert 1 < sizes[0][1] / sizes[0][0] < 1.15


def test_a_single_point_and_very_many() -> None:
    point = np.array([[3.0, 3.0]])
    chart = scatter("one", np.zeros((5000, 2)), point, 1)
    assert chart.x.low < 3 < chart.x.high
    assert chart.series[1].name == "2,000 of 5,000 samples"
    assert len(chart.series[1].points) == SHOWN_POINTS
