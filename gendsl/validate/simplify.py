"""Values in a simpler form, without multiplying anything out: what `alike.py` compares.

In: values. Out: equal values of the same kinds in which sums over tiles are sums over elements (the
steps of `merge.py`), conditions with 0 as their other side stand outside products, and what does
not vary with a sum's variables stands outside the sum. Always: equal over the reals for all sizes;
results are kept by value, so that what is shared is simplified once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from fractions import Fraction
from functools import partial

from gendsl.ops import arithmetic as ar
from gendsl.ops import unary as un
from gendsl.validate import merge
from gendsl.validate import value as v
from gendsl.validate import whole as w
from gendsl.validate.value import Value
from gendsl.validate.whole import Unit, Whole

Factor = tuple[Value, int]
HALF = Fraction(1, 2)
# Ops f with f(0) = 0 and f linear in the first operand: a condition may stand outside.
ODD = ("neg", "square", "div")

_simple: dict[Value, Value] = {}
_factors: dict[Value, tuple[Fraction, tuple[Factor, ...]]] = {}
w.decided += [_simple, _factors]


def simple(x: Value) -> Value:
    """The simpler form."""
    found = _simple.get(x)
    if found is None:
        w.tick()
        found = _simple[x] = _simplified(x)
        _simple[found] = found
    return found


def _simplified(x: Value) -> Value:
    match x.kind:
        case "op":
            return _op(x)
        case "where":
            return _where(*map(simple, x.args))
        case "sum":
            return _sum(x)
        case "max" | "min":
            return _extreme(x)
        case "cmp":
            return v.value("cmp", x.args[0], *map(simple, x.args[1:]))
        case "not":
            return v.negate(simple(x.args[0]))
        case "and":
            return v.both(*map(simple, x.args))
        case "or":
            return v.either(*map(simple, x.args))
        case "fn":
            name, places, bodies = x.args
            return v.value("fn", name, places, tuple((b[0], simple(b[1])) for b in bodies))
        case _:
            return x


def _op(x: Value) -> Value:
    op, args = x.args[0], [simple(a) for a in x.args[1]]
    formula = _formula(op.name, args[0])
    if formula is not None:
        return simple(formula)
    if op.name != "mul" and op.name not in ODD:
        return v.op(op, *args)
    condition, rest = v.TRUE, args
    for k in range(len(args) if op.name == "mul" else 1):
        found, rest[k] = opened(args[k])
        condition = v.both(condition, found)
    made = v.op(op, *rest)
    return made if condition is v.TRUE else v.where(condition, made, v.ZERO)


def _formula(name: str, x: Value) -> Value | None:
    """What targets write for an op of one operand in terms of others."""
    match name:
        case "relu":
            return v.op(ar.Maximum(), x, v.ZERO)
        case "sign":
            up, down = (v.value("cmp", "less", *p) for p in ((v.ZERO, x), (x, v.ZERO)))
            return v.op(ar.Sub(), v.where(up, v.ONE, v.ZERO), v.where(down, v.ONE, v.ZERO))
        case "silu_slope":
            s = v.op(un.Sigmoid(), x)
            rest = v.mul(x, v.op(ar.Sub(), v.ONE, s))
            return v.mul(s, v.add(v.ONE, rest))
        case "gelu_slope":
            below = v.add(v.ONE, v.op(un.Erf(), v.mul(x, named_number(0.7071067811865476))))
            bell = v.op(un.Exp(), v.mul(v.mul(v.num(-HALF), x), x))
            bell = v.mul(v.mul(named_number(0.3989422804014327), x), bell)
            return v.add(v.mul(v.num(HALF), below), bell)
        case "log":
            c, rows = factors(x)
            powers = [(f.args[1][0], e) for f, e in rows if _is_exp(f)]
            if not powers:
                return None
            made = v.op(un.Log(), product(c, [(f, e) for f, e in rows if not _is_exp(f)]))
            for t, e in powers:
                made = v.op(ar.Add() if e > 0 else ar.Sub(), made, t)
            return made
        case _:
            return None


def _is_exp(x: Value) -> bool:
    return x.kind == "op" and x.args[0].name == "exp"


# Printed to 16 digits, these stand for themselves and not for a decimal.
_IRRATIONAL = {
    3.141592653589793: v.value("pi"),
    0.7071067811865476: v.op(ar.Power(-HALF), v.num(2)),
    0.3989422804014327: v.op(ar.Power(-HALF), v.mul(v.num(2), v.value("pi"))),
}


def named_number(x: float) -> Value:
    """A number as written: the decimal that is printed."""
    return _IRRATIONAL.get(x) or v.num(Fraction(repr(x)))


def opened(x: Value) -> tuple[Value, Value]:
    """(c, y) with x = where(c, y, 0)."""
    if x.kind == "where" and x.args[2] is v.ZERO:
        return x.args[0], x.args[1]
    return v.TRUE, x


def _where(condition: Value, yes: Value, no: Value) -> Value:
    if yes is v.ZERO:
        condition, yes, no = v.negate(condition), no, yes
    if no is v.ZERO:
        inner, yes = opened(yes)
        condition = _each_under_others(v.both(condition, inner))
    return v.where(condition, yes, no)


def _each_under_others(condition: Value) -> Value:
    """The same conjunction: what is compared may itself be chosen by the indices' conditions."""
    parts = v.conjuncts(condition)
    places = frozenset(c for c in parts if c.kind in ("ge0", "eq0"))
    if not places or all(c.kind != "cmp" for c in parts):
        return condition
    made = v.TRUE
    for c in parts:
        if c.kind == "cmp":
            c = v.value("cmp", c.args[0], *(v.given(x, places, True) for x in c.args[1:]))
        made = v.both(made, c)
    return made


# ---- products ----------------------------------------------------------------------------


def factors(x: Value) -> tuple[Fraction, tuple[Factor, ...]]:
    """(c, ((f, e), ...)) with x = c * f**e * ...; e is 1 or -1; exp(t) and exp(-t) cancel."""
    found = _factors.get(x)
    if found is None:
        c, rows = _factored(x)
        found = _factors[x] = c, tuple(_cancelled(rows))
    return found


def _cancelled(rows: Iterable[Factor]) -> list[Factor]:
    kept: list[Factor] = []
    for f, e in rows:
        if _is_exp(f) and (f, -e) in kept:
            kept.remove((f, -e))
        else:
            kept.append((f, e))
    return kept


def _factored(x: Value) -> tuple[Fraction, tuple[Factor, ...]]:
    if x.kind == "num":
        return x.args[0], ()
    if x.kind != "op":
        return Fraction(1), ((x, 1),)
    match x.args[0].name, x.args[1]:
        case "neg", (a,):
            c, rows = factors(a)
            return -c, rows
        case "square", (a,):
            c, rows = factors(a)
            return c * c, (*rows, *rows)
        case "mul", (a, b):
            (c, rows), (d, more) = factors(a), factors(b)
            return c * d, (*rows, *more)
        case "div", (a, b):
            (c, rows), (d, more) = factors(a), factors(b)
            return (c / d, (*rows, *_inverse(more))) if d else (Fraction(1), ((x, 1),))
        case "reciprocal", (a,):
            d, more = factors(a)
            return (1 / d, _inverse(more)) if d else (Fraction(1), ((x, 1),))
        case "exp", (a,):
            return Fraction(1), tuple((v.op(x.args[0], t), e) for e, t in terms(a))
        case _:
            return Fraction(1), ((x, 1),)


def terms(x: Value, sign: int = 1) -> Iterator[tuple[int, Value]]:
    """(1 or -1, term) such that x is the sum of all."""
    if x.kind == "op" and x.args[0].name in ("add", "sub", "neg"):
        args = x.args[1]
        if len(args) == 1:
            yield from terms(args[0], -sign)
        else:
            yield from terms(args[0], sign)
            yield from terms(args[1], -sign if x.args[0].name == "sub" else sign)
    else:
        yield sign, x


def _inverse(rows: Iterable[Factor]) -> tuple[Factor, ...]:
    return tuple((f, -e) for f, e in rows)


def product(c: Fraction, rows: Iterable[Factor]) -> Value:
    """c * f**e * ... as a value."""
    made = v.ONE
    for f, e in rows:
        made = v.mul(made, f) if e > 0 else v.op(ar.Div(), made, f)
    return v.mul(v.num(c), made)


# ---- reductions --------------------------------------------------------------------------


def _freshly(x: Value) -> tuple[list[Unit], Value]:
    """Variables of its own, and the body simplified; sums of sums are one."""
    variables, body = list(x.args[0]), simple(x.args[1])
    fresh = {i: w.variable(i.args[1]) for i in variables}
    body = v.rename(body, {i: w.of_unit(j) for i, j in fresh.items()})
    variables = list(fresh.values())
    while body.kind == x.kind:
        inner = v.freshened(body)
        variables += inner.args[0]
        body = inner.args[1]
    return variables, body


def _settled(
    variables: Sequence[Unit], body: Value, zero: Callable[[Value], bool]
) -> tuple[list[Unit], Value]:
    """Sums over elements in place of sums over tiles."""

    def guard(now: Sequence[Unit], things: Sequence[merge.Thing]) -> tuple[Unit, Whole] | None:
        (inner,) = things
        assert isinstance(inner, Value)
        return merge.bounded(now, inner, zero)

    now, (made,), _ = merge.settle(variables, [body], guard)
    assert isinstance(made, Value)
    return now, made


def _sum(x: Value) -> Value:
    variables, body = _freshly(x)
    variables, body = _settled(variables, body, vanishes)
    body = simple(body)
    if body.kind == "sum":
        return simple(v.total(variables, body))
    return _outside(variables, body)


def _outside(variables: Sequence[Unit], body: Value) -> Value:
    """The sum with what does not vary with its variables outside of it."""
    if body is v.ZERO:
        return v.ZERO
    condition, body = opened(body)
    own = set(variables)
    outer = inner = v.TRUE
    for part in v.conjuncts(condition):
        if part.units & own:
            inner = v.both(inner, part)
        else:
            outer = v.both(outer, part)
    c, rows = factors(body)
    kept = [r for r in rows if r[0].units & own]
    fixed = [r for r in rows if not r[0].units & own]
    body = product(Fraction(1), kept)
    if body.kind == "sum":  # of which all that hid it is outside now: one sum over all
        body = v.freshened(body)
        now, made = _settled(
            [*variables, *body.args[0]], v.where(inner, body.args[1], v.ZERO), vanishes
        )
        rest = _outside(now, made)
    else:
        body = v.where(inner, body, v.ZERO)
        left = [i for i in variables if i in body.units or w.variables(i.args[1])]
        fixed += [(v.real(i.args[1]), 1) for i in variables if i not in left]
        rest = v.total(left, body)
    made = product(c, [*fixed, (rest, 1)])
    return made if outer is v.TRUE else v.where(outer, made, v.ZERO)


def vanishes(x: Value) -> bool:
    return x is v.ZERO or simple(x) is v.ZERO


def _extreme(x: Value) -> Value:
    lowest = v.value("inf", -1 if x.kind == "max" else 1)
    variables, body = _freshly(x)
    variables, body = _settled(variables, body, partial(_is, lowest))
    left = [i for i in variables if i in body.units or not w.positive(i.args[1])]
    return v.value(x.kind, tuple(left), simple(body)) if left else simple(body)


def _is(x: Value, y: Value) -> bool:
    return x is y
