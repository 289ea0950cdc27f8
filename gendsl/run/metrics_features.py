"""Distances between samples and data on declared features.

In: two arrays of examples. Out: a Fréchet distance and a KID. The features are principal components
of the training part, so the numbers compare runs on the same data with each other and with nothing
else: neither is the FID, which is defined by one fixed network.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]

COMPONENTS = 32


@dataclass(frozen=True)
class Features:
    """x -> (x - mean) basis: coordinates along the leading principal axes."""

    mean: Array
    basis: Array

    @staticmethod
    def of(train: Array, components: int = COMPONENTS) -> Features:
        """Fitted on the training part; at most as many as there are dimensions or examples."""
        flat = _flat(train)
        mean = flat.mean(0)
        _, _, axes = np.linalg.svd(flat - mean, full_matrices=False)
        return Features(mean, axes[:components].T)

    def __call__(self, examples: Array) -> Array:
        found: Array = (_flat(examples) - self.mean) @ self.basis
        return found

    @property
    def description(self) -> str:
        return f"{self.basis.shape[1]} leading principal components of the training part"


def _flat(examples: Array) -> Array:
    return np.asarray(examples, dtype=np.float64).reshape(len(examples), -1)


def frechet(a: Array, b: Array) -> float:
    """|m_a - m_b|^2 + tr(C_a + C_b - 2 (C_a C_b)^(1/2)) of the Gaussians fitted to both."""
    gap = a.mean(0) - b.mean(0)
    cov_a, cov_b = np.atleast_2d(np.cov(a, rowvar=False)), np.atleast_2d(np.cov(b, rowvar=False))
    values, vectors = np.linalg.eigh(cov_a)
    root = (vectors * np.sqrt(np.clip(values, 0, None))) @ vectors.T
    # The product's eigenvalues are those of the symmetric root C_b root, which are real.
    cross = np.sqrt(np.clip(np.linalg.eigvalsh(root @ cov_b @ root), 0, None)).sum()
    return float(gap @ gap + np.trace(cov_a) + np.trace(cov_b) - 2 * cross)


def kid(a: Array, b: Array) -> tuple[float, float]:
    """The unbiased squared MMD with the kernel (x.y / d + 1)^3 (Bińkowski et al. 2018) over
    features scaled to unit average variance of `b`; with its standard error by the jackknife, which
    takes three examples on either side (nan for fewer)."""
    scale = np.sqrt(b.var(0).mean()) or 1.0
    a, b = a / scale, b / scale
    n, m = len(a), len(b)
    between = _kernel(a, b)
    rows_a, rows_b = _others(a), _others(b)
    own_a, own_b = rows_a.sum() / (n * (n - 1)), rows_b.sum() / (m * (m - 1))
    value = float(own_a + own_b - 2 * between.mean())
    if min(n, m) < 3:
        return value, float("nan")
    spread = _left_out(rows_a, between.sum(1), m) + _left_out(rows_b, between.sum(0), n)
    return value, float(np.sqrt(spread))


def _others(examples: Array) -> Array:
    """For each example, the sum of the kernel over all the others."""
    kernel = _kernel(examples, examples)
    found: Array = kernel.sum(1) - np.diagonal(kernel)
    return found


def _left_out(own: Array, across: Array, other: int) -> float:
    """The jackknife's variance over one of the two samples (Arvesen 1969): that of the estimates
    which leave out one of its n examples each, times n - 1. `own` and `across` are sums of the
    kernel for each of these examples, over the rest of its sample and over the other sample."""
    n = len(own)
    within = (own.sum() - 2 * own) / ((n - 1) * (n - 2))
    between = (across.sum() - across) / ((n - 1) * other)
    return float((n - 1) * np.var(within - 2 * between))


def _kernel(a: Array, b: Array) -> Array:
    found: Array = (a @ b.T / a.shape[1] + 1) ** 3
    return found


def nearest(samples: Array, train: Array) -> tuple[Array, Array]:
    """For each sample, the row of the closest training example, and its Euclidean distance."""
    a, b = _flat(samples), _flat(train)
    squared = (a**2).sum(1)[:, None] - 2 * a @ b.T + (b**2).sum(1)
    rows = squared.argmin(1)
    return rows, np.sqrt(np.clip(squared[np.arange(len(a)), rows], 0, None))
