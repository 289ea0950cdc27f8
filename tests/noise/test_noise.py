"""The generator against published vectors, and its distributions against their laws.

Failure budget: seeds are fixed, so a test either always passes or always fails; thresholds are set
so that a correct generator would fail with probability below 1e-6 per check under a random seed
(normal approximations beyond 5 sigma; Kolmogorov's bound 2 exp(-2 n D^2)).
"""

from __future__ import annotations

import hashlib
import math
import time

import numpy as np
import pytest

from gendsl.noise import Ahead, Noise, draw_key, philox_words

ONES = 0xFFFFFFFF


@pytest.mark.parametrize(
    ("counter", "key", "expected"),
    [
        ((0, 0, 0, 0), (0, 0), (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)),
        ((ONES,) * 4, (ONES, ONES), (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD)),
        (
            (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344),
            (0xA4093822, 0x299F31D0),
            (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1),
        ),
    ],
)
def test_known_answers(
    counter: tuple[int, ...], key: tuple[int, int], expected: tuple[int, ...]
) -> None:
    assert philox_words(counter, key) == expected


def test_key_and_counter_layout() -> None:
    digest = hashlib.sha256(b"7|train|vae.eps|2,5").digest()
    key = (int.from_bytes(digest[:4], "little"), int.from_bytes(digest[4:8], "little"))
    assert draw_key(7, "train", "vae.eps", (2, 5)) == key
    step = (3 << 32) | 9
    words = Noise(7, "train", step, first_example=100).words("vae.eps", 4, 11, (2, 5))[0]
    assert words.shape == (4, 3, 4)
    assert tuple(int(w) for w in words[2, 1]) == philox_words((1, 102, 9, 3), key)


def test_values_follow_from_words() -> None:
    noise = Noise(1, "eval", 4)
    words = noise.words("d", 1, 8)[0, 0]
    normal = noise.draw("d", "normal", (2, 4))
    u = (words.astype(float) + 0.5) / 2.0**32
    r, a = np.sqrt(-2 * np.log(u[1, 2])), 2 * np.pi * u[1, 3]
    assert normal[1, 2] == r * np.cos(a)
    assert normal[1, 3] == r * np.sin(a)
    assert np.array_equal(noise.draw("d", "uniform", (8,)), u.reshape(-1))
    bits = noise.draw("d", "bits", (8,), bound=10)
    assert bits.dtype == np.int64
    assert [int(b) for b in bits] == [int(w) * 10 // 2**32 for w in words.reshape(-1)]


@pytest.mark.parametrize("dist", ["normal", "uniform", "bits"])
@pytest.mark.parametrize("axis", [0, 1, 2])
def test_split_of_the_batch_does_not_matter(dist: str, axis: int) -> None:
    def draw(first: int, count: int) -> np.ndarray:
        shape = (3, 5)
        shape = (*shape[:axis], count, *shape[axis:])
        bound = 7 if dist == "bits" else None
        return Noise(3, "train", 12, first).draw("x", dist, shape, axis, (1,), bound, np.float32)

    whole = draw(0, 8)
    assert np.array_equal(whole, np.concatenate([draw(0, 3), draw(3, 5)], axis=axis))
    assert np.array_equal(np.take(whole, [6], axis=axis), draw(6, 1))


def test_every_part_of_the_identity_matters() -> None:
    base = Noise(0, "train", 0).draw("p", "uniform", (64,), 0)
    others = [
        Noise(1, "train", 0).draw("p", "uniform", (64,), 0),
        Noise(0, "eval", 0).draw("p", "uniform", (64,), 0),
        Noise(0, "train", 1).draw("p", "uniform", (64,), 0),
        Noise(0, "train", 1 << 32).draw("p", "uniform", (64,), 0),
        Noise(0, "train", 0).draw("q", "uniform", (64,), 0),
        Noise(0, "train", 0).draw("p", "uniform", (64,), 0, (0,)),
        Noise(0, "train", 0, 64).draw("p", "uniform", (64,), 0),
    ]
    for other in others:
        assert not np.any(base == other)
    assert np.array_equal(base, Noise(0, "train", 0).draw("p", "uniform", (64,), 0))


def _kolmogorov_p(sorted_cdf: np.ndarray) -> float:
    n = len(sorted_cdf)
    grid = np.arange(n)
    distance = max(np.max(sorted_cdf - grid / n), np.max((grid + 1) / n - sorted_cdf))
    return 2 * math.exp(-2 * n * distance * distance)


def test_uniform_law() -> None:
    values = Noise(11, "train", 5).draw("u", "uniform", (500, 200), 0)
    assert values.min() > 0 and values.max() < 1
    assert _kolmogorov_p(np.sort(values.reshape(-1))) > 1e-6
    assert abs(values.mean() - 0.5) < 5 * math.sqrt(1 / 12 / values.size)


def test_normal_law() -> None:
    values = Noise(12, "train", 5).draw("n", "normal", (500, 200), 0)
    n = values.size
    cdf = np.array([0.5 * math.erfc(-v / math.sqrt(2)) for v in np.sort(values.reshape(-1))])
    assert _kolmogorov_p(cdf) > 1e-6
    for power, mean, variance in ((1, 0, 1), (2, 1, 2), (3, 0, 15), (4, 3, 96)):
        error = np.mean(values**power) - mean
        assert abs(error) < 5 * math.sqrt(variance / n), power


def test_normal_has_no_correlation_within_and_between_examples() -> None:
    values = Noise(13, "train", 0).draw("n", "normal", (400, 64), 0)
    for shift, axis in ((1, 1), (2, 1), (4, 1), (1, 0), (7, 0)):
        product = values * np.roll(values, shift, axis)
        assert abs(product.mean()) < 5 / math.sqrt(values.size)


@pytest.mark.parametrize("bound", [2, 3, 10, 1000])
def test_bits_law(bound: int) -> None:
    n = 200_000
    values = Noise(14, "train", 0).draw("b", "bits", (n,), 0, (), bound)
    counts = np.bincount(values, minlength=bound)
    assert len(counts) == bound
    chi2 = float(np.sum((counts - n / bound) ** 2) / (n / bound))
    freedom = bound - 1
    # Wilson and Hilferty (1931): the cube root of chi2 / freedom is close to normal.
    spread = 2 / (9 * freedom)
    assert abs(((chi2 / freedom) ** (1 / 3) - (1 - spread)) / math.sqrt(spread)) < 5


def test_uniform_stays_below_one_in_float32() -> None:
    class Top(Noise):
        def words(
            self, path: str, examples: int, count: int, loop: tuple[int, ...] = (), steps: int = 1
        ) -> np.ndarray:
            return np.full((steps, examples, -(-count // 4), 4), ONES, dtype=np.uint64)

    values = Top(0, "train").draw("u", "uniform", (4,), dtype=np.float32)
    assert values.dtype == np.float32
    assert np.all(values == np.nextafter(np.float32(1), np.float32(0)))


def test_permutation() -> None:
    noise = Noise(3, "order", 2)
    order = noise.permutation("digits", 1000)
    assert np.array_equal(np.sort(order), np.arange(1000))
    assert np.array_equal(order, noise.permutation("digits", 1000))
    assert not np.array_equal(order, noise.at(3).permutation("digits", 1000))
    # Each position of 6000 permutations of 4 is uniform: 24 arrangements, chi2 with 23 freedoms.
    seen: dict[tuple[int, ...], int] = {}
    for step in range(6000):
        arrangement = tuple(int(i) for i in noise.at(step).permutation("p", 4))
        seen[arrangement] = seen.get(arrangement, 0) + 1
    assert len(seen) == 24
    assert sum((c - 250) ** 2 / 250 for c in seen.values()) < 23 + 5 * math.sqrt(46)


@pytest.mark.parametrize("dist", ["normal", "uniform", "bits"])
def test_drawing_ahead_gives_the_same(dist: str) -> None:
    ahead = Ahead()
    bound = 9 if dist == "bits" else None
    small = ("a", dist, (3, 5), 1, (), bound, np.float32)
    large = ("b", dist, (300, 500), 0, (), bound, np.float32)
    near = (1 << 32) - 3  # the step's halves change within what is made at once
    for step in (*range(near, near + 50), 7, 8, 6, 6, 7, 8, 9):
        noise = Noise(1, "train", step)
        assert np.array_equal(ahead.draw(noise, *small), noise.draw(*small)), step
        if step in (near, near + 1, 7):
            assert np.array_equal(ahead.draw(noise, *large), noise.draw(*large))
    other = Noise(2, "train", 9)
    assert np.array_equal(ahead.draw(other, *small), other.draw(*small))


def test_empty_and_scalar_shapes() -> None:
    noise = Noise(0, "train")
    assert noise.draw("a", "normal", ()).shape == ()
    assert noise.draw("a", "normal", (0, 3), 0).shape == (0, 3)
    assert noise.draw("a", "normal", (3, 0), 0).shape == (3, 0)
    assert noise.permutation("a", 0).shape == (0,)


def test_too_many_examples_are_refused() -> None:
    with pytest.raises(ValueError, match="32-bit"):
        Noise(0, "train", 0, (1 << 32) - 1).draw("a", "normal", (2,), 0)
    with pytest.raises(ValueError, match="bits"):
        Noise(0, "train").draw("a", "bits", (2,), 0)


def test_speed() -> None:
    """100 000 normals take milliseconds (the bound is far above, for slow and busy machines)."""
    noise = Noise(0, "train")
    best = math.inf
    for _ in range(5):
        start = time.perf_counter()
        noise.draw("a", "normal", (100, 1000), 0, dtype=np.float32)
        best = min(best, time.perf_counter() - start)
    assert best < 0.1
