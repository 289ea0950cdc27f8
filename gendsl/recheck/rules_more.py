"""More rules of proof objects: products under powers and logarithms, counting, induction.

As in `rules.py`: one function each, the form of a step and what it has to satisfy, by values.
"""

from __future__ import annotations

from typing import Any

from mpmath import mpf

from .arrays import Undefined
from .functions import exp, log, power
from .points import Point
from .replay import Rejected, Replay, Theorem, need
from .rule_table import arity, number, rule
from .terms import Env, function_of


@rule
def power_of_product(c: Replay, t: Theorem) -> set[str] | None:
    arity(t, 2, 3)
    k, left, right = t.data
    exponent, rels = number(k), {c.concl(p).rel for p in t.premises}
    need(rels <= {"ge", "gt"} and (exponent > 0 or rels == {"gt"}), "the signs of the factors")
    a, b = (c.open(p) for p in t.premises)

    def factors(p: Point, e: Env) -> tuple[Any, Any]:
        x, y = c.terms.value(a, p, e), c.terms.value(b, p, e)
        if x < 0 or y < 0:
            raise Undefined("the premises do not hold here")
        return x, y

    def whole(p: Point, e: Env) -> Any:
        x, y = factors(p, e)
        return power(x * y, exponent)

    def parts(p: Point, e: Env) -> Any:
        x, y = factors(p, e)
        return power(x, exponent) * power(y, exponent)

    free = c.free(a, b, left, right)
    c.agree(c.of(left), whole, free)
    c.agree(c.of(right), parts, free)
    c.is_(t, lambda p, e: whole(p, e) - parts(p, e), free, "eq")
    return None


@rule
def log_of_product(c: Replay, t: Theorem) -> set[str] | None:
    arity(t, 2, 2)
    left, right = t.data
    a, b = (c.open(p, "gt") for p in t.premises)

    def parts(p: Point, e: Env) -> Any:
        return log(c.terms.value(a, p, e)) + log(c.terms.value(b, p, e))

    def whole(p: Point, e: Env) -> Any:
        parts(p, e)  # undefined where the premises do not hold
        return log(c.terms.value(a, p, e) * c.terms.value(b, p, e))

    free = c.free(a, b, left, right)
    c.agree(c.of(left), whole, free)
    c.agree(c.of(right), parts, free)
    c.is_(t, lambda p, e: whole(p, e) - parts(p, e), free, "eq")
    return None


@rule
def same_image(c: Replay, t: Theorem) -> set[str] | None:
    arity(t, 1, 4)
    p, name, left, right = t.data
    need(name in ("sexp", "slog"), "neither exp nor log")
    f, gap = exp if name == "sexp" else log, c.open(t.premises[0], "eq")
    free = c.free(p, gap, left, right)
    c.agree(c.of(left), lambda a, e: f(c.terms.value(p, a, e)), free)
    c.agree(c.of(right), lambda a, e: f(c.terms.value(p, a, e) - c.terms.value(gap, a, e)), free)
    c.is_(t, lambda a, e: c.terms.value(left, a, e) - c.terms.value(right, a, e), free, "eq")
    return None


@rule
def staircase(c: Replay, t: Theorem) -> set[str] | None:
    arity(t, 0, 2)
    i, j = t.data
    need(c._same_size(i, j), "sizes differ")

    def value(p: Point, e: Env) -> Any:
        gap = mpf(c.terms.index(i, p, e) - c.terms.index(j, p, e))
        return function_of("ge0", gap) - function_of("ge0", gap - 1) - mpf(int(gap == 0))

    c.is_(t, value, c.free(i, j), "eq")
    return None


@rule
def induct(c: Replay, t: Theorem) -> set[str] | None:
    arity(t, 2, 3)
    p, i, k = t.data
    base, step = t.premises
    need(c.terms.atom(i)[0] == c.terms.atom(k)[0] == "i", "not index variables")
    sizes = [(c.terms.size(i, a), c.terms.size(k, a)) for a in c.points]
    need(all(m == n + 1 for m, n in sizes), "k is not a step below i")
    need(k not in c.terms.free(p), "the index of the step occurs")
    rel = c.concl(t).rel
    c.is_(t, c.of(p), c.free(p), rel)

    def at(by: int) -> Any:
        return lambda a, e: c.terms.value(p, a, {**e, i: e[k] + by})

    loose = [x for x in c.free(p) if x != i]
    first, after = c.open(base, rel), c.open(step, rel)
    start = lambda a, e: c.terms.value(p, a, {**e, i: 0})  # noqa: E731
    c.agree(c.of(first), start, [*{*loose, *c.free(first)}])
    c.agree(c.of(after), at(1), [*{*loose, k, *c.free(after)}])
    kept = {h for h in step.hyps if not _says(c, h, rel, at(0), [*loose, k])}
    for h in kept:
        q = c.prop(h)
        need(k not in c.terms.free(q.poly) - {*q.binders}, "index free in a hypothesis")
    return kept | base.hyps


def _says(c: Replay, h: str, rel: str, value: Any, free: list[str]) -> bool:
    """Whether a hypothesis is that an unquantified value compares so with zero."""
    q = c.prop(h)
    if q.rel != rel or q.binders:
        return False
    try:
        c.agree(c.of(q.poly), value, [*{*free, *c.free(q.poly)}])
        return True
    except Rejected:
        return False
