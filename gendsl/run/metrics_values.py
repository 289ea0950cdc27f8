"""What the named values of an objective say on a whole part of the data: likelihood bounds, active
units, use of a codebook, quality of reconstructions.

In: arrays over all examples of the part, as the compiled graph gave them. Out: numbers. Always: in
nats, and averaged over examples with equal weight.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]

ACTIVE = 0.01  # Burda, Grosse & Salakhutdinov 2016: variance of the posterior mean over examples


def log_density(dist: str, value: Array, arguments: Mapping[str, Array]) -> Array | None:
    """log p of each example (the first axis); None for a law that has none here."""
    x = value.astype(np.float64)
    a = {key: np.asarray(v, dtype=np.float64) for key, v in arguments.items()}
    if dist == "normal" and "var" in a:
        each = -0.5 * (np.log(2 * np.pi * a["var"]) + (x - a["mean"]) ** 2 / a["var"])
    elif dist == "bernoulli" and "logits" in a:
        each = x * a["logits"] - np.logaddexp(0.0, a["logits"])
    elif dist == "bernoulli":
        each = x * np.log(a["mean"]) + (1 - x) * np.log1p(-a["mean"])
    else:
        return None
    found: Array = np.broadcast_to(each, x.shape).reshape(len(x), -1).sum(1)
    return found


def iwae(log_weights: Array) -> tuple[float, float]:
    """-mean log (1/k) sum_k w of (k, n) log weights (Burda et al. 2016), and its standard error
    over the examples."""
    top = log_weights.max(0)
    bound = -(top + np.log(np.exp(log_weights - top).mean(0)))
    return float(bound.mean()), float(bound.std(ddof=1) / np.sqrt(len(bound)))


def active_units(means: Array) -> int:
    """How many latent coordinates have a posterior mean that varies over the data."""
    return int((means.reshape(len(means), -1).var(0) > ACTIVE).sum())


@dataclass(frozen=True)
class CodeUse:
    """`perplexity` is exp of the entropy of how often each code is used; `dead` ones are never."""

    codes: int
    perplexity: float
    dead: int


def code_use(indices: Array, codes: int) -> CodeUse:
    counts = np.bincount(indices.reshape(-1).astype(np.int64), minlength=codes)
    shares = counts[counts > 0] / counts.sum()
    return CodeUse(codes, float(np.exp(-(shares * np.log(shares)).sum())), int((counts == 0).sum()))


def psnr(original: Array, shown: Array, width: float) -> float:
    """10 log10(width^2 / mean squared error), averaged over pictures; `width` is the range's."""
    gap = (original.astype(np.float64) - shown.astype(np.float64)).reshape(len(original), -1)
    return float(np.mean(10 * np.log10(width**2 / np.maximum((gap**2).mean(1), 1e-12))))
