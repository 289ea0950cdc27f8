"""The normal form: known identities are syntactic, and values are kept (differential fuzz)."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from fractions import Fraction

import pytest

from gendsl.prove.kernel import normal as n
from gendsl.prove.kernel.term import ONE, ZERO, Atom, Poly, atom, const, of_atom
from gendsl.prove.sample import Point, Undefined

D, N = of_atom(atom("dim", "D")), of_atom(atom("dim", "N"))
A_, B_, C_ = (atom("i", name, D) for name in "ijk")
R_ = atom("i", "r", N)


def var(name: str, *at: Atom, sign: str = "") -> Poly:
    return of_atom(atom("var", name, at, sign))


def half(p: Poly) -> Poly:
    return n.scale(p, Fraction(1, 2))


def test_matmul_form_of_a_distance() -> None:
    x, e = var("x", R_, A_), var("e", R_, A_)
    squared = n.nsum(A_, n.power(n.sub(x, e), 2))
    parts = [
        n.nsum(A_, n.power(x, 2)),
        n.scale(n.nsum(A_, n.mul(x, e)), -2),
        n.nsum(B_, n.power(var("e", R_, B_), 2)),
    ]
    assert squared is n.add(*parts)


def test_logsumexp_shift() -> None:
    x, c = var("x", R_, A_), var("c", R_)
    shifted = n.log(n.nsum(A_, n.exp(n.sub(x, c))))
    assert n.add(shifted, c) is n.log(n.nsum(A_, n.exp(x)))


def test_softplus_reflection() -> None:
    t = var("t")
    softplus = n.log(n.add(ONE, n.exp(t)))
    assert softplus is n.add(n.log(n.add(ONE, n.exp(n.scale(t, -1)))), t)


def test_variance_identity() -> None:
    x = var("x", A_)
    mean = n.mul(n.nsum(A_, x), n.power(D, -1))
    left = n.nsum(A_, n.power(n.sub(x, mean), 2))
    right = n.sub(n.nsum(A_, n.power(x, 2)), n.mul(D, n.power(mean, 2)))
    assert left is right


def test_bound_names_do_not_matter() -> None:
    def cycle(a: Atom, b: Atom, c: Atom) -> Poly:
        body = n.prod_poly([var("A", a, b), var("A", b, c), var("A", c, a)])
        return n.nsum(a, n.nsum(b, n.nsum(c, body)))

    assert cycle(A_, B_, C_) is cycle(C_, A_, B_) is cycle(B_, C_, A_)


def test_delta_picks_the_summand() -> None:
    body = n.mul(n.delta(A_, B_), n.mul(var("x", A_), var("A", A_, C_)))
    assert n.nsum(A_, body) is n.mul(var("x", B_), var("A", B_, C_))


def test_a_product_of_two_deltas_keeps_both() -> None:
    both = n.mul(n.delta(A_, B_), n.delta(A_, C_))
    total = n.nsum(A_, n.nsum(B_, n.nsum(C_, both)))
    assert total is D


def test_roots_need_a_sign() -> None:
    x, y = var("x"), var("y", sign="+")
    assert n.power(n.power(x, 2), Fraction(1, 2)) is not x
    assert n.power(n.power(y, 2), Fraction(1, 2)) is y


def test_opening_a_sum_captures_nothing() -> None:
    """sum_i w[i] * (sum_i w[i]) is a square of a sum, not a sum of squares."""
    total = n.nsum(A_, var("w", A_))
    assert n.nsum(B_, n.mul(var("w", B_), total)) is n.power(total, 2)
    inside = n.nsum(A_, n.exp(n.mul(var("w", A_), total)))
    env = {"w": (((B_,), n.nsum(A_, n.mul(var("u", A_), var("v", B_, A_)))),)}
    direct = n.nsum(C_, n.exp(n.mul(_image(C_), n.nsum(B_, _image(B_)))))
    assert n.substitute(inside, {}, env) is direct


def _image(j: Atom) -> Poly:
    return n.nsum(A_, n.mul(var("u", A_), var("v", j, A_)))


def test_reshape_round_trip() -> None:
    flat = atom("i", "f", n.mul(D, N))
    parts = [n.part(flat, N, D), n.part(flat, ONE, N)]
    assert n.mix(parts) is flat
    both = n.mix([A_, R_])
    assert n.part(both, N, D) is A_
    assert n.part(both, ONE, N) is R_


# ---- differential fuzz -------------------------------------------------------------------

Float = Callable[[Point, dict[Atom, int]], float]


def grow(rng: random.Random, depth: int, free: list[Atom]) -> tuple[Poly, Float]:
    """A random term, built twice: through the normal form, and as a plain float function."""
    kind = rng.choice(["var", "const", "dim"] if depth == 0 else KINDS)
    match kind:
        case "const":
            c = Fraction(rng.randint(-3, 3), rng.choice((1, 2)))
            return const(c), lambda p, at, c=c: float(c)
        case "dim":
            return D, lambda p, at: float(p.size("D"))
        case "var":
            at_ = tuple(rng.sample(free, min(len(free), rng.randint(0, 2))))
            name, sign = rng.choice((("x", ""), ("y", "+"), ("z", "0+")))
            name = f"{name}{len(at_)}"
            q = var(name, *at_, sign=sign)
            return q, lambda p, at, q=q: p.poly(q, at)
        case "sum":
            i = n.fresh(D)
            body, f = grow(rng, depth - 1, [*free, i])
            return n.nsum(i, body), lambda p, at, f=f, i=i: math.fsum(
                f(p, {**at, i: k}) for k in range(p.size("D"))
            )
        case "add" | "sub" | "mul":
            a, f = grow(rng, depth - 1, free)
            b, g = grow(rng, depth - 1, free)
            return BINARY[kind][0](a, b), lambda p, at, f=f, g=g, k=kind: BINARY[k][1](
                f(p, at), g(p, at)
            )
        case _:
            a, f = grow(rng, depth - 1, free)
            return UNARY[kind][0](a), lambda p, at, f=f, k=kind: UNARY[k][1](f(p, at))


def _log(x: float) -> float:
    if x <= 0:
        raise Undefined
    return math.log(x)


def _sqrt(x: float) -> float:
    if x < 0:
        raise Undefined
    return math.sqrt(x)


def _inverse(x: float) -> float:
    if abs(x) < 1e-3:
        raise Undefined
    return 1 / x


def _exp(x: float) -> float:
    if abs(x) > 20:
        raise Undefined
    return math.exp(x)


BINARY = {
    "add": (n.add, lambda a, b: a + b),
    "sub": (n.sub, lambda a, b: a - b),
    "mul": (n.mul, lambda a, b: a * b),
}
UNARY = {
    "exp": (n.exp, _exp),
    "log": (n.log, _log),
    "relu": (n.relu, lambda x: max(x, 0.0)),
    "sqrt": (lambda p: n.power(p, Fraction(1, 2)), _sqrt),
    "inverse": (lambda p: n.power(p, -1), _inverse),
    "square": (lambda p: n.power(p, 2), lambda x: x * x),
    "step": (lambda p: n.indicator("ge0", p), lambda x: float(x >= 0)),
}
KINDS = ["var", "sum", "add", "sub", "mul", "mul", *UNARY]


@pytest.mark.parametrize("block", range(8))
def test_values_are_kept(block: int) -> None:
    compared = 0
    for seed in range(block * 60, block * 60 + 60):
        rng = random.Random(seed)
        try:
            term, value = grow(rng, 4, [])
        except n.KernelError:
            continue
        for trial in range(3):
            point = Point(trial, {"D": rng.choice((1, 2, 3))})
            try:
                left, right = point.poly(term, {}), value(point, {})
            except (Undefined, OverflowError):
                continue
            scale = 1 + abs(left) + abs(right)
            if scale < 1e9:
                assert abs(left - right) < 1e-6 * scale, (seed, trial)
                compared += 1
    assert compared > 30


def test_zero_is_zero() -> None:
    assert n.sub(D, D) is ZERO
