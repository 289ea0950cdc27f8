"""The metrics of `gendsl eval` against values known by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from gendsl.diagnostics.model import Sink
from gendsl.driver import analyse
from gendsl.ir.evaluate import evaluate
from gendsl.run.eval_pictures import between, traversals
from gendsl.run.metrics_features import Features, frechet, kid, nearest
from gendsl.run.metrics_values import active_units, code_use, iwae, log_density, psnr

RNG = np.random.default_rng(7)


def test_frechet_distance_of_gaussians() -> None:
    """|m|^2 + sum (s_a - s_b)^2 for diagonal covariances, made exact by whitening the sample."""
    raw = RNG.normal(size=(500, 3))
    centred = raw - raw.mean(0)
    white = centred @ np.linalg.inv(np.linalg.cholesky(np.cov(centred, rowvar=False))).T
    a, b = white * [1.0, 2.0, 3.0], white[::-1] * [2.0, 2.0, 1.0] + [1.0, 0.0, 2.0]
    assert frechet(a, b) == pytest.approx(5 + 1 + 0 + 4, rel=1e-9)
    assert frechet(a, a) == pytest.approx(0, abs=1e-9)


def test_kid_is_unbiased_and_sees_a_shift() -> None:
    same = [kid(RNG.normal(size=(100, 4)), RNG.normal(size=(100, 4)))[0] for _ in range(60)]
    error = np.std(same) / np.sqrt(60)
    assert abs(np.mean(same)) < 5 * error
    assert kid(RNG.normal(size=(300, 4)) + 1, RNG.normal(size=(300, 4)))[0] > 0.5


@pytest.mark.parametrize("shift", [0.0, 0.5])
def test_the_error_of_a_kid_is_the_spread_of_its_draws(shift: float) -> None:
    """Also for few samples, and in whichever order the examples come. Where both laws are the same
    the terms of first order vanish: the jackknife is then too large, never too small."""
    draws = []
    for _ in range(200):
        samples, data = RNG.normal(size=(60, 3)) + shift, RNG.normal(size=(90, 3))
        draws.append(kid(samples, data[np.argsort(data[:, 0])]))
    spread, told = np.std([value for value, _ in draws]), np.mean([error for _, error in draws])
    assert spread * 0.85 < told < spread * (1.2 if shift else 2)


def test_the_error_of_a_kid_leaves_out_one_example_each() -> None:
    """Against the distance computed anew without each example."""
    a, b = RNG.normal(size=(7, 2)), RNG.normal(size=(5, 2)) + 0.3
    b = b / np.sqrt(b.var(0).mean())  # so that leaving one out does not scale the others

    def value(a: np.ndarray, b: np.ndarray) -> float:
        def kernel(x: np.ndarray, y: np.ndarray) -> np.ndarray:
            return (x @ y.T / 2 + 1) ** 3

        own = [
            (k.sum() - np.trace(k)) / (len(k) * (len(k) - 1)) for k in (kernel(a, a), kernel(b, b))
        ]
        return float(sum(own) - 2 * kernel(a, b).mean())

    without_a = [value(np.delete(a, i, 0), b) for i in range(7)]
    without_b = [value(a, np.delete(b, i, 0)) for i in range(5)]
    found, error = kid(a, b)
    assert found == pytest.approx(value(a, b))
    assert error**2 == pytest.approx(6 * np.var(without_a) + 4 * np.var(without_b))
    assert np.isnan(kid(a[:2], b)[1])


def test_features_are_principal_components() -> None:
    points = RNG.normal(size=(400, 5)) * [5.0, 3.0, 1.0, 0.1, 0.1] + 2
    features = Features.of(points, 2)
    values = np.linalg.eigvalsh(np.cov(points, rowvar=False))[::-1]
    assert features(points).var(0, ddof=1) == pytest.approx(values[:2])
    assert "2 leading" in features.description


def test_nearest_training_example() -> None:
    train = RNG.normal(size=(50, 2, 3))
    rows, gaps = nearest(train[[4, 9]] + 1e-3, train)
    assert list(rows) == [4, 9]
    assert gaps == pytest.approx(np.full(2, 1e-3 * np.sqrt(6)), rel=1e-4)


def test_log_densities() -> None:
    x = np.array([[0.0, 1.0], [2.0, 0.0]])
    normal = log_density("normal", x, {"mean": np.zeros((2, 2)), "var": np.array(4.0)})
    assert normal == pytest.approx([-np.log(8 * np.pi) - 1 / 8, -np.log(8 * np.pi) - 4 / 8])
    bits = np.array([[0.0, 1.0]])
    logits = np.array([[0.3, -0.7]])
    by_logits = log_density("bernoulli", bits, {"logits": logits})
    mean = 1 / (1 + np.exp(-logits))
    assert by_logits == pytest.approx(log_density("bernoulli", bits, {"mean": mean}))
    assert log_density("uniform", x, {"low": x, "high": x}) is None


def test_iwae_tightens_to_the_likelihood() -> None:
    """z ~ N(0, 1), x | z ~ N(z, 1) with the prior as proposal: p(x) = N(0, 2)."""
    x = RNG.normal(size=200) * np.sqrt(2)
    z = RNG.normal(size=(2000, 200))
    weights = -0.5 * (np.log(2 * np.pi) + (x - z) ** 2)
    exact = float(np.mean(0.5 * (np.log(4 * np.pi) + x**2 / 2)))
    loose, tight = iwae(weights[:1])[0], iwae(weights)[0]
    assert loose > tight > exact - 0.01
    assert tight == pytest.approx(exact, abs=0.01)


def test_active_units_and_use_of_codes() -> None:
    means = np.stack([RNG.normal(size=100), np.zeros(100), 0.05 * RNG.normal(size=100)], 1)
    assert active_units(means) == 1
    use = code_use(np.array([[0, 0], [1, 1]]), 5)
    assert (use.codes, use.dead) == (5, 3)
    assert use.perplexity == pytest.approx(2)


def test_psnr() -> None:
    x = np.zeros((2, 4))
    assert psnr(x, x + 0.1, 1.0) == pytest.approx(20)
    assert psnr(x, x + 0.1, 2.0) == pytest.approx(20 + 10 * np.log10(4))


def test_walks() -> None:
    rows = traversals(3)
    assert rows.shape == (3, 9, 3)
    assert (rows[1, :, [0, 2]] == 0).all() and rows[1, 0, 1] == -2.5 and rows[1, -1, 1] == 2.5
    ends = RNG.normal(size=(2, 4))
    ends /= np.linalg.norm(ends, axis=1, keepdims=True)
    path = between(ends)
    assert path[0, [0, -1]] == pytest.approx(ends, abs=1e-6)
    assert np.linalg.norm(path[0], axis=1) == pytest.approx(np.ones(9), abs=1e-5)


DISCRETISED = """\
import losses: discretised_logistic_nll
import nn: dense

batch B
hyper centre = 0.5
hyper log_scale = -2.0

data x: [B, (C H W)] in 0..1 from digits

net body(x: [..b, D]) -> [..b, D]:
    return dense[D](x)

objective loss:
    each = discretised_logistic_nll(0 * x + centre, log_scale, x)
    minimize mean[B](each) + mse[B, (C H W)](body(x), x)

train:
    step loss over body with adam(lr = 1e-3)
    batch B = 32
    steps 1
"""


@pytest.mark.parametrize("centre", [-0.2, 0.0, 0.37, 1.0])
@pytest.mark.parametrize("log_scale", [-6.0, -3.0, 0.5])
def test_the_discretised_logistic_is_a_law_on_256_levels(
    tmp_path: Path, centre: float, log_scale: float
) -> None:
    """Its probabilities sum to one, and each is the logistic mass of its bin (computed apart)."""
    path = tmp_path / "discretised.gml"
    path.write_text(DISCRETISED)
    sink = Sink()
    graph = analyse(str(path), sink, prove=False).graph
    assert graph is not None, sink.sorted()
    levels = np.arange(256)[:, None] / 255
    given = {"data:x": levels, "hyper:centre": np.float64(centre)}
    given["hyper:log_scale"] = np.float64(log_scale)
    sizes = {"B": 256, "C": 1, "H": 1, "W": 1}
    (each,) = evaluate([graph.objectives["loss"].scope["each"]], given, sizes)
    edges = (np.arange(257) - 0.5) / 255
    cumulative = 1 / (1 + np.exp(-(edges - centre) / np.exp(log_scale)))
    cumulative[0], cumulative[-1] = 0, 1
    assert np.exp(-each).sum() == pytest.approx(1, abs=1e-9)
    assert np.exp(-each) == pytest.approx(np.diff(cumulative), rel=1e-6, abs=1e-12)
