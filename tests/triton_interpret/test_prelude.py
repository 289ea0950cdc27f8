"""The device functions under the interpreter: within a few ulp of float64, draws bit for bit."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import mpmath
import numpy as np
import pytest
import torch

from backends.triton_cuda import loader, prelude
from gendsl.noise import Noise, draw_key

Array = np.ndarray[Any, Any]
RNG = np.random.default_rng(0)
SPECIAL = [0.0, -0.0, math.inf, -math.inf, math.nan, 1e-45, 3.4e38, -3.4e38, 1.0, -1.0]

UNARY = """
@triton.jit
def kernel(x, y, N, BLOCK: tl.constexpr):
    i = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    tl.store(y + i, {name}(tl.load(x + i, mask=i < N, other=1.0)), mask=i < N)
"""

DRAW = """
@triton.jit
def kernel(keys, steps, y, EXAMPLES, COUNT, FIRST, BLOCK: tl.constexpr):
    i = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    value = {name}(
        tl.load(keys), tl.load(keys + 1), tl.load(steps), tl.load(steps + 1),
        FIRST + i // COUNT, i % COUNT{more}
    )
    tl.store(y + i, value, mask=i < EXAMPLES * COUNT)
"""


def kernel(text: str, name: str, more: str = "") -> Any:
    """The text with what it needs of the prelude, loaded."""
    head = "import triton\nimport triton.language as tl\n\n\n"
    made = head + prelude.source([name]) + "\n" + text.format(name=name, more=more)
    return loader.load("prelude_test", made)["kernel"]


def apply(name: str, x: Array) -> Array:
    y = torch.empty(len(x), dtype=torch.float32)
    block = 1 << 14
    grid = (-(-len(x) // block),)
    kernel(UNARY, name)[grid](torch.from_numpy(x), y, len(x), BLOCK=block)
    return y.numpy()


def spread(low: float, high: float) -> Array:
    """Ordinary, small and huge arguments of both signs, and the special ones."""
    parts = [
        RNG.uniform(-1, 1, 8000),
        RNG.uniform(-20, 20, 8000),
        RNG.uniform(-110, 95, 8000),
        np.ldexp(RNG.uniform(-1, 1, 8000), RNG.integers(-150, 128, 8000)),
        SPECIAL,
    ]
    x = np.concatenate(parts).astype(np.float32)
    return x[~((x < low) | (x > high))]


def logistic(x: Array) -> Array:
    small = np.exp(-np.abs(x))
    return np.where(x >= 0, 1, small) / (1 + small)


erf = np.vectorize(math.erf, otypes=[float])

# name -> float64 meaning, domain, error allowed in units in the last place
CASES: dict[str, tuple[Callable[[Array], Array], float, float, float]] = {
    "_exp": (np.exp, -math.inf, math.inf, 2),
    "_expm1": (np.expm1, -math.inf, math.inf, 2),
    "_log": (np.log, -1, math.inf, 2),
    "_log1p": (np.log1p, -1, math.inf, 2),
    "_sigmoid": (logistic, -math.inf, math.inf, 3),
    "_silu": (lambda x: x * logistic(x), -87, math.inf, 3),
    "_softplus": (lambda x: np.logaddexp(x, 0), -math.inf, math.inf, 3),
    "_tanh": (np.tanh, -math.inf, math.inf, 4),
    "_erf": (erf, -math.inf, math.inf, 4),
}


def ulps(actual: Array, expected: Array) -> Array:
    """Distance in units of float32 at the expected value; 0 where both are the same special."""
    rounded = expected.astype(np.float32)
    same = (actual == rounded) | (np.isnan(actual) & np.isnan(rounded))
    unit = np.spacing(np.abs(rounded)).astype(np.float64)
    distance = np.abs(actual.astype(np.float64) - expected) / unit
    return np.where(same, 0.0, np.where(np.isnan(distance), math.inf, distance))


@pytest.mark.parametrize("name", CASES)
def test_within_a_few_ulps(name: str) -> None:
    meaning, low, high, allowed = CASES[name]
    x = spread(low, high)
    with np.errstate(all="ignore"):
        distance = ulps(apply(name, x), meaning(x.astype(np.float64)))
    worst = int(np.argmax(distance))
    assert distance[worst] <= allowed, (x[worst], distance[worst])


@pytest.mark.parametrize("name", ["_sin", "_cos"])
def test_sine_and_cosine_of_every_argument(name: str) -> None:
    near = np.float32(math.pi / 4) * np.arange(-16, 17)
    x = np.concatenate(
        [
            RNG.uniform(-2000, 2000, 400),
            np.ldexp(RNG.uniform(-1, 1, 1000), RNG.integers(-140, 128, 1000)),
            near,
            near * (1 + 2e-7),
        ]
    ).astype(np.float32)
    with mpmath.workprec(300):
        meaning = mpmath.sin if name == "_sin" else mpmath.cos
        expected = np.array([float(meaning(mpmath.mpf(float(v)))) for v in x])
    assert ulps(apply(name, x), expected).max() <= 2
    assert np.all(np.isnan(apply(name, np.array([math.inf, -math.inf, math.nan], np.float32))))


def test_gelu_is_close_everywhere() -> None:
    x = spread(-1e30, 1e30)
    v = x.astype(np.float64)
    expected = 0.5 * v * (1 + erf(v * math.sqrt(0.5)))
    error = np.abs(apply("_gelu", x) - expected)
    assert np.all((error <= 3e-7 * np.abs(expected) + 6e-7) | np.isnan(x))


@pytest.mark.parametrize("exponent", [1 / 3, -1.5, 0.25])
def test_power(exponent: float) -> None:
    x = np.abs(spread(-1e30, 1e30))
    y = torch.empty(len(x), dtype=torch.float32)
    made = kernel(UNARY.replace("other=1.0)", f"other=1.0), {exponent}"), "_power")
    made[(1,)](torch.from_numpy(x), y, len(x), BLOCK=1 << 15)
    with np.errstate(all="ignore"):
        assert ulps(y.numpy(), np.power(x.astype(np.float64), exponent)).max() <= 1


@pytest.mark.parametrize(("name", "meaning"), [("_maximum", np.maximum), ("_minimum", np.minimum)])
def test_nan_is_not_hidden(name: str, meaning: Callable[..., Array]) -> None:
    x = np.array([1.0, -1.0, math.nan, math.inf, 0.0], np.float32)
    y = torch.empty(5, dtype=torch.float32)
    made = kernel(UNARY.replace("other=1.0)", "other=1.0), 0.0"), name)
    made[(1,)](torch.from_numpy(x), y, 5, BLOCK=8)
    assert np.array_equal(y.numpy(), meaning(x, np.float32(0)), equal_nan=True)


# ---- draws ---------------------------------------------------------------------------------


def words(values: tuple[int, int]) -> torch.Tensor:
    """Two words of 32 bits as the int32 that a kernel loads."""
    return torch.from_numpy(np.array(values, dtype=np.uint32).view(np.int32))


def drawn(dist: str, noise: Noise, examples: int, count: int, bound: int | None = None) -> Array:
    """What a kernel draws for `path`, examples by elements."""
    dtype = torch.int32 if dist == "bits" else torch.float32
    y = torch.empty(examples, count, dtype=dtype)
    made = kernel(DRAW, f"_{dist}", "" if bound is None else f", {bound}")
    key = words(draw_key(noise.seed, noise.stream, "path", ()))
    step = words((noise.step & 0xFFFFFFFF, noise.step >> 32))
    block = 64
    made[(-(-examples * count // block),)](
        key, step, y, examples, count, noise.first_example, BLOCK=block
    )
    return y.numpy()


NOISES = [
    Noise(0, "train"),
    Noise(7, "train", step=12345, first_example=96),
    Noise(2**40, "sample", step=2**33 + 5, first_example=2**31 - 9),
]
SHAPES = [(1, 1), (3, 5), (8, 64), (2, 7)]


@pytest.mark.parametrize("noise", NOISES, ids=str)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_uniforms_and_bits_are_those_of_the_cpu(noise: Noise, shape: tuple[int, int]) -> None:
    uniform = noise.draw("path", "uniform", shape, 0, dtype=np.float32)
    assert np.array_equal(drawn("uniform", noise, *shape), uniform)
    for bound in (1, 2, 10, 1000, 2**31 - 1):
        bits = noise.draw("path", "bits", shape, 0, bound=bound)
        assert np.array_equal(drawn("bits", noise, *shape, bound), bits)


@pytest.mark.parametrize("noise", NOISES, ids=str)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_normals_are_close_to_those_of_the_cpu(noise: Noise, shape: tuple[int, int]) -> None:
    expected = noise.draw("path", "normal", shape, 0)
    assert np.max(np.abs(drawn("normal", noise, *shape) - expected)) <= 1e-6


WORDS = """
@triton.jit
def kernel(words, y, z, N, BLOCK: tl.constexpr):
    i = tl.arange(0, BLOCK)
    first = tl.load(words + 2 * i, mask=i < N, other=1).to(tl.uint32)
    second = tl.load(words + 2 * i + 1, mask=i < N, other=1).to(tl.uint32)
    tl.store(y + 2 * i, _bell(first, second, i * 0), mask=i < N)
    tl.store(y + 2 * i + 1, {name}(first, second, i * 0 + 1), mask=i < N)
    tl.store(z + i, _unit(first), mask=i < N)
"""


def test_extreme_words() -> None:
    """Words that chance does not bring: uniforms stay below 1, radii are right to the last one."""
    given = np.array([0, 1, 2**31 - 1, 2**31, 2**32 - 2, 2**32 - 1], dtype=np.uint32)
    pairs = np.stack(np.meshgrid(given, given), -1).reshape(-1, 2)
    y, z = torch.empty(len(pairs), 2), torch.empty(len(pairs))
    made = kernel(prelude.source(["_unit"]) + WORDS, "_bell")
    made[(1,)](torch.from_numpy(pairs.view(np.int32)), y, z, len(pairs), BLOCK=64)
    unit = (pairs + 0.5) * 2.0**-32
    radius, angle = np.sqrt(-2 * np.log(unit[:, :1])), 2 * np.pi * unit[:, 1:]
    expected = radius * np.concatenate([np.cos(angle), np.sin(angle)], 1)
    assert np.max(np.abs(y.numpy() - expected) / radius) <= 5e-7
    assert z.max() < 1 and z.min() > 0


EXTREME = """
@triton.jit
def kernel(x, y, N: tl.constexpr, BLOCK: tl.constexpr):
    i = tl.arange(0, N)[:, None]
    j = tl.arange(0, BLOCK)[None, :]
    tl.store(y + tl.arange(0, N), {name}(tl.load(x + i * BLOCK + j), 1))
"""


@pytest.mark.parametrize(("name", "meaning"), [("_greatest", np.max), ("_least", np.min)])
def test_extremes_of_rows(name: str, meaning: Callable[..., Array]) -> None:
    """All bit patterns in their order, -0 below 0; nan, also a negative one, is the answer."""
    x = RNG.integers(0, 1 << 32, (64, 32), dtype=np.uint32).view(np.float32)
    x[:32] = np.where(np.isnan(x[:32]), np.float32(0.5), x[:32])
    x[40, 5] = np.copysign(np.float32(math.nan), np.float32(-1))
    x[1], x[2] = math.inf, -math.inf
    x[3, :16], x[3, 16:] = 0.0, -0.0
    y = torch.empty(64, dtype=torch.float32)
    kernel(EXTREME, name)[(1,)](torch.from_numpy(x), y, N=64, BLOCK=32)
    assert np.array_equal(y.numpy(), meaning(x, axis=1), equal_nan=True)
    assert bool(np.signbit(y.numpy()[3])) == (name == "_least")


RANK = """
@triton.jit
def kernel(x, y, N: tl.constexpr):
    i = tl.arange(0, N)
    tl.store(y + i, {name}(tl.load(x + i)))
"""


def test_ranks() -> None:
    """nan first, then -inf, apart from the least number; both zeros are one."""
    largest = np.finfo(np.float32).max
    order = [math.nan, -math.inf, -largest, -1.0, -1e-45, 0.0, 1e-45, largest, math.inf]
    x = np.array([*order, -0.0, *[math.nan] * 6], np.float32)
    y = torch.empty(16, dtype=torch.int32)
    kernel(RANK, "_rank")[(1,)](torch.from_numpy(x), y, N=16)
    assert np.all(np.diff(y.numpy()[:9].astype(np.int64)) > 0)
    assert int(y[9]) == int(y[5]) == 0 and int(y[10]) == int(y[0])
