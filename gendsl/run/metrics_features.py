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
_BLOCK = 100  # examples in one of the blocks whose spread is the KID's standard error


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
    features scaled to unit average variance of `b`; with its standard error over blocks."""
    scale = np.sqrt(b.var(0).mean()) or 1.0
    a, b = a / scale, b / scale
    count = max(1, min(len(a), len(b)) // _BLOCK)
    pairs = zip(np.array_split(a, count), np.array_split(b, count), strict=True)
    blocks = [_mmd(x, y) for x, y in pairs]
    error = float(np.std(blocks, ddof=1) / np.sqrt(count)) if count > 1 else float("nan")
    return _mmd(a, b), error


def _mmd(a: Array, b: Array) -> float:
    n, m = len(a), len(b)
    within_a, within_b, between = _kernel(a, a), _kernel(b, b), _kernel(a, b)
    own_a = (within_a.sum() - np.trace(within_a)) / (n * (n - 1))
    own_b = (within_b.sum() - np.trace(within_b)) / (m * (m - 1))
    return float(own_a + own_b - 2 * between.mean())


def _kernel(a: Array, b: Array) -> Array:
    found: Array = (a @ b.T / a.shape[1] + 1) ** 3
    return found


def nearest(samples: Array, train: Array) -> tuple[Array, Array]:
    """For each sample, the row of the closest training example, and its Euclidean distance."""
    a, b = _flat(samples), _flat(train)
    squared = (a**2).sum(1)[:, None] - 2 * a @ b.T + (b**2).sum(1)
    rows = squared.argmin(1)
    return rows, np.sqrt(np.clip(squared[np.arange(len(a)), rows], 0, None))
