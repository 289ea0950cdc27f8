"""Whether two values are the same up to the names of bound variables and the order of operands.

In: values in the form of `simplify.py`. Out: True only if they are equal over the reals, for all
sizes and all that they read; False says nothing. Always: cheap. Nothing is multiplied out, and
what is shared is compared once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from gendsl.validate import value as v
from gendsl.validate import whole as w
from gendsl.validate.simplify import Factor, factors, simple, terms
from gendsl.validate.value import Value
from gendsl.validate.whole import Unit, Whole

_known: dict[tuple[Value, Value], bool] = {}
_memories: dict[Value, frozenset[str]] = {}
w.decided += [_known, _memories]


def alike(a: Value, b: Value) -> bool:
    if a is b:
        return True
    key = (a, b)
    found = _known.get(key)
    if found is None:
        w.tick()
        found = _known[key] = memories(a) == memories(b) and _alike(a, b)
    return found


def _alike(a: Value, b: Value) -> bool:
    rows, others = list(terms(a)), list(terms(b))
    if len(rows) > 1 or len(others) > 1:
        return matched(rows, others, _same_term)
    (c, p), (d, q) = factors(a), factors(b)
    if len(p) > 1 or len(q) > 1 or c != 1 or d != 1 or [e for _, e in p] != [e for _, e in q]:
        return c == d and matched(p, q, _same_factor)
    return a.kind == b.kind and _same_kind(a, b)


def matched(a: Sequence[Any], b: Sequence[Any], same: Callable[[Any, Any], bool]) -> bool:
    """Whether these are the same in some order: `same` being an equivalence, any match will do."""
    if len(a) != len(b):
        return False
    left = list(b)
    for x in a:
        k = next((k for k, y in enumerate(left) if x == y), None)
        if k is None:
            k = next((k for k, y in enumerate(left) if same(x, y)), None)
        if k is None:
            return False
        del left[k]
    return True


def _same_term(x: tuple[int, Value], y: tuple[int, Value]) -> bool:
    (s, a), (t, b) = x, y
    if s == t:
        return alike(a, b)
    (c, p), (d, q) = factors(a), factors(b)
    return memories(a) == memories(b) and c * s == d * t and matched(p, q, _same_factor)


def _same_factor(x: Factor, y: Factor) -> bool:
    return x[1] == y[1] and alike(x[0], y[0])


def _same_kind(a: Value, b: Value) -> bool:
    x, y = a.args, b.args
    match a.kind:
        case "op":
            if x[0] != y[0]:
                return False
            if x[0].name in ("maximum", "minimum"):
                return matched(x[1], y[1], alike)
            return all(map(alike, x[1], y[1]))
        case "where":
            turned = (v.negate(y[0]), y[2], y[1])
            return all(map(alike, x, y)) or all(map(alike, x, turned))
        case "and":
            return matched(v.conjuncts(a), v.conjuncts(b), alike)
        case "or":
            return matched(list(_disjuncts(a)), list(_disjuncts(b)), alike)
        case "not":
            return alike(x[0], y[0])
        case "sum" | "max" | "min":
            return _same_over(x[0], x[1], y[0], y[1])
        case "cmp":
            return x[0] == y[0] and alike(x[1], y[1]) and alike(x[2], y[2])
        case "whole" | "ge0" | "eq0":
            return same_whole(x[0], y[0])
        case _:
            return same_key(a, b)


def _disjuncts(t: Value) -> Iterator[Value]:
    if t.kind == "or":
        for part in t.args:
            yield from _disjuncts(part)
    else:
        yield t


def same_key(a: Value, b: Value) -> bool:
    """Entries of memories, draws, places of least entries, opaque functions."""
    x, y = a.args, b.args
    if a.kind != b.kind:
        return False
    match a.kind:
        case "get":
            return x[0] == y[0] and x[2] == y[2] and same_whole(x[1], y[1])
        case "draw":
            return x[:2] == y[:2] and _all_same((*x[2], *x[3]), (*y[2], *y[3]))
        case "choice":
            return alike(simple(x[0]), simple(y[0])) and _all_same(x[1:], y[1:])
        case "pick":
            return x[0] == y[0] and _same_over((x[1],), simple(x[2]), (y[1],), simple(y[2]))
        case "fn":
            return x[0] == y[0] and _all_same(x[1], y[1]) and _same_bodies(x[2], y[2])
        case _:
            return False


def _same_bodies(a: Sequence[Any], b: Sequence[Any]) -> bool:
    return len(a) == len(b) and all(
        len(p[0]) == len(q[0])
        and all(i.args[1] is j.args[1] for i, j in zip(p[0], q[0], strict=True))
        and _under(p[0], p[1], q[0], q[1])
        for p, q in zip(a, b, strict=True)
    )


def _all_same(a: Sequence[Whole], b: Sequence[Whole]) -> bool:
    return len(a) == len(b) and all(map(same_whole, a, b))


def same_whole(p: Whole, q: Whole) -> bool:
    """Equal integers, where loaded or chosen indices may be written in two ways."""
    if p is q:
        return True
    mine, others = (
        sorted((u for u in w.units_of(x) - w.units_of(y) if u.kind == "get"), key=w.serial)
        for x, y in ((p, q), (q, p))
    )
    to: dict[Unit, Whole] = {}
    for u in others:
        twin = next((t for t in mine if t.args[1] is u.args[1] and _twins(t, u)), None)
        if twin is None:
            return False
        to[u] = w.of_unit(twin)
    return bool(to) and w.rename(q, to) is p


def _twins(t: Unit, u: Unit) -> bool:
    return same_key(t.args[0], u.args[0])


# ---- binders -----------------------------------------------------------------------------


def _same_over(vs: Sequence[Unit], a: Value, us: Sequence[Unit], b: Value) -> bool:
    """Whether the bodies agree, for some pairing of the variables."""
    return any(_under(vs, a, order, b) for order in _orders(vs, us))


def _orders(vs: Sequence[Unit], us: Sequence[Unit]) -> Iterator[tuple[Unit, ...]]:
    """The second variables in orders in which their ranges are those of the first."""
    if not vs or len(vs) != len(us):
        if not vs and not us:
            yield ()
        return
    for k, u in enumerate(us):
        if u.args[1] is vs[0].args[1]:
            for rest in _orders(vs[1:], [*us[:k], *us[k + 1 :]]):
                yield (u, *rest)


def _under(vs: Iterable[Unit], a: Value, us: Iterable[Unit], b: Value) -> bool:
    """The bodies over common new variables: neither side can capture one."""
    mine, theirs = dict[Unit, Whole](), dict[Unit, Whole]()
    for i, j in zip(vs, us, strict=True):
        new = w.of_unit(w.variable(i.args[1]))
        mine[i] = theirs[j] = new
    return alike(v.rename(a, mine), v.rename(b, theirs))


def memories(x: Value) -> frozenset[str]:
    """What a value reads, as a first test."""
    found = _memories.get(x)
    if found is None:
        names: set[str] = set()
        if x.kind == "get":
            names.add(x.args[0])
        elif x.kind == "draw":
            names.add(f"draw {x.args[1]}")
        for part in _inner(x.args):
            names |= memories(part)
        found = _memories[x] = frozenset(names)
    return found


def _inner(args: Iterable[Any]) -> Iterator[Value]:
    for x in args:
        if isinstance(x, Value):
            yield x
        elif isinstance(x, tuple):
            yield from _inner(x)
        elif isinstance(x, Whole):
            yield from (u.args[0] for u in w.units_of(x) if u.kind == "get")
