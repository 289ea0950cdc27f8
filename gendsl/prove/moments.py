"""Means of terms over independent standard normal draws.

In: polynomials, names of draws. Out: polynomials without these draws. Trusted: moments of standard
normals (Isserlis 1918: the mean of a product is the sum over pairings of products of covariances)
and the shift of an exponential, E[f(Z) exp(a Z)] = exp(var(a Z) / 2) E[f(Z + cov(a Z, Z))]. Inside
this class (polynomials times exponentials of affine functions) everything is integrable. Two draws
are independent when their names or their indices differ.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction

from gendsl.prove.equal import mentioned
from gendsl.prove.kernel import normal as n
from gendsl.prove.kernel.term import ONE, ZERO, Atom, Mono, Poly, atom, of_atom

At = tuple[Atom, ...]
Value = tuple[At, Poly]


def split_affine(p: Poly, draws: frozenset[str]) -> tuple[Poly, Poly]:
    """(constant part, linear part) in the draws; raises `KernelError` if p is not affine."""
    env = {d: _scaled(p, d) for d in draws}
    mean = _with(p, {d: (f, ZERO) for d, (f, _) in env.items()})
    s = of_atom(atom("var", SCALE, (), ""))
    stretched = _with(p, {d: (f, n.mul(s, v)) for d, (f, v) in env.items()})
    rest = n.sub(p, mean)
    if n.sub(stretched, n.add(mean, n.mul(s, rest))).terms:
        raise n.KernelError("the value is not affine in its draws")
    return mean, rest


SCALE = "scale of draws"


def again(draw: str) -> str:
    """The variable for a second value of a draw."""
    return f"again:{draw}"


def superposition(p: Poly, draws: frozenset[str]) -> Poly:
    """v(z) + s (v(z') - v(0)) - v(z + s z'), which is 0 for all z, z' and s if and only if the
    value v is affine in its draws."""
    s = of_atom(atom("var", SCALE, (), ""))
    still, second, both = dict[str, Value](), dict[str, Value](), dict[str, Value]()
    for d in draws:
        formals, v = _scaled(p, d)
        w = of_atom(atom("var", again(d), formals, ""))
        still[d], second[d] = (formals, ZERO), (formals, w)
        both[d] = formals, n.add(v, n.mul(s, w))
    rise = n.sub(_with(p, second), _with(p, still))
    return n.sub(n.add(p, n.mul(s, rise)), _with(p, both))


def _with(p: Poly, values: Mapping[str, Value]) -> Poly:
    return n.substitute(p, {}, {name: ((f, v),) for name, (f, v) in values.items()})


def _scaled(p: Poly, draw: str) -> Value:
    """Formal indices of a draw, and the draw at these."""
    a = next(_occurrences(p, draw), None)
    sizes = () if a is None else tuple(n.size_of(i) for i in a.args[1])
    formals = tuple(n.fresh(size) for size in sizes)
    return formals, of_atom(atom("var", draw, formals, ""))


def _occurrences(x: object, draw: str) -> Iterator[Atom]:
    if isinstance(x, Poly):
        for m in x.terms:
            yield from _occurrences(m, draw)
    elif isinstance(x, tuple):
        for y in x:
            yield from _occurrences(y, draw)
    elif isinstance(x, Atom):
        if x.kind == "var" and x.args[0] == draw:
            yield x
        yield from _occurrences(x.args, draw)


def expectation(p: Poly, draws: frozenset[str]) -> Poly:
    """The mean over the draws of a polynomial in them (and exponentials of affine functions)."""
    total = ZERO
    for m, k in p.terms.items():
        total = n.add(total, n.scale(_mono_mean(m, draws), k))
    return total


def _mono_mean(m: Mono, draws: frozenset[str]) -> Poly:
    fixed, binders, moving = ONE, list[Atom](), ONE
    for a, k in m:
        if not mentioned(of_atom(a)) & draws:
            fixed = n.mul(fixed, n.assemble({a: k}))
        elif a.kind == "S":
            if k.denominator != 1 or k < 0:
                raise n.KernelError("a root or inverse of a sum of draws")
            for _ in range(k.numerator):
                more, body = n.open_sum(a)
                binders += more
                moving = n.mul(moving, body)
        else:
            moving = n.mul(moving, n.assemble({a: k}))
    mean = n.add(*(n.scale(_product_mean(q, draws), c) for q, c in moving.terms.items()))
    for b in reversed(binders):
        mean = n.nsum(b, mean)
    return n.mul(fixed, mean)


def _product_mean(m: Mono, draws: frozenset[str]) -> Poly:
    """The mean of a product of draws, of an exponential of an affine function, and of constants."""
    fixed, factors, exponent = ONE, list[Atom](), ZERO
    for a, k in m:
        if not mentioned(of_atom(a)) & draws:
            fixed = n.mul(fixed, n.assemble({a: k}))
        elif a.kind == "exp":
            exponent = a.args[0]
        elif a.kind == "var" and k.denominator == 1 and k > 0:
            factors += [a] * k.numerator
        elif a.kind == "S":
            return n.mul(fixed, _mono_mean(m, draws)) if fixed is ONE else _regrouped(m, draws)
        else:
            raise n.KernelError(f"no expectation of {a.kind} of a draw")
    if exponent.terms:
        return n.mul(fixed, _shifted_mean(factors, exponent, draws))
    return n.mul(fixed, _pairings(factors))


def _regrouped(m: Mono, draws: frozenset[str]) -> Poly:
    fixed = {a: k for a, k in m if not mentioned(of_atom(a)) & draws}
    rest = tuple((a, k) for a, k in m if a not in fixed)
    return n.mul(n.assemble(fixed), _mono_mean(rest, draws))


def _pairings(factors: Sequence[Atom]) -> Poly:
    """Isserlis: the sum over perfect pairings of products of covariances."""
    if not factors:
        return ONE
    if len(factors) % 2 or len(factors) > 8:
        if len(factors) % 2:
            return ZERO
        raise n.KernelError("a moment of high order")
    first, rest = factors[0], factors[1:]
    total = ZERO
    for k, other in enumerate(rest):
        if other.args[0] == first.args[0]:
            same = n.prod_poly(
                n.delta(i, j) for i, j in zip(first.args[1], other.args[1], strict=True)
            )
            total = n.add(total, n.mul(same, _pairings([*rest[:k], *rest[k + 1 :]])))
    return total


def _shifted_mean(factors: Sequence[Atom], exponent: Poly, draws: frozenset[str]) -> Poly:
    """E[f(Z) exp(a(Z) + c)] = exp(c + var(a) / 2) E[f(Z + cov(a, Z))] for a linear."""
    constant, linear = split_affine(exponent, draws)
    variance = expectation(n.mul(linear, linear), draws)
    outer = n.exp(n.add(constant, n.scale(variance, Fraction(1, 2))))
    moved = ONE
    for a in factors:
        shift = expectation(n.mul(linear, of_atom(a)), draws)
        moved = n.mul(moved, n.add(of_atom(a), shift))
    return n.mul(outer, expectation(moved, draws))
