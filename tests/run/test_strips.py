"""Denoising strips: the values that a loop carries on the way, exactly."""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from gendsl.__main__ import main
from gendsl.diagnostics.model import Sink
from gendsl.driver import analyse
from gendsl.ir.evaluate import evaluate
from gendsl.ir.graph import reachable
from gendsl.noise import Noise
from gendsl.ops.loop import Loop
from gendsl.run.eval_strips import loop_of, moments, watched

PROGRAM = """\
# A loop whose values are known: each step halves, and adds noise of its own.
import nn: dense

batch B
hyper size = 0.0 in 0..1

data x: [B, C, H, W] in 0..1 from digits

net body(x: [..b, C, H, W]) -> [..b, C, H, W]:
    flat = rearrange x: [..b, C, H, W] -> [..b, d: (C H W)]
    out = dense[d: C * H * W](flat)
    return rearrange out: [..b, d: (C H W)] -> [..b, C, H, W]

objective loss:
    minimize mean[B](sum[C, H, W](square(body(x))))

train:
    step loss over body with adam(lr = 1e-3)
    batch B = 32
    steps 2

sampler halves[N = 3, S = 16]() -> [N, C, H, W] in 0..1:
    x: [N, C, H, W] ~ normal(mean = 0, var = 1)
    for i in steps(S) carrying x:
        z: [N, C, H, W] ~ normal(mean = 0, var = 1)
        x = 0.5 * x + size * z
    return clamp(0.5 * x + 0.5, 0, 1)
"""


@pytest.mark.parametrize("size", [0.0, 1.0])
def test_kept_values_are_those_before_each_iteration(tmp_path: Path, size: float) -> None:
    path = tmp_path / "halves.gml"
    path.write_text(PROGRAM)
    sink = Sink()
    graph = analyse(str(path), sink).graph
    assert graph is not None and not sink.has_errors
    sampler = graph.samplers["halves"]
    node = loop_of(sampler)
    assert node is not None
    assert moments(16) == list(range(0, 16, 2)) and moments(3) == [0, 1, 2]
    at = moments(16)
    body, operands = watched(node, at)
    ends = [graph.builder.apply(Loop(body, 1 + place), *operands) for place in range(len(at))]
    ends.append(graph.builder.apply(Loop(body, 0), *operands))
    sizes = sampler.bound({"C": 1, "H": 2, "W": 2}, 3)
    given, noise = {"hyper:size": np.float64(size)}, Noise(4, "sample")
    *kept, last = evaluate(ends, given, sizes, noise=noise)
    (whole,) = evaluate([node], given, sizes, noise=noise)
    assert np.array_equal(last, whole)
    (start,) = evaluate([node.inputs[0]], given, sizes, noise=noise)
    assert np.array_equal(kept[0], start)
    for place, value in enumerate(kept):
        if size == 0:
            assert value == pytest.approx(start * 0.5 ** at[place])
    if size:
        assert all(np.abs(a - 0.25 * b).max() > 0.1 for b, a in pairwise(kept))


def test_a_sampler_without_a_loop_has_no_strip() -> None:
    graph = analyse("vae", Sink(), prove=False).graph
    assert graph is not None
    (sampler,) = graph.samplers.values()
    assert loop_of(sampler) is None
    assert not any(isinstance(n.op, Loop) for n in reachable([sampler.outputs[""].node]))


def test_eval_draws_the_strip(tmp_path: Path) -> None:
    path = tmp_path / "halves.gml"
    path.write_text(PROGRAM)
    assert main(["run", str(path), "--out", str(tmp_path / "run")]) == 0
    assert main(["eval", str(tmp_path / "run")]) == 0
    from PIL import Image

    with Image.open(tmp_path / "run" / "denoising-halves.png") as image:
        assert image.width > 8 * 56 and image.height > 5 * 56
        assert len(set(image.convert("L").tobytes())) > 20


def test_only_strips_that_stay_behind_are_of_an_earlier_step(tmp_path: Path) -> None:
    """The end of a run draws its first sampler's strip again, the others are those of eval."""
    start = PROGRAM.index("sampler halves")
    again = PROGRAM[start:].replace("halves", "with_noise")
    (tmp_path / "p.gml").write_text(PROGRAM + "\n" + again)
    run = tmp_path / "run"
    assert main(["run", str(tmp_path / "p.gml"), "--out", str(run)]) == 0
    assert main(["eval", str(run), "--n", "4"]) == 0
    assert main(["run", "--resume", "--out", str(run), "--steps", "4"]) == 0
    captions = re.findall("<figcaption>(.*?)</figcaption>", (run / "report.html").read_text())
    assert [caption for caption in captions if "denoising" in caption] == [
        "denoising-halves",
        "denoising-with_noise, of step 2",
    ]
