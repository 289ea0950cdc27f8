"""Addresses of a generic program: which elements its accesses reach.

In: accesses, as offsets and masks over variables. Out: whether they lie in a memory (`within`),
reach every element once (`covers`), and how many programs a task needs (`programs`). Always: an
answer that is not evident for all sizes and blocks is no.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from gendsl.validate import merge
from gendsl.validate import value as v
from gendsl.validate import whole as w
from gendsl.validate.triton_text import Access
from gendsl.validate.value import Value
from gendsl.validate.whole import Unit, Whole


def settled(
    variables: Sequence[Unit], things: Sequence[merge.Thing], conditions: Sequence[Value] = ()
) -> tuple[list[Unit], list[merge.Thing], list[Value]]:
    """`merge.settle` where these conditions hold: variables, things, and what is left of the
    conditions."""

    def guard(now: Sequence[Unit], out: Sequence[merge.Thing]) -> tuple[Unit, Whole] | None:
        assumed = [x for x in out[len(things) :] if isinstance(x, Value)]
        for i in now:
            for bound in merge.guards(i, assumed):
                if w.nonnegative(i.args[1] - bound) and w.positive(bound):
                    return i, bound
        return None

    now, out, _ = merge.settle(variables, [*things, *conditions], guard)
    left = [c for c in out[len(things) :] if isinstance(c, Value) and c is not v.TRUE]
    return now, out[: len(things)], left


def covers(variables: Sequence[Unit], offset: Whole, count: Whole) -> str | None:
    """None if `offset` takes each value below `count` exactly once as the variables vary: it is a
    mixed-radix number whose digits are the variables."""
    left, stride = list(variables), w.ONE
    rest = offset
    while left:
        digit = next((i for i in left if _slope(offset, i) is stride), None)
        if digit is None:
            names = ", ".join(f"{i} < {i.args[1]}" for i in left)
            return f"differ: {offset} is not shown to reach each element once ({names})"
        left.remove(digit)
        rest = rest - w.of_unit(digit) * stride
        stride = stride * digit.args[1]
    if rest.terms:
        return f"differ: the address {offset} does not start at 0"
    if stride is not count:
        return f"differ: {stride} elements are written, of {count}"
    return None


def _slope(offset: Whole, i: Unit) -> Whole | None:
    slope, _ = w.affine_in(offset, i)
    return slope


def within(load: Access, count: Whole) -> bool:
    """Whether every address that is read lies in the memory."""
    load = _for_any_index(load)
    variables = sorted(
        w.variables(load.offset) | {u for u in load.mask.units if u.kind == "var"},
        key=w.serial,
    )
    start = v.under(load.mask, load.offset)
    _, (offset,), rest = settled(variables, [start], v.conjuncts(load.mask))
    condition = v.TRUE
    for c in rest:
        condition = v.both(condition, c)
    offset = assuming(v.under(condition, offset), v.conjuncts(condition))
    left = sorted(w.variables(offset), key=w.serial)
    _, (offset,), _ = settled(left, [offset])
    assert isinstance(offset, Whole)
    return w.nonnegative(offset) and w.less(offset, count)


def _for_any_index(load: Access) -> Access:
    """The load with a variable for each loaded or chosen index that its address divides: it may be
    whatever is below its bound."""
    divided = {u.args[0] for u in w.units_of(load.offset) if u.kind == "div"}
    chosen = {a for p in divided for a in p.atoms if a.kind == "get"}
    ordered = sorted(chosen, key=w.serial)
    to = {a: w.of_unit(w.variable(a.args[1])) for a in ordered if not w.variables(a.args[1])}
    if not to:
        return load
    return replace(load, offset=w.rename(load.offset, to), mask=v.rename(load.mask, to))


def assuming(offset: Whole, conditions: Sequence[Value]) -> Whole:
    """The offset where p >= 0 and X - 1 - p >= 0: with p as a variable below X."""
    gaps = [c.args[0] for c in conditions if c.kind == "ge0"]
    for p in gaps:
        for i in sorted(w.variables(p), key=w.serial):
            low = w.of_unit(i) - p
            top = i.args[1] - low
            if not w.variables(low) and w.positive(low) and w.positive(top):
                to = {i: w.of_unit(w.variable(top)) + low}
                left = [v.rename(c, to) for c in conditions if c.args[0] is not p]
                return assuming(w.rename(offset, to), left)
    for n, p in enumerate(gaps):
        for q in gaps[n + 1 :]:
            bound = p + q + 1
            if w.variables(bound) or not w.positive(bound):
                continue
            for i in sorted(w.variables(p), key=w.serial):
                slope, rest = w.affine_in(p, i)
                if slope is None or slope.constant not in (1, -1):
                    continue
                y = w.of_unit(w.variable(bound))
                solved = y - rest if slope.constant == 1 else rest - y
                return assuming(
                    w.rename(offset, {i: solved}),
                    [v.rename(c, {i: solved}) for c in conditions if c.args[0] not in (p, q)],
                )
    return offset


def programs(stores: Sequence[Access], p: Unit, elements: Whole) -> Whole:
    """How many programs a task needs, by its first store: tiles of the last axes, times what its
    slowest digit ranges over (by a mask, or by the elements there are); one if no address varies
    with the program. (`covers` checks what is written with so many.)"""
    for store in stores:
        units = w.units_of(store.offset) | store.mask.units
        if p not in units:
            return w.ONE
        divisors = [u.args[1] for u in units if u.kind == "div" and u.args[0] is w.of_unit(p)]
        below = next(
            (q for q in divisors if all(w.exact(q, d) is not None for d in divisors)), w.ONE
        )
        top, low = w.variable(p.args[1]), w.variable(below)
        to = {p: w.of_unit(top) * below + w.of_unit(low)}
        for c in v.conjuncts(v.rename(store.mask, to)):
            slope, rest = w.affine_in(c.args[0], top) if c.kind == "ge0" else (w.ZERO, w.ZERO)
            if not slope or not slope.terms or w.variables(slope):
                continue
            lanes = dict.fromkeys(w.variables(rest), w.ZERO)
            return below * w.cdiv(w.rename(rest, lanes) + 1, -slope)
        slope, _ = w.affine_in(w.rename(store.offset, to), top)
        extent = None if slope is None else w.exact(elements, slope)
        return below if extent is None else below * extent
    return w.ONE
