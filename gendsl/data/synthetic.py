"""Made data with a known optimum, to test that training reaches it: `synthetic:ring8`,
`synthetic:gauss(d)`.

The points come from the counter-based generator and are rounded to multiples of 2^-12, so that the
last bit of a machine's cosine cannot change the data hash.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np

from gendsl.data.dataset import LABEL, VALUE, Array, Dataset, RawPart, assemble
from gendsl.diagnostics.model import fail
from gendsl.noise import Noise

PREFIX = "synthetic:"
IN_PROGRAMS = "synthetic_"  # the same in a program's `from`, where a name has no colon
TRAIN, TEST = 4096, 1024
MODES = 8
RING_STD = 0.05
GRID = 4096.0
LARGEST = 256


@dataclass(frozen=True)
class LinearGaussian:
    """x = W z + noise_std * e with z, e standard normal: its best model is known in closed form."""

    weights: Array
    noise_std: float

    @property
    def covariance(self) -> Array:
        size = self.weights.shape[0]
        cov: Array = self.weights @ self.weights.T + self.noise_std**2 * np.eye(size)
        return cov

    @property
    def entropy(self) -> float:
        """The mean negative log-likelihood, in nats, of the true model: no model does better."""
        size = self.weights.shape[0]
        _, logdet = np.linalg.slogdet(self.covariance)
        return float(0.5 * (size * np.log(2 * np.pi) + size + logdet))


def linear_gaussian(size: int) -> LinearGaussian:
    """The model behind `synthetic:gauss(size)`: latent size max(1, size // 2), fixed weights."""
    latent = max(1, size // 2)
    rows, columns = np.arange(size)[:, None], np.arange(latent)[None, :]
    # A cosine basis is well conditioned; the falling scale tells the latent axes apart.
    basis = np.cos(np.pi * (rows + 0.5) * (columns + 1) / (size + 1))
    return LinearGaussian(basis * (1.5 / (1 + columns)), 0.5)


def make(name: str) -> Dataset:
    """The set that `synthetic:...` names; E1030 for a name that is not one."""
    spec = name.removeprefix(PREFIX)
    if spec == f"ring{MODES}":
        return _ring(name)
    match = re.fullmatch(r"gauss(?:\((\d+)\)|(\d+))", spec)
    size = int(match[1] or match[2]) if match else 0
    if not 1 <= size <= LARGEST:
        raise fail(
            "E1030",
            f"no synthetic data set `{name}`",
            help=f"there are `synthetic:ring{MODES}` and "
            f"`synthetic:gauss(d)` with d from 1 to {LARGEST}",
        )
    return _gauss(name, size)


def _normal(path: str, shape: tuple[int, ...]) -> Array:
    draw: Array = Noise(0, "data").draw(path, "normal", shape, example_axis=0)
    return draw


def _part(values: Array, labels: Array | None, name: str, first: int, last: int) -> RawPart:
    arrays = {VALUE: (np.round(values * GRID) / GRID).astype(np.float32)[first:last]}
    if labels is not None:
        arrays[LABEL] = labels[first:last]
    return RawPart(arrays, dict.fromkeys(arrays, name))


def _ring(name: str) -> Dataset:
    """Eight narrow normals on the unit circle, equally many points each; labels are the mode."""
    count = TRAIN + TEST
    labels = np.arange(count) % MODES
    angles = 2 * np.pi * labels / MODES
    centres = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    values = centres + RING_STD * _normal("ring", (count, 2))
    return assemble(
        name,
        _part(values, labels, name, 0, TRAIN),
        _part(values, labels, name, TRAIN, count),
        provenance=f"made: {MODES} normals of std {RING_STD} on the unit circle",
        licence="none needed",
    )


def _gauss(name: str, size: int) -> Dataset:
    count, model = TRAIN + TEST, linear_gaussian(size)
    z = _normal("gauss z", (count, model.weights.shape[1]))
    values = z @ model.weights.T + model.noise_std * _normal("gauss noise", (count, size))
    return assemble(
        name,
        _part(values, None, name, 0, TRAIN),
        _part(values, None, name, TRAIN, count),
        provenance=f"made: x = W z + {model.noise_std} e, entropy {model.entropy:.4f} nats",
        licence="none needed",
    )
