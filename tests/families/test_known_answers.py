"""Training and sampling reach answers that are known in closed form (the fast part of
`python -m benchmarks.closed_forms`)."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks import closed_forms as known

COUNT = 4000


@pytest.mark.parametrize("name", known.RIGHT)
def test_a_sampler_with_the_exact_noise_lands_on_its_law(name: str) -> None:
    """Fails by chance less than once in a million runs; the seed is fixed besides."""
    found = known.distance(known.exact_samples(name, COUNT), known.RIGHT[name])
    assert found < known.critical(COUNT)


@pytest.mark.parametrize("name", known.WRONG)
def test_a_wrong_sampler_is_seen(name: str) -> None:
    """A reversed time order, and a missing factor 1/2."""
    found = known.distance(known.exact_samples(name, COUNT), known.WRONG[name])
    assert found > 2 * known.critical(COUNT)


def test_the_distance_of_laws_is_kolmogorovs() -> None:
    grid = (np.arange(1000) + 0.5) / 1000
    assert known.distance(grid, lambda x: x) == pytest.approx(0.0005)
    assert known.distance(grid, lambda x: x**2) == pytest.approx(0.25, abs=2e-3)


def test_a_linear_vae_reaches_probabilistic_pca() -> None:
    (row,) = known.linear_vae_check()
    assert row.holds, row.measured


def test_the_optimum_of_ppca_is_the_entropy_of_its_model() -> None:
    rng = np.random.default_rng(0)
    weights = np.array([[2.0], [1.0], [0.0]])
    points = rng.normal(size=(200_000, 1)) @ weights.T + 0.5 * rng.normal(size=(200_000, 3))
    cov = weights @ weights.T + 0.25 * np.eye(3)
    entropy = 0.5 * np.linalg.slogdet(2 * np.pi * np.e * cov)[1]
    assert known.ppca_nll(points, 1) == pytest.approx(entropy, abs=0.01)


def test_every_code_of_clustered_points_is_used() -> None:
    (row,) = known.vq_points_check()
    assert row.holds, row.measured
