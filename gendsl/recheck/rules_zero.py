"""Rules that take a zero apart, and rules of substitution (see `rules.py`)."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any

from mpmath import mpf

from .functions import exp, log, power
from .points import Point
from .replay import Prop, Rejected, Replay, Theorem, need
from .rule_table import arity, number, rule
from .rules import summed
from .terms import Env, Override

# ---- from a zero to the zeros of its parts -------------------------------------------------


@rule
def zero_part(c: Replay, t: Theorem) -> set[str] | None:
    whole, *parts = t.premises
    which = int(number(t.data[0]))
    need(0 <= which < len(parts), "no such part")
    polys = [c.open(p, "ge", "gt") for p in parts]
    free = c.free(*polys, c.open(whole))
    c.is_(whole, lambda p, e: sum((c.terms.value(x, p, e) for x in polys), mpf(0)), free, "eq")
    c.is_(t, c.of(polys[which]), free, "eq")
    return None


@rule
def zero_summand(c: Replay, t: Theorem) -> set[str] | None:
    arity(t, 2, 1)
    whole, summand = t.premises
    i = t.data[0]
    c.fixed(i, whole, summand)
    poly = c.open(summand, "ge")
    c.is_(whole, summed(c, poly, i), sorted({*c.free(poly)} - {i}), "eq")
    c.is_(t, c.of(poly), c.free(poly), "eq")
    return None


@rule
def zero_root(c: Replay, t: Theorem) -> set[str] | None:
    arity(t, 1, 1)
    p, zero = t.data[0], c.open(t.premises[0], "eq")
    c.is_(t, c.of(p), c.free(p), "eq")
    forms: list[Callable[[Any], Any]] = [
        lambda x: x * x,
        lambda x: exp(x) - x - 1,
        lambda x: x - log(1 + x),
    ]
    for k, form in enumerate(forms):
        try:
            c.agree(
                c.of(zero),
                lambda a, e, form=form: form(c.terms.value(p, a, e)),  # type: ignore[misc]
                c.free(p, zero),
            )
        except Rejected:
            continue
        need(k < 2 or _above_minus_one(c, t, p), "x > 0 is not a hypothesis")
        return None
    raise Rejected("not a square, nor the gap of a tangent")


@rule
def zero_base(c: Replay, t: Theorem) -> set[str] | None:
    arity(t, 1, 2)
    p, k = t.data[0], number(t.data[1])
    zero = c.open(t.premises[0], "eq")
    need(k > 0, "not a positive power")
    c.agree(c.of(zero), lambda a, e: power(c.terms.value(p, a, e), k), c.free(p, zero))
    c.is_(t, c.of(p), c.free(p), "eq")
    return None


def _above_minus_one(c: Replay, t: Theorem, p: str) -> bool:
    """1 + p is evidently positive, or a hypothesis says so."""
    if c.terms._sum_sign([*c.terms.poly(p), (Fraction(1), ())]) == "+":
        return True
    rows = [(k, m) for k, m in c.terms.poly(p) if m]
    constant = sum((k for k, m in c.terms.poly(p) if not m), Fraction(1))
    if constant == 0 and c.terms._sum_sign(rows) == "+":
        return True
    for h in t.hyps:
        q = c.prop(h)
        if q.rel != "gt":
            continue
        for chosen in itertools.permutations(c.free(p), len(q.binders)):
            names = dict(zip(q.binders, chosen, strict=True))
            try:
                c.agree(
                    lambda a, e, names=names, q=q: c.terms.value(  # type: ignore[misc]
                        q.poly, a, {**e, **{x: e[y] for x, y in names.items()}}
                    ),
                    lambda a, e: 1 + c.terms.value(p, a, e),
                    sorted({*c.free(p)} | (c.terms.free(q.poly) - {*q.binders})),
                )
                return True
            except Rejected:
                continue
    return False


# ---- substitution ------------------------------------------------------------------------


@rule
def instance(c: Replay, t: Theorem) -> set[str] | None:
    need(1 <= len(t.premises) <= 2 and len(t.data) >= 2, "another form of the rule")
    name, *formals, value = t.data
    need(isinstance(name, str) and name.startswith("s"), "a name is expected")
    need(all(c.terms.atom(f)[0] == "i" for f in formals), "formal indices are variables")
    need(len(set(formals)) == len(formals), "formal indices are distinct")
    main = t.premises[0]
    polys = [c.concl(main).poly, *(c.prop(h).poly for h in main.hyps)]
    signs = {x.rpartition("|")[2] for p in polys for x in c.terms.names(p) if _is(x, name[1:])}
    for sign in signs - {""}:
        _has_sign(c, t, sign, value, formals)
    over = substitution(c, name[1:], formals, value)
    p = c.concl(main)
    need(c.concl(t).rel == p.rel, "another relation")
    loose = c.terms.free(value) - {*formals}
    need(not loose & {*p.binders}, "an index is captured")
    need(c.alike(c.concl(t), p.poly, p.binders, over), "not the instance")
    for h in main.hyps:
        q = c.prop(h)
        fits = any(
            g.rel == q.rel and c.alike(g, q.poly, q.binders, over)
            for g in (c.prop(x) for x in t.hyps)
        )
        need(fits, "the instance of a hypothesis is lost")
    return set(t.premises[1].hyps) if len(t.premises) == 2 else set()


def _is(entry: str, name: str) -> bool:
    return entry.rpartition("|")[0] == name


def _has_sign(c: Replay, t: Theorem, sign: str, value: str, formals: Sequence[str]) -> None:
    if c.terms.positive(value) if sign == "+" else c.terms.nonnegative(value):
        return
    need(len(t.premises) == 2, "the sign of the value is not proved")
    lemma = c.concl(t.premises[1])
    need(lemma.rel == ("gt" if sign == "+" else "ge"), "the lemma is about another relation")
    need(c.alike(lemma, value, formals), "the lemma is about something else")


def substitution(c: Replay, name: str, formals: Sequence[str], value: str) -> Override:
    def at(point: Point, env: Env, index: tuple[int, ...]) -> Any:
        need(len(index) == len(formals), "another number of indices")
        own = {**env, **dict(zip(formals, index, strict=True))}
        return c.terms.value(value, point, own)

    return Override(name, at)


@rule
def rewrite(c: Replay, t: Theorem) -> set[str] | None:
    arity(t, 1, 3)
    p, new, at = t.data
    equation = c.concl(t.premises[0])
    need(equation.rel == "eq", "needs an equation")
    kind, name, pattern, _ = c.terms.atom(at)
    need(kind == "var", "not a variable")
    solved = [k for k, m in c.terms.poly(equation.poly) if m == ((at, Fraction(1)),)]
    need(solved == [1], "the variable is not solved for")
    for _, m in c.terms.poly(equation.poly):
        if m != ((at, Fraction(1)),):
            need(not any(c.terms.mentions(a, name[1:]) for a, _ in m), "the value mentions it")
    variables = [i for i in pattern if c.terms.atom(i)[0] == "i"]
    need(all(i in equation.binders for i in variables), "a pattern index is not bound")
    need(len(set(pattern)) == len(pattern), "a pattern index is repeated")
    need(all(b in variables for b in equation.binders), "the value has a loose index")
    over = rewriting(c, name[1:], pattern, equation)
    free = c.free(p, new)
    c.agree(c.of(new), c.of(p, over), free)
    c.is_(t, lambda a, e: c.terms.value(p, a, e) - c.terms.value(new, a, e), free, "eq")
    return None


def rewriting(c: Replay, name: str, pattern: Sequence[str], equation: Prop) -> Override:
    """v - (v - r) for v, at the indices that the pattern matches."""

    def at(point: Point, env: Env, index: tuple[int, ...]) -> Any:
        own = dict(env)
        for i, k in zip(pattern, index, strict=True):
            if i in equation.binders:
                own[i] = k
            elif c.terms.index(i, point, env) != k:
                return None
        return point.real(name, index) - c.terms.value(equation.poly, point, own)

    return Override(name, at)
