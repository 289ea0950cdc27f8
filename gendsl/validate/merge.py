"""The tiling lemma, and mixed-radix variables: other variables for the same set of indices.

In: variables with ranges and what depends on them. Out: the same function over fewer variables with
exact ranges. The three steps, each a bijection of index sets:
  pair    (t, r) with r < D, where all depends on D t + r alone, is one variable below D * size(t)
  guard   a variable under the condition i < X <= its bound ranges below X, where everything at or
          above X vanishes (the caller shows that)
  digits  i below D * n, of which i // D is needed, is D * high + low
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from gendsl.validate import value as v
from gendsl.validate import whole as w
from gendsl.validate.value import Value
from gendsl.validate.whole import Renaming, Unit, Whole

ROUNDS = 60
Thing = Value | Whole


def renamed(x: Thing, to: Renaming) -> Thing:
    return v.rename(x, to) if isinstance(x, Value) else w.rename(x, to)


def units(x: Thing) -> frozenset[Unit]:
    return x.units if isinstance(x, Value) else w.units_of(x)


def pair(variables: Sequence[Unit], things: Sequence[Thing]) -> tuple[list[Unit], Renaming] | None:
    """One pair that merges: the variables after it, and what the old ones are."""
    for r in variables:
        width = r.args[1]
        if width is w.ONE:
            continue
        for t in variables:
            if t is r or t in w.units_of(width) or r in w.units_of(t.args[1]):
                continue
            if not all(_together(x, t, r) for x in things):
                continue
            j = w.variable(t.args[1] * width)
            to = {r: w.of_unit(j) - width * w.of_unit(t)}
            if not any(t in units(renamed(x, to)) for x in things):
                rest = [x for x in variables if x not in (t, r)]
                return [*rest, j], {**to, t: w.ZERO}
    return None


def _together(x: Thing, t: Unit, r: Unit) -> bool:
    """A quick test: both occur, or none of them."""
    return (t in units(x)) == (r in units(x))


def guards(i: Unit, conditions: Iterable[Value]) -> list[Whole]:
    """The X for which a condition says i < X."""
    found: list[Whole] = []
    for c in conditions:
        if c.kind != "ge0" or i not in c.units:
            continue
        gap: Whole = c.args[0]
        bound = gap + w.of_unit(i) + 1
        if i not in w.units_of(bound) and not w.variables(bound):
            found.append(bound)
    return found


def conditions(x: Value) -> list[Value]:
    """Every truth value about indices in x, at any depth."""
    found: dict[Value, None] = {}
    seen: set[Value] = set()
    stack: list[object] = [x]
    while stack:
        y = stack.pop()
        if isinstance(y, tuple):
            stack.extend(y)
        elif isinstance(y, Value) and y not in seen:
            seen.add(y)
            if y.kind == "ge0":
                found[y] = None
            stack.extend(y.args)
        elif isinstance(y, Whole):
            stack.extend(u.args[0] for u in y.atoms if u.kind == "get")
    return list(found)


def digits(
    variables: Sequence[Unit], things: Sequence[Thing], vain: Mapping[Unit, frozenset[Whole]]
) -> tuple[Unit, Whole] | None:
    """A variable and D such that it has to be split into D * high + low; one that leaves nothing
    of a division before others. `vain` are the D with which a variable was split for nothing."""
    other: tuple[Unit, Whole] | None = None
    for u in sorted({u for x in things for u in units(x) if u.kind == "div"}, key=w.serial):
        above, below = u.args
        for i in sorted(w.variables(above), key=w.serial):
            if i not in variables:
                continue
            for width in _widths(i, above, below):
                if width in (w.ONE, i.args[1]) or width in vain.get(i, ()):
                    continue
                parts, to = split(i, width)
                if not any(p in w.units_of(w.rename_unit(u, to)) for p in parts[1:]):
                    return i, width
                other = other or (i, width)
    return other


def _widths(i: Unit, above: Whole, below: Whole) -> Iterable[Whole]:
    """D such that i = D high + low may decide above // below; D divides the bound of i."""
    slope, _ = w.affine_in(above, i)
    if slope is None:
        return
    for width in (w.exact(below, slope), w.exact(below, -slope), below):
        if width is not None and w.positive(width) and w.exact(i.args[1], width) is not None:
            yield width


def split(i: Unit, width: Whole) -> tuple[list[Unit], Renaming]:
    high = w.exact(i.args[1], width)
    assert high is not None  # `digits` has checked
    a, b = w.variable(high), w.variable(width)
    return [a, b], {i: w.of_unit(a) * width + w.of_unit(b)}


def settle(
    variables: Sequence[Unit],
    things: Sequence[Thing],
    guard: Callable[[Sequence[Unit], Sequence[Thing]], tuple[Unit, Whole] | None],
) -> tuple[list[Unit], list[Thing], Renaming]:
    """Apply the three steps while one fits; also what the first variables are in the end's."""
    now, out = list(variables), list(things)
    past: dict[Unit, Whole] = {i: w.of_unit(i) for i in variables}
    siblings: dict[frozenset[Unit], frozenset[Whole]] = {}
    vain: dict[Unit, frozenset[Whole]] = {}  # what a split took apart for nothing

    def apply(to: Mapping[Unit, Whole]) -> None:
        out[:] = [renamed(x, to) for x in out]
        for i in past:
            past[i] = w.rename(past[i], to)

    for _ in range(ROUNDS):
        single = [i for i in now if i.args[1] is w.ONE]
        if single:
            apply(dict.fromkeys(single, w.ZERO))
            now = [i for i in now if i not in single]
            continue
        merged = pair(now, out)
        if merged is not None:
            if frozenset(merged[1]) in siblings:
                vain[merged[0][-1]] = siblings[frozenset(merged[1])]
            now = merged[0]
            out[:] = [renamed(x, _without_zero(merged[1])) for x in out]
            past = {k: _unpaired(p, merged[1]) for k, p in past.items()}
            continue
        bounded = guard(now, out)
        if bounded is not None:
            i, bound = bounded
            fresh = w.variable(bound)
            apply({i: w.of_unit(fresh)})
            now = [fresh if x is i else x for x in now]
            continue
        wanted = digits(now, out, vain)
        if wanted is None:
            return now, out, past
        parts, to = split(*wanted)
        i, width = wanted
        siblings[frozenset(parts)] = vain.get(i, frozenset()) | {width}
        apply(to)
        now = [y for x in now for y in (parts if x is wanted[0] else (x,))]
    raise w.Unmodelled("index variables that do not settle")


def _without_zero(to: Renaming) -> Renaming:
    return {k: p for k, p in to.items() if p is not w.ZERO}


def _unpaired(p: Whole, to: Renaming) -> Whole:
    """An old variable in terms of the merged one: t = j // D, r = j - D t."""
    (r, shift), (t, _) = to.items()
    j = next(u for u in shift.atoms if u.kind == "var" and u is not t)
    width = r.args[1]
    high = w.floordiv(w.of_unit(j), width)
    return w.rename(p, {t: high, r: w.of_unit(j) - width * high})


def bounded(
    variables: Sequence[Unit], body: Value, zero: Callable[[Value], bool]
) -> tuple[Unit, Whole] | None:
    """A variable and the bound that a condition gives it, where `zero` holds of all beyond."""
    found = conditions(body)
    for i in variables:
        for below in guards(i, found):
            if not (w.nonnegative(i.args[1] - below) and w.positive(below)):
                continue
            rest = w.variable(i.args[1] - below)
            if zero(v.rename(body, {i: w.of_unit(rest) + below})):
                return i, below
    return None
