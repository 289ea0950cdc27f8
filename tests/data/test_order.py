"""Batch order and split: functions of counters, permutations, fixed for good."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from gendsl.data.order import _epoch, batch_indices, held_out_split, permutation
from tests.data.making import refused

SEEDS = st.integers(0, 2**63)
HASHES = st.integers(0, 2**256 - 1).map(lambda value: f"{value:064x}")


@settings(deadline=None)
@given(st.integers(1, 60), st.data(), SEEDS, st.integers(0, 4))
def test_each_epoch_is_a_permutation(n: int, data, seed: int, epoch: int) -> None:
    batch = data.draw(st.integers(1, n))
    steps = -(-(epoch + 1) * n // batch)
    seen = np.concatenate([batch_indices(n, batch, seed, step) for step in range(steps)])
    window = seen[epoch * n : (epoch + 1) * n]
    assert sorted(window.tolist()) == list(range(n))


@settings(deadline=None)
@given(st.integers(1, 40), st.data(), SEEDS, st.integers(0, 10**12))
def test_any_step_by_itself(n: int, data, seed: int, step: int) -> None:
    batch = data.draw(st.integers(1, n))
    there = batch_indices(n, batch, seed, step).tolist()
    _epoch.cache_clear()
    assert batch_indices(n, batch, seed, step).tolist() == there
    assert len(there) == batch


@settings(deadline=None)
@given(st.integers(2, 50), st.data(), SEEDS, st.integers(0, 1000))
def test_batches_are_cuts_of_one_sequence(n: int, data, seed: int, step: int) -> None:
    """Two batches of b are one of 2b: the sequence does not depend on the batch size."""
    batch = data.draw(st.integers(1, n // 2))
    two = [batch_indices(n, batch, seed, 2 * step + i) for i in range(2)]
    assert np.concatenate(two).tolist() == batch_indices(n, 2 * batch, seed, step).tolist()


def test_the_order_is_fixed_for_good() -> None:
    assert batch_indices(10, 4, 0, 0).tolist() == [7, 5, 1, 9]
    assert batch_indices(10, 4, 0, 2).tolist() == [8, 4, 8, 9]
    train, held = held_out_split(10, "0" * 64)
    assert held.tolist() == [1, 9] and sorted([*train, *held]) == list(range(10))


def test_seeds_epochs_and_paths_differ() -> None:
    orders = [
        permutation(50, seed, path, epoch).tolist()
        for seed in (0, 1)
        for path in ("epoch", "held out")
        for epoch in (0, 1)
    ]
    assert len({tuple(order) for order in orders}) == 8


def test_first_places_are_uniform() -> None:
    """Each of 5 examples leads about a fifth of 4,000 epochs: chi-square with 4 degrees of freedom
    exceeds 40 with probability 4e-8."""
    leads = np.bincount([permutation(5, 7, "epoch", e)[0] for e in range(4000)], minlength=5)
    assert ((leads - 800) ** 2 / 800).sum() < 40


@settings(deadline=None)
@given(st.integers(2, 200), HASHES)
def test_split_partitions(n: int, data_hash: str) -> None:
    train, held = held_out_split(n, data_hash)
    assert sorted([*train.tolist(), *held.tolist()]) == list(range(n))
    assert len(held) == max(1, n // 5)
    assert (np.diff(train) > 0).all() and (np.diff(held) > 0).all()


def test_split_depends_on_the_content_only() -> None:
    first = [held_out_split(1797, f"{value:064x}")[1].tolist() for value in (5 << 200, 6 << 200)]
    assert first[0] != first[1]
    assert held_out_split(1797, f"{5 << 200:064x}")[1].tolist() == first[0]


def test_refusals() -> None:
    found = refused("E1027", lambda: batch_indices(10, 11, 0, 0), "batch of 11", "10")
    assert "10 or less" in str(found.help)
    refused("E1028", lambda: held_out_split(1, "0" * 64))
