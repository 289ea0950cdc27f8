"""Values at one index: what emitted text and graph nodes are both read into.

In: constructors' arguments. Out: hash-consed trees. Reals, by kind: ("num", Fraction) · ("inf", 1
or -1) · ("pi",) · ("whole", Whole) · ("get", memory, Whole, "real") the entry at a row-major offset
· ("op", Op, arguments) a pointwise op of the graph · ("where", truth, yes, no) · ("sum" | "max" |
"min", variables, body) · ("draw", dist, path, places, loop) · ("fn", name, places, ((variables,
body), ...)) an opaque function of all that its operands hold. Truth values: ("truth", bool) ·
("ge0" | "eq0", Whole) · ("not", t) · ("and" | "or", t, u) · ("cmp", Op, a, b) of reals · ("get",
memory, Whole, "bool"). Keys of indices: ("get", memory, Whole, "fin") · ("choice", truth, Whole,
Whole) · ("pick", "argmin", variable, body) · ("draw", ...) · ("fn", ...).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from fractions import Fraction
from typing import Any

from gendsl.ops import arithmetic as ar
from gendsl.validate import whole as w
from gendsl.validate.whole import Renaming, Unit, Whole


class Value:
    """See the module. Make with `value`."""

    __slots__ = ("args", "kind", "serial", "units")
    units: frozenset[Unit]

    def __init__(self, kind: str, args: tuple[Any, ...], serial: int) -> None:
        self.kind, self.args, self.serial = kind, args, serial
        units: set[Unit] = set()
        for part in _parts(args):
            units |= part.units if isinstance(part, Value) else w.units_of(part)
        if kind in BINDERS:
            units -= set(args[0])
        elif kind == "pick":
            units.discard(args[1])
        elif kind == "fn":
            units -= {v for bound, _ in args[2] for v in bound}
        self.units = frozenset(units)

    def __repr__(self) -> str:
        return show(self)


BINDERS = ("sum", "max", "min")
_VALUES: dict[tuple[Any, ...], Value] = {}


def _parts(args: Iterable[Any]) -> Iterable[Value | Whole]:
    for a in args:
        if isinstance(a, Value | Whole):
            yield a
        elif isinstance(a, tuple):
            yield from _parts(a)


def value(kind: str, *args: Any) -> Value:
    key = (kind, *args)
    found = _VALUES.get(key)
    if found is None:
        found = _VALUES[key] = Value(kind, args, len(_VALUES))
    return found


# ---- reals -------------------------------------------------------------------------------


def num(x: Fraction | int) -> Value:
    return value("num", Fraction(x))


def real(x: Whole) -> Value:
    """An integer as a real number."""
    return num(x.constant) if x.constant is not None else value("whole", x)


def get(memory: str, offset: Whole, elem: str = "real") -> Value:
    return value("get", memory, offset, elem)


def index_of(key: Value, bound: Whole) -> Whole:
    """The index that a key stands for."""
    return w.of_unit(w.unit("get", key, bound))


def op(operation: Any, *args: Value) -> Value:
    """A pointwise op; arithmetic of numbers is done, and 0 and 1 vanish."""
    a = args[0]
    match operation:
        case ar.Neg():
            return num(-a.args[0]) if a.kind == "num" else value("op", operation, args)
        case ar.Add():
            if ZERO in args:
                return args[1] if a is ZERO else a
        case ar.Sub():
            if args[1] is ZERO:
                return a
        case ar.Mul():
            if ZERO in args and not any(x.kind == "inf" for x in args):
                return ZERO
            if ONE in args:
                return args[1] if a is ONE else a
        case _:
            pass
    if all(x.kind == "num" for x in args) and len(args) == 2:
        x, y = (v.args[0] for v in args)
        match operation:
            case ar.Add():
                return num(x + y)
            case ar.Sub():
                return num(x - y)
            case ar.Mul():
                return num(x * y)
            case _:
                pass
    return value("op", operation, args)


def add(a: Value, b: Value) -> Value:
    return op(ar.Add(), a, b)


def mul(a: Value, b: Value) -> Value:
    return op(ar.Mul(), a, b)


def total(variables: Sequence[Unit], body: Value) -> Value:
    """The sum over all values of the variables."""
    return value("sum", tuple(variables), body) if variables and body is not ZERO else body


def where(condition: Value, yes: Value, no: Value) -> Value:
    if condition.kind == "truth":
        return yes if condition.args[0] else no
    yes = given(under(condition, yes), frozenset(conjuncts(condition)), True)
    if condition.kind != "and":
        no = given(no, frozenset((condition,)), False)
    return yes if yes is no else value("where", condition, yes, no)


_given: dict[tuple[Value, frozenset[Value], bool], Value] = {}
w.decided.append(_given)


def given(x: Value, known: frozenset[Value], holds: bool) -> Value:
    """x where all of these conditions hold (or the one of them does not): choices are made."""
    if x.kind not in ("op", "where", "sum", "max", "min"):
        return x
    key = (x, known, holds)
    found = _given.get(key)
    if found is None:
        found = _given[key] = _chosen(x, known, holds)
    return found


def _chosen(x: Value, known: frozenset[Value], holds: bool) -> Value:
    match x.kind:
        case "op":
            parts = tuple(given(a, known, holds) for a in x.args[1])
            return x if parts == x.args[1] else op(x.args[0], *parts)
        case "where":
            left = [c for c in conjuncts(x.args[0]) if c not in known]
            yes, no = (given(a, known, holds) for a in x.args[1:])
            if holds and not left:
                return yes
            if not holds and any(c in known for c in conjuncts(x.args[0])):
                return no
            condition = TRUE
            for c in left if holds else conjuncts(x.args[0]):
                condition = both(condition, c)
            same_ = (condition, yes, no) == x.args
            return x if same_ else where(condition, yes, no)
        case _:
            body = given(x.args[1], known, holds)
            return x if body is x.args[1] else value(x.kind, x.args[0], body)


def choice(condition: Value, yes: Whole, no: Whole) -> Whole:
    """One of two indices. Its bound is that of `yes` if `no` is below it too, else just above `no`
    if that is not below any `yes`."""
    if condition.kind == "truth":
        return yes if condition.args[0] else no
    if yes is no:
        return yes
    if yes.constant is not None and no.constant is None:
        return choice(negate(condition), no, yes)
    gets = [u for u in yes.atoms if u.kind in ("get", "var")]
    bound = gets[0].args[-1] if len(gets) == 1 and yes is w.of_unit(gets[0]) else None
    if bound is not None and not w.less(no, bound) and w.nonnegative(no - bound):
        bound = no + 1
    if bound is None or not (w.nonnegative(no) and w.less(no, bound)):
        raise w.Unmodelled(f"a choice between {yes} and {no}")
    return index_of(value("choice", condition, yes, no), bound)


def first(kind: str, i: Unit, body: Value) -> Value:
    """The key of the first index whose entry is the least (argmin), or the largest (argmax)."""
    body = op(ar.Neg(), body) if kind == "argmax" else body
    return value("pick", "argmin", i, body)


# ---- truth values ------------------------------------------------------------------------


def truth(x: bool) -> Value:
    return value("truth", x)


def at_least(a: Whole, b: Whole) -> Value:
    """a >= b."""
    gap = _tightened(_without_floor(a - b))
    if w.nonnegative(gap):
        return TRUE
    return FALSE if w.nonnegative(-gap - 1) else value("ge0", gap)


def _without_floor(gap: Whole) -> Whole:
    """floor(n / q) + r >= 0 as n + r q >= 0; r - floor(n / q) >= 0 as r q + q - 1 - n >= 0."""
    for u in sorted(gap.atoms, key=w.serial):
        if u.kind == "div":
            slope, rest = w.affine_in(gap, u)
            number, divisor = u.args
            if slope is w.ONE:
                return _without_floor(number + rest * divisor)
            if slope is MINUS:
                return _without_floor(rest * divisor + divisor - 1 - number)
    return gap


def _tightened(gap: Whole) -> Whole:
    """x >= 0 as floor(x / g) >= 0, for a coefficient g that leaves no remainder to speak of."""
    steps: dict[Whole, None] = {}
    for m, c in gap.terms.items():
        sizes = tuple((a, e) for a, e in m if a.kind == "size")
        if len(sizes) < len(m) and (abs(c) > 1 or sizes):
            steps[w.whole({sizes: abs(c)})] = None
    for g in steps:
        quotient = w.floordiv(gap, g)
        if len(quotient.atoms) < len(gap.atoms) and quotient.atoms <= gap.atoms:
            return _tightened(quotient)
        if quotient.atoms <= gap.atoms and len(quotient.terms) <= len(gap.terms):
            if quotient is not gap and all(a.kind != "div" for a in quotient.atoms - gap.atoms):
                return _tightened(quotient)
    return gap


def same(a: Whole, b: Whole) -> Value:
    gap = a - b
    if gap.constant is not None:
        return truth(gap.constant == 0)
    return FALSE if w.positive(gap) or w.positive(-gap) else value("eq0", gap)


def negate(t: Value) -> Value:
    if t.kind == "truth":
        return truth(not t.args[0])
    if t.kind == "ge0":
        return at_least(-t.args[0] - 1, w.ZERO)
    return t.args[0] if t.kind == "not" else value("not", t)


def both(a: Value, b: Value) -> Value:
    if FALSE in (a, b):
        return FALSE
    if TRUE in (a, b) or a is b:
        return b if a is TRUE else a
    a, b = under(b, a), under(a, b)
    return b if a is TRUE else a if b is TRUE or a is b else value("and", a, b)


def under(condition: Value, x: Any) -> Any:
    """A value or integer where a condition holds: divisions of what it bounds, and choices that it
    makes."""
    known = conjuncts(condition)
    for _ in range(_NESTED):
        units = x.units if isinstance(x, Value) else w.units_of(x)
        to: dict[Unit, Whole] = {}
        for u in units:
            if u.kind in ("div", "trunc"):
                bounds = tuple(
                    c for c in known if c.kind == "ge0" and c.units & w.units_of(u.args[0])
                )
                made = _divided(u, bounds) if bounds else None
                if made is not None:
                    to[u] = made
            elif u.kind == "get" and u.args[0].kind == "choice":
                test, yes, _ = u.args[0].args
                if all(c in known for c in conjuncts(test)):
                    to[u] = yes
        if not to:
            return x
        x = rename(x, to) if isinstance(x, Value) else w.rename(x, to)
    return x


# How deep divisions may be nested in each other.
_NESTED = 6
_quotients: dict[tuple[Unit, tuple[Value, ...]], Whole | None] = {}
w.decided.append(_quotients)


def _divided(u: Unit, bounds: tuple[Value, ...]) -> Whole | None:
    """What a division is where these integers are not negative, if that is simpler."""
    key = (u, bounds)
    if key not in _quotients:
        above, below = u.args
        natural = _follows(above, bounds)
        small = natural and _follows(below - above - 1, bounds)
        floor = w.floordiv(above, below) if natural and u.kind == "trunc" else None
        _quotients[key] = w.ZERO if small else floor
    return _quotients[key]


def _follows(p: Whole, bounds: tuple[Value, ...]) -> bool:
    """p >= 0 evidently, or because it is at least one that is not negative."""
    return w.nonnegative(p) or any(w.nonnegative(p - c.args[0]) for c in bounds)


def either(a: Value, b: Value) -> Value:
    if TRUE in (a, b):
        return TRUE
    return b if a is FALSE else a if b is FALSE or a is b else value("or", a, b)


def conjuncts(t: Value) -> list[Value]:
    return [c for a in t.args for c in conjuncts(a)] if t.kind == "and" else [t]


# ---- substitution ------------------------------------------------------------------------

_renamed: dict[tuple[Value, frozenset[tuple[Unit, Whole]]], Value] = {}
w.decided.append(_renamed)


def rename(x: Value, to: Renaming) -> Value:
    """Replace units by integers; truth values that this decides are decided."""
    here = {u: p for u, p in to.items() if u in x.units}
    if not here:
        return x
    key = (x, frozenset(here.items()))
    found = _renamed.get(key)
    if found is None:
        w.tick()
        found = _renamed[key] = _rename(x, here)
    return found


def _rename(x: Value, to: Renaming) -> Value:
    args = x.args
    match x.kind:
        case "whole":
            return real(w.rename(args[0], to))
        case "get":
            return get(args[0], w.rename(args[1], to), args[2])
        case "op":
            return op(args[0], *(rename(a, to) for a in args[1]))
        case "where":
            return where(*(rename(a, to) for a in args))
        case "ge0":
            return at_least(w.rename(args[0], to), w.ZERO)
        case "eq0":
            return same(w.rename(args[0], to), w.ZERO)
        case "not":
            return negate(rename(args[0], to))
        case "and" | "or":
            return (both if x.kind == "and" else either)(*(rename(a, to) for a in args))
        case _:
            return value(x.kind, *(_each(a, to) for a in args))


def _each(a: Any, to: Renaming) -> Any:
    if isinstance(a, Value):
        return rename(a, to)
    if isinstance(a, Whole):
        return w.rename(a, to)
    return tuple(_each(x, to) for x in a) if isinstance(a, tuple) else a


def freshened(x: Value) -> Value:
    """A sum (or maximum) with new names for its variables."""
    new = {v: w.variable(v.args[1]) for v in x.args[0]}
    body = rename(x.args[1], {v: w.of_unit(n) for v, n in new.items()})
    return value(x.kind, tuple(new.values()), body)


def unfold(x: Value, define: Callable[[str, Whole], Value | None]) -> Value:
    """Replace entries of memories by what they are defined to be."""
    done: dict[Value, Value] = {}

    def each(a: Any) -> Any:
        if isinstance(a, Value):
            return whole_value(a)
        return tuple(each(y) for y in a) if isinstance(a, tuple) else a

    def whole_value(y: Value) -> Value:
        if y not in done:
            made = define(y.args[0], y.args[1]) if y.kind == "get" and y.args[2] == "real" else None
            if made is not None:
                done[y] = whole_value(made)
            elif y.kind in ("op", "where"):
                head = (y.args[0],) if y.kind == "op" else ()
                rest = y.args[1] if y.kind == "op" else y.args
                parts = [whole_value(a) for a in rest]
                done[y] = op(*head, *parts) if y.kind == "op" else where(*parts)
            else:
                done[y] = value(y.kind, *(each(a) for a in y.args))
        return done[y]

    return whole_value(x)


w.rebuild_key.append(rename)
w.units_of_key.append(lambda key: key.units)


def show(x: Value) -> str:
    """A short text, for reasons."""
    match x.kind:
        case "num":
            return str(x.args[0]) if x.args[0].denominator < 1000 else f"{float(x.args[0]):g}"
        case "whole" | "truth":
            return str(x.args[0])
        case "get":
            return f"{x.args[0]}[{x.args[1]}]"
        case "op":
            return f"{x.args[0].name}({', '.join(map(show, x.args[1]))})"
        case "ge0" | "eq0":
            return f"{x.args[0]} {'>=' if x.kind == 'ge0' else '='} 0"
        case "sum" | "max" | "min":
            return f"{x.kind}({show(x.args[1])})"
        case "where" | "and" | "or" | "not":
            return f"{x.kind}({', '.join(map(show, x.args))})"
        case _:
            return " ".join([x.kind, *map(str, x.args[:1])])


MINUS = w.number(-1)
ZERO, ONE, TRUE, FALSE = num(0), num(1), truth(True), truth(False)
