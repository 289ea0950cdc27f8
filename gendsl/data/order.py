"""Which examples a step sees, and which are held out: functions of counters, without state.

Step s of batch size b covers positions s*b .. s*b + b - 1 of the endless sequence made of epoch 0,
epoch 1, ...; each epoch is its own permutation of 0 .. n - 1, so a batch may take the end of one
and the start of the next. A permutation sorts 64-bit keys from Philox (two words per example), a
stable integer sort, hence the same on every machine and numpy version.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from gendsl.diagnostics.counted import counted
from gendsl.diagnostics.model import fail
from gendsl.noise import Noise

Indices = npt.NDArray[np.int64]

# One example in this many is held out when a set has no test part of its own.
HELD_OUT_SHARE = 5


def permutation(n: int, seed: int, path: str, epoch: int) -> Indices:
    """The permutation of 0 .. n - 1 that belongs to (seed, path, epoch)."""
    (words,) = Noise(seed, "order").at(epoch).words(path, n, 2)
    keys: npt.NDArray[Any] = (words[:, 0, 0] << np.uint64(32)) | words[:, 0, 1]
    return np.argsort(keys, kind="stable").astype(np.int64)


@lru_cache(maxsize=4)
def _epoch(n: int, seed: int, epoch: int) -> Indices:
    """Kept for the few epochs that neighbouring steps share: only speed depends on it."""
    order = permutation(n, seed, "epoch", epoch)
    order.flags.writeable = False
    return order


def batch_indices(n: int, batch: int, seed: int, step: int) -> Indices:
    """The `batch` examples, of `n`, that step `step` (from 0) of a run with `seed` trains on."""
    if batch > n:
        raise fail(
            "E1027",
            f"batch of {batch:,}, but the data has only {counted(n, 'training example')}",
            help=f"set the batch size to {n} or less",
        )
    if batch < 1 or step < 0:
        raise ValueError(f"batch_indices of batch {batch}, step {step}")
    epoch, offset = divmod(step * batch, n)
    order = _epoch(n, seed, epoch)
    first = order[offset : offset + batch]
    if len(first) == batch:
        return first
    return np.concatenate([first, _epoch(n, seed, epoch + 1)[: batch - len(first)]])


def held_out_split(n: int, data_hash: str) -> tuple[Indices, Indices]:
    """(training rows, held-out rows), each ascending: the last fifth of a permutation that only
    the content of the data fixes, so no seed ever moves an example between them."""
    if n < 2:
        raise fail(
            "E1028",
            f"{n} example cannot be split into a training and a held-out part",
            help="give at least two examples, or a set with a test part of its own",
        )
    order = permutation(n, int(data_hash[:16], 16), "held out", 0)
    held = max(1, n // HELD_OUT_SHARE)
    return np.sort(order[: n - held]), np.sort(order[n - held :])
