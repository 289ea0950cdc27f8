"""Integers: what is decided or simplified holds at random sizes and variables."""

from __future__ import annotations

import random

import pytest

from gendsl.validate import merge
from gendsl.validate import value as v
from gendsl.validate import whole as w
from gendsl.validate.meaning import offset, places
from gendsl.validate.normal import equal
from gendsl.validate.whole import Unit, Whole

SIZES = [w.size(name) for name in ("M", "N", "BLOCK")]


def number(p: Whole, at: dict[Unit, int]) -> int:
    """The value, by the definition of each unit."""
    total = 0
    for m, c in p.terms.items():
        for a, e in m:
            c *= unit(a, at) ** e
        total += c
    return total


def unit(a: Unit, at: dict[Unit, int]) -> int:
    if a.kind == "div":
        return number(a.args[0], at) // number(a.args[1], at)
    return at[a]


def assignment(rng: random.Random, variables: list[Unit]) -> dict[Unit, int]:
    found = {next(iter(s.atoms)): rng.randint(1, 6) for s in SIZES}
    for i in variables:
        found[i] = rng.randrange(number(i.args[1], found))
    return found


def expression(rng: random.Random, units: list[Whole], depth: int) -> Whole:
    if not depth or rng.random() < 0.2:
        return rng.choice([*units, w.number(rng.randint(-3, 4))])
    a, b = (expression(rng, units, depth - 1) for _ in range(2))
    match rng.randrange(5):
        case 0:
            return a + b
        case 1:
            return a - b
        case 2:
            return a * b
        case 3:
            return w.floordiv(a, rng.choice([*SIZES, w.number(rng.randint(1, 4))]))
        case _:
            return w.modulo(a, rng.choice([*SIZES, w.number(rng.randint(1, 4))]))


@pytest.mark.parametrize("seed", range(6))
def test_decisions_hold_at_random_points(seed: int) -> None:
    rng = random.Random(seed)
    variables = [w.variable(s) for s in (SIZES[0], SIZES[1], SIZES[0] * SIZES[1], w.number(5))]
    units = [*SIZES, *map(w.of_unit, variables)]
    decided = 0
    for _ in range(120):
        p = expression(rng, units, 3)
        points = [assignment(rng, variables) for _ in range(12)]
        if w.nonnegative(p):
            decided += 1
            assert all(number(p, at) >= 0 for at in points), p
        q = rng.choice(SIZES)
        quotient, rest = w.floordiv(p, q), w.modulo(p, q)
        test = v.at_least(p, w.ZERO)
        for at in points:
            a, b = number(p, at), number(q, at)
            assert number(quotient, at) == a // b, (p, q)
            assert number(rest, at) == a % b, (p, q)
            assert truth(test, at) == (a >= 0), (p, test)
    assert decided > 10


def truth(t: v.Value, at: dict[Unit, int]) -> bool:
    return bool(t.args[0]) if t.kind == "truth" else number(t.args[0], at) >= 0


def test_places_undo_offset() -> None:
    shape = (w.size("A"), w.size("B"), w.number(3))
    at = tuple(w.of_unit(w.variable(d)) for d in shape)
    assert places(offset(at, shape), shape) == at


def entry(at: Whole) -> v.Value:
    return v.get("x", at)


def tiles(count: Whole, block: Whole) -> tuple[Unit, Unit, Whole]:
    t, r = w.variable(count), w.variable(block)
    return t, r, w.of_unit(t) * block + w.of_unit(r)


N, BLOCK = w.size("N"), w.size("BLOCK")


def test_a_sum_over_tiles_is_a_sum_over_elements() -> None:
    t, r, i = tiles(w.cdiv(N, BLOCK), BLOCK)
    j = w.variable(N)
    masked = v.where(v.at_least(N - 1, i), entry(i), v.ZERO)
    assert equal(v.total([t, r], masked), v.total([j], entry(w.of_unit(j)))) is None


@pytest.mark.parametrize(
    "case", ["unmasked", "too few tiles", "wrong bound", "padding of one", "double"]
)
def test_other_sums_over_tiles_are_not(case: str) -> None:
    count = w.floordiv(N, BLOCK) if case == "too few tiles" else w.cdiv(N, BLOCK)
    t, r, i = tiles(count, BLOCK)
    bound = N - 1 if case == "wrong bound" else N
    other = v.ONE if case == "padding of one" else v.ZERO
    body = v.where(v.at_least(bound - 1, i), entry(i), other)
    if case == "unmasked":
        body = entry(i)
    found = v.total([t, r], body)
    found = v.add(found, found) if case == "double" else found
    j = w.variable(N)
    assert equal(found, v.total([j], entry(w.of_unit(j)))) is not None


def test_pairs_merge_only_where_the_address_is_their_number() -> None:
    t, r, i = tiles(w.size("T"), BLOCK)
    assert merge.pair([t, r], [entry(i)]) is not None
    assert merge.pair([t, r], [entry(i + w.of_unit(t))]) is None
    assert merge.pair([t, r], [entry(i), entry(w.of_unit(r))]) is None
