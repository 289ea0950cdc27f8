"""The rules of proof objects, one function each: the form of a step, and what it has to satisfy.

A rule returns the hypotheses that the conclusion must keep, or None for those of all premises. The
names and forms are those of the prover's kernel; the code and the method (values at points, see
`replay.py`) are not.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Any

from mpmath import mpf

from .arrays import Undefined
from .functions import exp, log, power
from .points import Point
from .replay import Rejected, Replay, Rule, Theorem, Value, need
from .rule_table import RULES, arity, number, relu_of, rule
from .terms import Env, function_of

# ---- logic -------------------------------------------------------------------------------


@rule
def assume(c: Replay, t: Theorem) -> set[str] | None:
    arity(t, 0, 1)
    need(c.equal(t.concl, t.data[0]), "not what is assumed")
    return {t.data[0]}


@rule
def specialize(c: Replay, t: Theorem) -> set[str] | None:
    p = c.concl(t.premises[0])
    need(len(t.premises) == 1 and len(p.binders) == len(t.data), "another number of indices")
    need(c.concl(t).rel == p.rel, "another relation")
    for b, v in zip(p.binders, t.data, strict=True):
        need(c._same_size(b, v), "sizes differ")

    def value(point: Point, env: Env) -> Any:
        own = {b: c.terms.index(v, point, env) for b, v in zip(p.binders, t.data, strict=True)}
        return c.terms.value(p.poly, point, {**env, **own})

    loose = {*c.free(*t.data), *(c.terms.free(p.poly) - {*p.binders})}
    c.is_(t, value, sorted(loose), p.rel)
    return None


@rule
def generalize(c: Replay, t: Theorem) -> set[str] | None:
    need(len(t.premises) == 1, "one premise")
    p = c.concl(t)
    poly = c.open(t.premises[0], p.rel)
    for b in t.data:
        c.fixed(b, t.premises[0])
    need(c.alike(p, poly, t.data), "not the generalisation")
    return None


@rule
def cut(c: Replay, t: Theorem) -> set[str] | None:
    arity(t, 2, 0)
    main, lemma = t.premises
    need(c.equal(t.concl, main.concl), "another conclusion")
    return {h for h in main.hyps if not c.equal(h, lemma.concl)} | lemma.hyps


@rule
def cases(c: Replay, t: Theorem) -> set[str] | None:
    arity(t, 2, 1)
    above, below = t.premises
    need(c.equal(t.concl, above.concl) and c.equal(t.concl, below.concl), "another conclusion")
    p = t.data[0]

    def case(h: str, sign: int) -> bool:
        q = c.prop(h)
        if q.rel != "ge" or q.binders:
            return False
        try:
            c.agree(c.of(q.poly), lambda a, e: sign * c.terms.value(p, a, e), c.free(q.poly, p))
            return True
        except Rejected:
            return False

    first = {h for h in above.hyps if not case(h, 1)}
    return first | {h for h in below.hyps if not case(h, -1)}


@rule
def absurd(c: Replay, t: Theorem) -> set[str] | None:
    need(len(t.premises) == 1, "one premise")
    p = c.concl(t.premises[0])
    rows = c.terms.poly(p.poly)
    need(all(not m for _, m in rows), "not a comparison of numbers")
    x = sum((k for k, _ in rows), Fraction(0))
    false = {"eq": x != 0, "ne": x == 0, "ge": x < 0, "gt": x <= 0}[p.rel]
    need(false, "the premise is not false")
    return None


@rule
def weaken(c: Replay, t: Theorem) -> set[str] | None:
    (premise,) = t.premises
    rel = c.concl(premise).rel
    need((rel, c.concl(t).rel) in (("gt", "ge"), ("gt", "ne"), ("eq", "ge")), "does not follow")
    poly = c.open(premise)
    c.is_(t, c.of(poly), c.free(poly))
    return None


@rule
def opposite(c: Replay, t: Theorem) -> set[str] | None:
    (premise,) = t.premises
    poly = c.open(premise, "ne", "eq")
    c.is_(t, lambda p, e: -c.terms.value(poly, p, e), c.free(poly), c.concl(premise).rel)
    return None


@rule
def combine(c: Replay, t: Theorem) -> set[str] | None:
    first, second = t.premises
    a, b = c.open(first, "ge"), c.open(second)
    if c.concl(second).rel == "ne":
        c.agree(c.of(a), c.of(b), c.free(a, b))
        c.is_(t, c.of(a), c.free(a), "gt")
    else:
        need(c.concl(second).rel == "ge", "needs >=")
        c.agree(c.of(a), lambda p, e: -c.terms.value(b, p, e), c.free(a, b))
        c.is_(t, lambda p, e: c.terms.value(a, p, e), c.free(a), "eq") if _same(c, t, a) else c.is_(
            t, c.of(b), c.free(b), "eq"
        )
    return None


def _same(c: Replay, t: Theorem, poly: str) -> bool:
    mine = c.open(t)
    try:
        c.agree(c.of(mine), c.of(poly), c.free(mine, poly))
        return True
    except Rejected:
        return False


# ---- facts -------------------------------------------------------------------------------


@rule
def evident(c: Replay, t: Theorem) -> set[str] | None:
    arity(t, 0, 0)
    p = c.concl(t)
    need(p.rel != "eq", "an equation is not evident")
    fits = c.terms.nonnegative(p.poly) if p.rel == "ge" else c.terms.positive(p.poly)
    need(fits, "the sign is not evident")
    return None


def _fact(form: Callable[[Any], Any], *rels: str) -> Rule:
    """A rule without premises: the conclusion is a function of one term."""

    def check(c: Replay, t: Theorem) -> set[str] | None:
        need(not t.premises and len(t.data) >= 1, "another form of the rule")
        u = t.data[0]
        c.is_(t, lambda p, e: form(c.terms.value(u, p, e)), c.free(u), *rels)
        return None

    return check


RULES["square"] = _fact(lambda x: x * x, "ge")
RULES["exp_above_tangent"] = _fact(lambda x: exp(x) - x - 1, "ge")
RULES["relu_above"] = _fact(lambda x: relu_of(x) - x, "ge")
RULES["relu_flip"] = _fact(lambda x: relu_of(x) - relu_of(-x) - x, "eq")


@rule
def log_below_tangent(c: Replay, t: Theorem) -> set[str] | None:
    arity(t, 0, 1)
    x = t.data[0]
    need(
        c.terms.positive(x) or any(c._says(c.prop(h), "gt", x) for h in t.hyps),
        "x > 0 is not a hypothesis",
    )
    value = _fact(lambda v: v - 1 - log(v), "ge")
    return value(c, t)


@rule
def exp_strictly_above(c: Replay, t: Theorem) -> set[str] | None:
    arity(t, 1, 0)
    u = c.open(t.premises[0], "ne")

    def value(p: Point, e: Env) -> Any:
        x = c.terms.value(u, p, e)
        return exp(x) - x - 1

    c.is_(t, value, c.free(u), "gt")
    return None


@rule
def relu_at(c: Replay, t: Theorem) -> set[str] | None:
    (premise,) = t.premises
    u = c.open(premise, "ge")
    c.is_(t, lambda p, e: relu_of(c.terms.value(u, p, e)) - c.terms.value(u, p, e), c.free(u), "eq")
    return None


@rule
def cancel(c: Replay, t: Theorem) -> set[str] | None:
    arity(t, 0, 3)
    q, k, lower = t.data
    exponent = number(k)
    c.agree(c.of(lower), lambda p, e: power(c.terms.value(q, p, e), exponent - 1), c.free(q, lower))
    c.is_(t, lambda p, e: 0 * c.terms.value(q, p, e), c.free(q), "eq")
    return None


@rule
def indicator_at(c: Replay, t: Theorem) -> set[str] | None:
    (premise,) = t.premises
    u, rel = c.open(premise), c.concl(premise).rel

    def value(p: Point, e: Env) -> Any:
        x = c.terms.value(u, p, e)
        if rel in ("ge", "eq"):
            return function_of(f"{rel}0", x) - 1
        return function_of("eq0", x) if rel == "ne" else function_of("ge0", -x)

    c.is_(t, value, c.free(u), "eq")
    return None


@rule
def gate(c: Replay, t: Theorem) -> set[str] | None:
    arity(t, 0, 2)
    u, side = t.data

    def value(p: Point, e: Env) -> Any:
        x = c.terms.value(u, p, e)
        return function_of("ge0", x) * x if side is True else (function_of("ge0", x) - 1) * x

    c.is_(t, value, c.free(u), "ge")
    return None


@rule
def at_most_one(c: Replay, t: Theorem) -> set[str] | None:
    need(not t.premises, "no premises")
    rows = {m: k for k, m in c.terms.poly(c.open(t, "ge"))}
    need(rows.pop((), None) == 1 and len(rows) == 1, "not 1 - a")
    ((m, k),) = rows.items()
    kind = c.terms.atom(m[0][0])[0]
    need(k == -1 and len(m) == 1 and m[0][1] == 1, "not 1 - a")
    need(kind in ("ge0", "eq0", "bool", "d"), "not an indicator")
    return None


@rule
def index_below(c: Replay, t: Theorem) -> set[str] | None:
    need(not t.premises, "no premises")
    rows = c.terms.poly(c.open(t, "ge"))
    values = [(m[0][0], k) for k, m in rows if len(m) == 1 and c.terms.atom(m[0][0])[0] == "ixval"]
    need(len(values) == 1 and values[0][1] == -1, "not size - 1 - index")
    i = c.terms.atom(values[0][0])[1]
    c.is_(t, lambda p, e: mpf(c.terms.size(i, p) - 1 - c.terms.index(i, p, e)), c.free(i), "ge")
    return None


@rule
def selected(c: Replay, t: Theorem) -> set[str] | None:
    arity(t, 0, 2)
    i, j = t.data
    kind, name, args, _ = c.terms.atom(i)
    need(kind == "ix" and name in ("sargmin", "sargmax"), "not a selected index")
    lam, binders, body = c.terms.atom(args[0])
    need(lam == "lam" and len(binders) == 1 and c._same_size(binders[0], j), "sizes differ")

    def value(p: Point, e: Env) -> Any:
        at = [c.terms.value(body, p, {**e, binders[0]: c.terms.index(x, p, e)}) for x in (j, i)]
        return at[0] - at[1] if name == "sargmin" else at[1] - at[0]

    c.is_(t, value, c.free(i, j), "ge")
    return None


@rule
def bounded(c: Replay, t: Theorem) -> set[str] | None:
    arity(t, 0, 1)
    side = int(number(t.data[0]))
    rows = {m: k for k, m in c.terms.poly(c.open(t, "ge"))}
    need(side in (1, -1) and rows.pop((), None) == 1 and len(rows) == 1, "not 1 - f")
    ((m, k),) = rows.items()
    atom = c.terms.atom(m[0][0])
    need(k == -side and len(m) == 1 and m[0][1] == 1, "not 1 - f")
    need(atom[0] == "un" and atom[1] in ("stanh", "ssin", "scos", "serf"), "not bounded")
    return None


# ---- arithmetic --------------------------------------------------------------------------


@rule
def linear(c: Replay, t: Theorem) -> set[str] | None:
    need(len(t.data) == len(t.premises), "one factor for each premise")
    rel, strict, rows = c.concl(t).rel, False, []
    for factor, p in zip(t.data, t.premises, strict=True):
        own = c.concl(p).rel
        fits = own == "eq" or (own in ("ge", "gt") and c.terms.nonnegative(factor))
        need(fits and (rel != "eq" or own == "eq"), "a factor or a relation does not fit")
        strict |= own == "gt" and c.terms.positive(factor)
        rows.append((factor, c.open(p)))
    need(rel in ("eq", "ge") or (rel == "gt" and strict), "the conclusion is too strong")

    def value(p: Point, e: Env) -> Any:
        return sum((c.terms.value(f, p, e) * c.terms.value(x, p, e) for f, x in rows), mpf(0))

    c.is_(t, value, c.free(*(x for row in rows for x in row)) if rows else [])
    return None


@rule
def times(c: Replay, t: Theorem) -> set[str] | None:
    arity(t, 2, 0)
    a, b = (c.open(p) for p in t.premises)
    rels = {c.concl(p).rel for p in t.premises}
    need(rels <= {"ge", "gt"} or rels <= {"ne", "gt"}, "needs inequalities")
    rel = "gt" if rels == {"gt"} else "ge" if rels <= {"ge", "gt"} else "ne"
    c.is_(t, lambda p, e: c.terms.value(a, p, e) * c.terms.value(b, p, e), c.free(a, b), rel)
    return None


@rule
def raise_to(c: Replay, t: Theorem) -> set[str] | None:
    arity(t, 1, 1)
    a, k = c.open(t.premises[0], "gt"), number(t.data[0])

    def value(p: Point, e: Env) -> Any:
        x = c.terms.value(a, p, e)
        if x <= 0:
            raise Undefined("the premise does not hold here")
        return power(x, k)

    c.is_(t, value, c.free(a), "gt")
    return None


@rule
def same_power(c: Replay, t: Theorem) -> set[str] | None:
    arity(t, 1, 5)
    p, q, k, left, right = t.data
    gap, exponent = c.open(t.premises[0], "eq"), number(k)
    free = c.free(p, q, left, right, gap)
    c.agree(c.of(gap), lambda a, e: c.terms.value(p, a, e) - c.terms.value(q, a, e), free)
    for base, made in ((p, left), (q, right)):
        c.agree(
            c.of(made),
            lambda a, e, base=base: power(c.terms.value(base, a, e), exponent),  # type: ignore[misc]
            free,
        )
    c.is_(t, lambda a, e: c.terms.value(left, a, e) - c.terms.value(right, a, e), free, "eq")
    return None


@rule
def total(c: Replay, t: Theorem) -> set[str] | None:
    arity(t, 1, 1)
    (i,), (premise,) = t.data, t.premises
    c.fixed(i, premise)
    rel = c.concl(premise).rel
    poly = c.open(premise, "eq", "ge", "gt")
    c.is_(t, summed(c, poly, i), sorted({*c.free(poly)} - {i}), rel)
    return None


def summed(c: Replay, poly: str, i: str) -> Value:
    def value(p: Point, e: Env) -> Any:
        return sum((c.terms.value(poly, p, row) for row in c.terms.assignments([i], p, e)), mpf(0))

    return value


@rule
def divide(c: Replay, t: Theorem) -> set[str] | None:
    arity(t, 2, 0)
    product, by = t.premises
    rel = c.concl(product).rel
    sign = c.concl(by).rel
    need(sign == "gt" or (sign == "ne" and rel in ("eq", "ne")), "the sign of the divisor")
    q, whole, part = c.open(by), c.open(product), c.open(t, rel)
    c.agree(
        c.of(whole),
        lambda p, e: c.terms.value(q, p, e) * c.terms.value(part, p, e),
        c.free(q, whole, part),
    )
    return None


@rule
def divide_power(c: Replay, t: Theorem) -> set[str] | None:
    arity(t, 2, 2)
    product, by = t.premises
    a, exponent = t.data[0], number(t.data[1])
    rel, sign = c.concl(product).rel, c.concl(by).rel
    whole = exponent.denominator == 1 and rel in ("eq", "ne")
    need(exponent > 0 and (sign == "gt" or (whole and sign == "ne")), "the sign of the base")
    base, left, part = c.open(by), c.open(product), c.open(t, rel)
    free = c.free(base, left, part, a)
    c.agree(c.of(base), lambda p, e: c.terms.atom_value(a, p, e), free)
    c.agree(
        c.of(left),
        lambda p, e: c.terms.value(part, p, e) * power(c.terms.atom_value(a, p, e), exponent),
        free,
    )
    return None


@rule
def root(c: Replay, t: Theorem) -> set[str] | None:
    arity(t, 2, 1)
    y, squares = (c.open(p, "ge") for p in t.premises)
    x = t.data[0]
    free = c.free(x, y, squares)
    c.agree(
        c.of(squares),
        lambda p, e: c.terms.value(y, p, e) ** 2 - c.terms.value(x, p, e) ** 2,
        free,
    )
    c.is_(t, lambda p, e: c.terms.value(y, p, e) - c.terms.value(x, p, e), free, "ge")
    return None
