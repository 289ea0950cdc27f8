"""Random draws that depend only on what they are for: Philox4x32-10 (Salmon et al., SC 2011).

In: a seed, a stream ("init", "order", "train", "eval", "sample"), a step, and per draw its path,
loop indices, shape and example axis. Out: numpy arrays. Always: the value of an example's element
is a function of these and of the *global* example index alone, so it does not depend on how
examples are split over batches or processes, on what else is drawn, or on the backend.

Note [Keys and counters]: the key is the first 8 bytes, as two little-endian 32-bit words, of
SHA-256("seed|stream|path|i,j,..."), where i, j are the loop indices. The counter is (block,
example, low half of step, high half of step). Within an example, elements are numbered row-major
over the axes other than the example axis; block b holds words 4b .. 4b + 3. Without an example
axis the whole tensor is "within" example 0.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from math import prod
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]
Circle = tuple[Callable[[Array], Array], Callable[[Array], Array]]

_MULTIPLIERS = (0xD2511F53, 0xCD9E8D57)
_WEYL = (0x9E3779B9, 0xBB67AE85)
_ROUNDS = 10
_MASK = 0xFFFFFFFF
_LIMIT = 1 << 32
# Operand of the fused multiplication in `philox`: rows are counter words 2 and 0, in this order.
_FACTORS = np.array([[_MULTIPLIERS[1]], [_MULTIPLIERS[0]]], dtype=np.uint64)
_LOW = np.uint64(_MASK)
_HALF = np.uint64(32)


def _round_keys(key: tuple[int, int]) -> list[Array]:
    return [
        np.array([[(k + i * w) & _MASK] for k, w in zip(key, _WEYL, strict=True)], dtype=np.uint64)
        for i in range(_ROUNDS)
    ]


def philox(counter: Array, round_keys: Sequence[Array]) -> Array:
    """Philox4x32 of counters `(4, n)`, one round per key; words come back as `(4, n)` uint64.

    Both multiplications of a round run as one array operation: `even` holds words (2, 0) and `odd`
    words (1, 3), which is the order in which the round's products land.
    """
    even, odd = counter[2::-2].copy(), counter[1::2].copy()
    product = np.empty_like(even)
    for key in round_keys:
        np.multiply(even, _FACTORS, out=product)
        np.right_shift(product, _HALF, out=even)
        np.bitwise_xor(even, odd, out=even)
        np.bitwise_xor(even, key, out=even)
        np.bitwise_and(product, _LOW, out=odd)
        even = even[::-1]
    result = np.empty_like(counter)
    result[2::-2], result[1::2] = even, odd
    return result


def philox_words(counter: Sequence[int], key: tuple[int, int]) -> tuple[int, ...]:
    """The four output words of one counter block (for known-answer tests and documentation)."""
    block = np.array(counter, dtype=np.uint64).reshape(4, 1)
    return tuple(int(w) for w in philox(block, _round_keys(key))[:, 0])


def draw_key(seed: int, stream: str, path: str, loop: Sequence[int] = ()) -> tuple[int, int]:
    """The Philox key of a draw; see Note [Keys and counters]."""
    text = f"{seed}|{stream}|{path}|{','.join(map(str, loop))}"
    digest = hashlib.sha256(text.encode()).digest()
    return int.from_bytes(digest[:4], "little"), int.from_bytes(digest[4:8], "little")


@lru_cache(maxsize=4096)
def _schedule(seed: int, stream: str, path: str, loop: tuple[int, ...]) -> list[Array]:
    return _round_keys(draw_key(seed, stream, path, loop))


@dataclass(frozen=True)
class Noise:
    """The draws of one step of one stream; `first_example` is the global index of example 0."""

    seed: int
    stream: str
    step: int = 0
    first_example: int = 0

    def at(self, step: int) -> Noise:
        """The same stream at another step."""
        return replace(self, step=step)

    def words(
        self, path: str, examples: int, count: int, loop: tuple[int, ...] = (), steps: int = 1
    ) -> Array:
        """`(steps, examples, blocks, 4)` words (uint64, below 2^32) that cover `count` words an
        example, for this step and those after it."""
        blocks = -(-count // 4)
        if blocks >= _LIMIT or self.first_example + examples > _LIMIT:
            raise ValueError(f"draw {path} exceeds the 32-bit counters: {examples} x {count}")
        step = np.arange(steps, dtype=np.uint64)[:, None, None] + np.uint64(self.step)
        example = np.arange(examples, dtype=np.uint64)[:, None] + np.uint64(self.first_example)
        counter = np.empty((4, steps, examples, blocks), dtype=np.uint64)
        counter[0] = np.arange(blocks, dtype=np.uint64)
        counter[1] = example
        counter[2] = step & _LOW
        counter[3] = step >> _HALF
        keys = _schedule(self.seed, self.stream, path, loop)
        out = philox(counter.reshape(4, -1), keys)
        return out.reshape(4, steps, examples, blocks).transpose(1, 2, 3, 0)

    def draw(
        self,
        path: str,
        dist: str,
        shape: tuple[int, ...],
        example_axis: int | None = None,
        loop: tuple[int, ...] = (),
        bound: int | None = None,
        dtype: Any = np.float64,
    ) -> Array:
        """Independent "normal", "uniform" or "bits" entries (see `gendsl.ops.leaf.Draw`).

        "bits" are int64 below `bound`; the others have `dtype`, computed in float64 first.
        """
        values = self.draws(path, dist, shape, example_axis, loop, bound, dtype, 1)
        return values.reshape(shape)

    def draws(
        self,
        path: str,
        dist: str,
        shape: tuple[int, ...],
        example_axis: int | None,
        loop: tuple[int, ...],
        bound: int | None,
        dtype: Any,
        steps: int,
        circle: Circle = (np.cos, np.sin),
    ) -> Array:
        """The draw for this step and those after it, along a new first axis of size `steps`;
        `circle` are cosine and sine of float64 arrays."""
        examples = 1 if example_axis is None else shape[example_axis]
        rest = shape if example_axis is None else _without(shape, example_axis)
        count = prod(rest)
        words = self.words(path, examples, count, loop, steps)
        match dist:
            case "normal":
                values = _normals(words, dtype, *circle)
            case "uniform":
                values = _uniforms(words, dtype)
            case "bits" if bound is not None and 0 < bound <= _LIMIT:
                values = ((words * np.uint64(bound)) >> _HALF).astype(np.int64)
            case _:
                raise ValueError(f"draw {path} of {dist}, bound {bound}")
        flat = values.reshape(steps, examples, words.shape[2] * 4)[:, :, :count]
        if example_axis is None:
            return np.ascontiguousarray(flat).reshape(steps, *shape)
        table = flat.reshape(steps, examples, *rest)
        return np.ascontiguousarray(np.moveaxis(table, 1, example_axis + 1))

    def permutation(self, path: str, size: int) -> Array:
        """A uniform permutation of 0 .. size - 1: the order of 64-bit keys, ties by position."""
        words = self.words(path, 1, 2 * size)[0].reshape(-1, 2)[:size]
        return np.argsort((words[:, 0] << _HALF) | words[:, 1], kind="stable")


# Draws of up to so many entries are made for several steps at once, at most for `_STEPS`.
_ENTRIES = 1 << 16
_STEPS = 32


class Ahead:
    """Makes small draws (those of no loop) for several steps at once when steps come in order,
    which saves most of what a draw costs; the values are the same. One instance serves one
    training loop."""

    def __init__(self, circle: Circle = (np.cos, np.sin)) -> None:
        self._circle = circle
        self._made: dict[tuple[object, ...], tuple[int, Array]] = {}

    def draw(
        self,
        noise: Noise,
        path: str,
        dist: str,
        shape: tuple[int, ...],
        example_axis: int | None = None,
        loop: tuple[int, ...] = (),
        bound: int | None = None,
        dtype: Any = np.float64,
    ) -> Array:
        """As `noise.draw`; the result is not to be changed."""
        if loop or prod(shape) > _ENTRIES // 2:
            found = noise.draws(
                path, dist, shape, example_axis, loop, bound, dtype, 1, self._circle
            )
            return found.reshape(shape)
        key = (noise.seed, noise.stream, noise.first_example, path, shape, example_axis, dtype)
        start, values = self._made.get(key, (-1, None))
        if values is None or not start <= noise.step < start + len(values):
            follows = values is not None and noise.step == start + len(values)
            steps = min(_STEPS, _ENTRIES // max(1, prod(shape))) if follows else 1
            args = (path, dist, shape, example_axis, loop, bound, dtype)
            start, values = noise.step, noise.draws(*args, steps, self._circle)
            self._made[key] = (start, values)
        made: Array = values[noise.step - start]
        return made


def _without(shape: tuple[int, ...], axis: int) -> tuple[int, ...]:
    return shape[:axis] + shape[axis + 1 :]


def _unit(words: Array) -> Array:
    """Words as float64 in the open interval (0, 1)."""
    values = words.view(np.int64).astype(np.float64)  # faster than from unsigned words
    values += 0.5
    values *= 2.0**-32
    return values


def _uniforms(words: Array, dtype: Any) -> Array:
    """Uniform on (0, 1). A narrow dtype would round the topmost words to 1, where log(1 - u) is
    infinite: they become the largest value below 1."""
    values: Array = _unit(words).astype(dtype)
    below_one = np.nextafter(values.dtype.type(1), values.dtype.type(0))
    np.minimum(values, below_one, out=values)
    return values


def _normals(
    words: Array,
    dtype: Any,
    cosine: Callable[[Array], Array],
    sine: Callable[[Array], Array],
) -> Array:
    """Box and Muller (1958): words (0, 1) give a cosine and a sine value, words (2, 3) likewise."""
    values = np.empty(words.shape, dtype=dtype)
    for first in (0, 2):
        radius = _unit(words[..., first])
        np.log(radius, out=radius)
        radius *= -2.0
        np.sqrt(radius, out=radius)
        angle = _unit(words[..., first + 1])
        angle *= 2.0 * np.pi
        values[..., first] = radius * cosine(angle)
        values[..., first + 1] = radius * sine(angle)
    return values
