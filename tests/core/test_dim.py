"""Sizes are a ring with exact division; conditions say exactly when a quotient is a size."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gendsl.core.conditions import decide, holds
from gendsl.shape.dim import ONE, ZERO, Dim

NAMES = ("A", "B", "C")
NUMBERS = st.integers(-4, 6)


def polynomials(depth: int = 3) -> st.SearchStrategy[Dim]:
    """Polynomials over the names, built by the operations themselves."""
    leaf = st.one_of(NUMBERS.map(Dim.of), st.sampled_from(NAMES).map(Dim.name))
    return st.recursive(
        leaf,
        lambda part: st.one_of(
            st.tuples(part, part).map(lambda p: p[0] + p[1]),
            st.tuples(part, part).map(lambda p: p[0] - p[1]),
            st.tuples(part, part).map(lambda p: p[0] * p[1]),
        ),
        max_leaves=depth * 2,
    )


DIMS = polynomials()
MONOMIALS = st.tuples(st.integers(1, 6), st.lists(st.sampled_from(NAMES), max_size=3)).map(
    lambda p: Dim.product([Dim.of(p[0]), *(Dim.name(n) for n in p[1])])
)
SIZES = st.fixed_dictionaries({n: st.integers(1, 12) for n in NAMES})


@given(DIMS, DIMS, DIMS)
def test_ring_laws(a: Dim, b: Dim, c: Dim) -> None:
    assert a + b == b + a
    assert a * b == b * a
    assert (a + b) + c == a + (b + c)
    assert (a * b) * c == a * (b * c)
    assert a * (b + c) == a * b + a * c
    assert a + ZERO == a == a * ONE
    assert a - a == ZERO == a * ZERO


@given(DIMS, DIMS, SIZES)
def test_evaluation_is_a_homomorphism(a: Dim, b: Dim, sizes: dict[str, int]) -> None:
    assert (a + b).evaluate(sizes) == a.evaluate(sizes) + b.evaluate(sizes)
    assert (a * b).evaluate(sizes) == a.evaluate(sizes) * b.evaluate(sizes)


@given(DIMS, DIMS, SIZES)
def test_equal_objects_are_equal_sizes(a: Dim, b: Dim, sizes: dict[str, int]) -> None:
    if a == b:
        assert a.evaluate(sizes) == b.evaluate(sizes)
    elif not (a - b).names:
        assert a.evaluate(sizes) != b.evaluate(sizes)


@given(DIMS, DIMS, SIZES)
def test_substitution_then_evaluation(a: Dim, b: Dim, sizes: dict[str, int]) -> None:
    replaced = a.substitute({"A": b, "B": Dim.name("A")})
    by_hand = {**sizes, "A": b.evaluate(sizes), "B": sizes["A"]}
    assert replaced.evaluate(sizes) == a.evaluate(by_hand)  # type: ignore[arg-type]


@given(DIMS, MONOMIALS, SIZES)
def test_division_undoes_multiplication(a: Dim, m: Dim, sizes: dict[str, int]) -> None:
    quotient = a.divide(m)
    assert quotient is not None
    assert quotient * m == a
    assert quotient.evaluate(sizes) == Fraction(a.evaluate(sizes)) / m.evaluate(sizes)
    assert (a * m).divide(m) == a


@given(DIMS, DIMS)
def test_division_by_a_sum_is_exact_or_refused(a: Dim, b: Dim) -> None:
    if b.terms:
        product = (a * b).divide(b)
        assert product == a
        quotient = a.divide(b)
        assert quotient is None or quotient * b == a


def test_division_by_a_sum_with_quotients() -> None:
    a, b, p = (Dim.name(n) for n in ("A", "B", "P"))
    patches = a.divide(p)
    assert patches is not None
    assert (patches * (a + b)).divide(a + b) == patches
    assert (patches + 1).divide(a + p) == ONE.divide(p)
    assert (a * b + 1).divide(a + b) is None


def test_division_by_zero_is_refused() -> None:
    assert Dim.name("A").divide(0) is None


@given(DIMS, MONOMIALS, SIZES)
def test_divisibility_says_when_a_quotient_is_whole(a: Dim, m: Dim, sizes: dict[str, int]) -> None:
    quotient = a.divide(m)
    assert quotient is not None
    whole = quotient.evaluate(sizes).denominator == 1
    stated = all(
        holds("divides", divisor * factor, dividend, sizes)
        for factor, divisor, dividend in quotient.divisibility
    )
    assert whole == stated
    for _, divisor, dividend in quotient.divisibility:
        assert not divisor.divisibility and not dividend.divisibility


@settings(max_examples=200)
@given(st.sampled_from(["divides", "positive", "equal"]), MONOMIALS, DIMS, SIZES)
def test_decisions_hold_for_all_sizes(kind: str, d: Dim, e: Dim, sizes: dict[str, int]) -> None:
    verdict = decide(kind, ONE if kind == "positive" else d, e)
    if verdict is not None:
        assert holds(kind, d, e, sizes) is verdict


@pytest.mark.parametrize(
    ("text", "dim"),
    [
        ("2*Z", Dim.name("Z") * 2),
        ("H*W + 2*H + 1", Dim.name("W") * Dim.name("H") + Dim.name("H") * 2 + 1),
        ("H / 4", Dim.name("H").divide(4)),
        ("H*W / P^2", (Dim.name("H") * Dim.name("W")).divide(Dim.name("P") * Dim.name("P"))),
        ("-T + 1", 1 - Dim.name("T")),
        ("0", ZERO),
    ],
)
def test_text(text: str, dim: Dim) -> None:
    assert str(dim) == text


def test_bare_names_and_constants() -> None:
    assert Dim.name("Z").as_name == "Z"
    assert (Dim.name("Z") + 0).as_name == "Z"
    assert (Dim.name("Z") * 2).as_name is None
    assert (Dim.name("Z") - Dim.name("Z") + 3).constant == 3
    assert Dim.name("Z").constant is None
    with pytest.raises(ValueError, match="is not a size"):
        Dim.name("Z").divide(2).size({"Z": 3})  # type: ignore[union-attr]
