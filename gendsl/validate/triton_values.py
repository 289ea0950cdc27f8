"""Symbolic blocks of a Triton program, and what its functions mean.

In: evaluated arguments. Out: a `Block`: what one program holds in its lanes, as a function of lane
variables (one for each axis along which it varies). Always: every lane has a value, those in the
padding of a tile too; a load under a mask is `where(mask, entry, other)`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

from gendsl.ir.op import REGISTRY
from gendsl.ops import arithmetic as ar
from gendsl.validate import merge
from gendsl.validate import value as v
from gendsl.validate import whole as w
from gendsl.validate.meaning import compared
from gendsl.validate.torch_values import is_truth
from gendsl.validate.value import Value
from gendsl.validate.whole import Unit, Unmodelled, Whole


@dataclass(frozen=True)
class Pointer:
    """An address: the row-major `offset` in a memory."""

    memory: str
    offset: Whole


@dataclass(frozen=True)
class Among:
    """`yes` where a condition holds, else `no`: integers of which the least is wanted."""

    condition: Value
    yes: Whole
    no: Whole


Body = Value | Whole | Pointer | Among


@dataclass(frozen=True)
class Block:
    """`shape` are the extents; `lanes` the variable of each axis, None where all are equal."""

    shape: tuple[Whole, ...]
    lanes: tuple[Unit | None, ...]
    body: Body


Anything = Any  # a Block, or a Python value of the source (string, None, tuple)


def single(body: Body) -> Block:
    return Block((), (), body)


def renamed(x: Body, to: w.Renaming) -> Body:
    if isinstance(x, Value):
        return v.rename(x, to)
    if isinstance(x, Whole):
        return w.rename(x, to)
    if isinstance(x, Among):
        parts = (w.rename(y, to) for y in (x.yes, x.no))
        return Among(v.rename(x.condition, to), *parts)
    return replace(x, offset=w.rename(x.offset, to))


def block(x: Anything) -> Block:
    if isinstance(x, Block):
        return x
    raise Unmodelled(f"{type(x).__name__} where a value is expected")


def whole_of(x: Anything) -> Whole:
    """A scalar integer."""
    b = block(x)
    if not isinstance(b.body, Whole):
        raise Unmodelled("an integer is expected")
    return b.body


def real(x: Body) -> Value:
    if isinstance(x, Whole):
        return v.real(x)
    if isinstance(x, Value):
        return v.where(x, v.ONE, v.ZERO) if is_truth(x) else x
    raise Unmodelled("a pointer, or a choice of integers, in arithmetic")


def truth(x: Body) -> Value:
    if isinstance(x, Value) and is_truth(x):
        return x
    if isinstance(x, Whole):
        return v.negate(v.same(x, w.ZERO))
    raise Unmodelled("a truth value is expected")


# ---- shapes ------------------------------------------------------------------------------


def together(
    blocks: Sequence[Block],
) -> tuple[tuple[Whole, ...], tuple[Unit | None, ...], list[Body]]:
    """The common shape and lanes, and the bodies in these lanes."""
    rank = max(len(b.shape) for b in blocks)
    shape, lanes = list[Whole](), list[Unit | None]()
    renamings: list[dict[Unit, Whole]] = [{} for _ in blocks]
    for axis in range(-rank, 0):
        here = [(k, b) for k, b in enumerate(blocks) if len(b.shape) >= -axis]
        extents = {b.shape[axis] for _, b in here} - {w.ONE}
        if len(extents) > 1:
            raise Unmodelled(f"blocks of extents {', '.join(map(str, extents))}")
        shape.append(extents.pop() if extents else w.ONE)
        lane: Unit | None = None
        for k, b in here:
            own = b.lanes[axis]
            if own is None or own is lane:
                continue
            if lane is None:
                lane = own
            else:
                renamings[k][own] = w.of_unit(lane)
        lanes.append(lane)
    bodies = [renamed(b.body, to) for b, to in zip(blocks, renamings, strict=True)]
    return tuple(shape), tuple(lanes), bodies


def lift(f: Callable[..., Body], *operands: Anything) -> Block:
    """f, lane by lane."""
    shape, lanes, bodies = together([block(x) for x in operands])
    return Block(shape, lanes, f(*bodies))


def subscripted(x: Block, items: Sequence[Any]) -> Block:
    """x[:, None]: new axes of extent 1."""
    shape, lanes = list[Whole](), list[Unit | None]()
    own = iter(zip(x.shape, x.lanes, strict=True))
    for item in items:
        if item is None:
            shape.append(w.ONE)
            lanes.append(None)
        elif item == slice(None, None, None):
            extent, lane = next(own)
            shape.append(extent)
            lanes.append(lane)
        else:
            raise Unmodelled("an index into a block")
    if next(own, None) is not None:
        raise Unmodelled("an index that leaves axes out")
    return Block(tuple(shape), tuple(lanes), x.body)


def arange(start: Anything, end: Anything) -> Block:
    first, extent = whole_of(start), whole_of(end) - whole_of(start)
    lane = w.variable(extent, "r")
    return Block((extent,), (lane,), first + w.of_unit(lane))


def filled(shape: Anything, body: Body) -> Block:
    extents = tuple(whole_of(x) for x in (shape if isinstance(shape, tuple) else (shape,)))
    return Block(extents, (None,) * len(extents), body)


def transposed(x: Block) -> Block:
    return Block(x.shape[::-1], x.lanes[::-1], x.body)


def broadcast_to(x: Block, *shape: Anything) -> Block:
    to = shape[0] if len(shape) == 1 and isinstance(shape[0], tuple) else shape
    made = together([x, filled(to, w.ZERO)])
    return Block(made[0], made[1], made[2][0])


# ---- arithmetic --------------------------------------------------------------------------


def _add(x: Body, y: Body) -> Body:
    if isinstance(x, Pointer) and isinstance(y, Whole):
        return replace(x, offset=x.offset + y)
    if isinstance(y, Pointer) and isinstance(x, Whole):
        return replace(y, offset=y.offset + x)
    if isinstance(x, Whole) and isinstance(y, Whole):
        return x + y
    return v.op(ar.Add(), real(x), real(y))


def _sub(x: Body, y: Body) -> Body:
    if isinstance(x, Whole) and isinstance(y, Whole):
        return x - y
    if isinstance(x, Pointer) and isinstance(y, Whole):
        return replace(x, offset=x.offset - y)
    return v.op(ar.Sub(), real(x), real(y))


def _mul(x: Body, y: Body) -> Body:
    if isinstance(x, Whole) and isinstance(y, Whole):
        return x * y
    return v.op(ar.Mul(), real(x), real(y))


def _div(x: Body, y: Body) -> Body:
    return v.op(ar.Div(), real(x), real(y))


def _integers(f: Callable[[Whole, Whole], Whole]) -> Callable[[Body, Body], Body]:
    def apply(x: Body, y: Body) -> Body:
        if isinstance(x, Whole) and isinstance(y, Whole):
            return f(x, y)
        raise Unmodelled("integer arithmetic of reals")

    return apply


def floor_division(x: Whole, y: Whole) -> Whole:
    """`//` of the language truncates: the same as the floor where nothing is negative."""
    if not w.positive(y):
        raise Unmodelled(f"a division by {y}, which may not be positive")
    return w.truncdiv(x, y)


def remainder(x: Whole, y: Whole) -> Whole:
    return x - y * floor_division(x, y)


def _both(x: Body, y: Body) -> Body:
    return v.both(truth(x), truth(y))


def _either(x: Body, y: Body) -> Body:
    return v.either(truth(x), truth(y))


BINARY: dict[str, Callable[[Body, Body], Body]] = {
    "Add": _add,
    "Sub": _sub,
    "Mult": _mul,
    "Div": _div,
    "FloorDiv": _integers(floor_division),
    "Mod": _integers(remainder),
    "BitAnd": _both,
    "BitOr": _either,
}


def comparison(kind: str) -> Callable[[Body, Body], Body]:
    def apply(x: Body, y: Body) -> Body:
        if isinstance(x, Pointer | Among) or isinstance(y, Pointer | Among):
            raise Unmodelled("a comparison of pointers, or of choices")
        for a, b in ((x, y), (y, x)):
            if isinstance(a, Value) and is_truth(a) and b is w.ZERO:
                if kind in ("equal", "not_equal"):
                    return a if kind == "not_equal" else v.negate(a)
        return compared(kind, x, y)

    return apply


def negated(x: Body) -> Body:
    if isinstance(x, Value) and x.kind == "inf":
        return v.value("inf", -x.args[0])
    return -x if isinstance(x, Whole) else v.op(ar.Neg(), real(x))


def inverted(x: Body) -> Body:
    return v.negate(truth(x))


def where(c: Body, x: Body, y: Body) -> Body:
    condition = truth(c)
    if isinstance(x, Whole) and isinstance(y, Whole):
        if (x.constant, y.constant) in ((1, 0), (0, 1)):
            return condition if y is w.ZERO else v.negate(condition)
        if condition.kind == "cmp" and any(a.kind == "min" for a in condition.args[1:]):
            return Among(condition, x, y)
        return v.choice(condition, x, y)
    if isinstance(x, Value) and isinstance(y, Value) and is_truth(x) and is_truth(y):
        return v.either(v.both(condition, x), v.both(v.negate(condition), y))
    return v.where(condition, real(x), real(y))


def of_op(name: str) -> Callable[..., Block]:
    op = REGISTRY[name]()
    return lambda *xs: lift(lambda *ys: v.op(op, *map(real, ys)), *xs)


def _larger(x: Body, y: Body) -> Body:
    if isinstance(x, Whole) and isinstance(y, Whole):
        gap = x - y
        if w.nonnegative(gap) or w.nonnegative(-gap):
            return x if w.nonnegative(gap) else y
        raise Unmodelled(f"the larger of {x} and {y}")
    return v.op(ar.Maximum(), real(x), real(y))


def _smaller(x: Body, y: Body) -> Body:
    if isinstance(x, Whole) and isinstance(y, Whole):
        gap = x - y
        if w.nonnegative(gap) or w.nonnegative(-gap):
            return y if w.nonnegative(gap) else x
        raise Unmodelled(f"the smaller of {x} and {y}")
    return v.op(ar.Minimum(), real(x), real(y))


# ---- reductions --------------------------------------------------------------------------


def lane_of(x: Block, axis: int) -> Unit:
    """The variable of an axis, a new one if nothing varies along it."""
    found = x.lanes[axis]
    return w.variable(x.shape[axis], "r") if found is None else found


def reduced(kind: str, x: Block, axis: Anything = None) -> Block:
    """tl.sum, tl.max, tl.min along one axis, or all."""
    chosen = range(len(x.shape)) if axis is None else (whole_of(axis).constant,)
    axes = {a % len(x.shape) for a in chosen if a is not None}
    lanes = [lane_of(x, a) for a in sorted(axes)]
    if isinstance(x.body, Among):
        if kind != "min" or len(lanes) != 1:
            raise Unmodelled("a reduction of integers")
        kept = [a for a in range(len(x.shape)) if a not in axes]
        place = _first(x.body, lanes[0])
        return Block(tuple(x.shape[a] for a in kept), tuple(x.lanes[a] for a in kept), place)
    body = real(x.body)
    made = v.total(lanes, body) if kind == "sum" else v.value(kind, tuple(lanes), body)
    kept = [a for a in range(len(x.shape)) if a not in axes]
    return Block(tuple(x.shape[a] for a in kept), tuple(x.lanes[a] for a in kept), made)


def _first(x: Among, lane: Unit) -> Whole:
    """The least of `where(tile == min(tile), r, X)`, where the tile is infinite unless r < X: r at
    the first lane with the least entry."""
    kind, tile, low = x.condition.args
    if low.kind != "min":
        tile, low = low, tile
    fits = kind == "equal" and low.kind == "min" and len(low.args[0]) == 1
    if fits:
        (own,) = low.args[0]
        fits = v.rename(low.args[1], {own: w.of_unit(lane)}) is tile
    slope, _ = w.affine_in(x.yes, lane)
    if not fits or slope is None or not w.positive(slope) or tile.kind != "where":
        raise Unmodelled("a least integer that is not the place of the least entry")
    bounded = v.at_least(x.no - 1, x.yes) in v.conjuncts(tile.args[0])
    if not bounded or tile.args[2] is not v.value("inf", 1):
        raise Unmodelled("a tile whose padding is not infinite")
    place = v.index_of(v.first("argmin", lane, tile), lane.args[0 + 1])
    return w.rename(x.yes, {lane: place})


def least(low: Value, place: Whole, t: Unit) -> tuple[Value, Whole]:
    """The least of low(t) over all t, and place(t) at the first t that has it."""
    variables, tile, where_ = [t], low, place
    for u in sorted(w.units_of(place), key=w.serial):
        if u.kind == "get" and u.args[0].kind == "pick" and low.kind == "min":
            lane, body = u.args[0].args[1:]
            (own,) = low.args[0] if len(low.args[0]) == 1 else (lane,)
            if v.rename(low.args[1], {own: w.of_unit(lane)}) is body:
                variables, tile = [t, lane], body
                where_ = w.rename(place, {u: w.of_unit(lane)})
    highest = v.value("inf", 1)

    def guard(now: Sequence[Unit], out: Sequence[merge.Thing]) -> tuple[Unit, Whole] | None:
        body = out[0]
        assert isinstance(body, Value)
        return merge.bounded(now, body, lambda y: y is highest)

    now, (body, at), _ = merge.settle(variables, [tile, where_], guard)
    if len(now) != 1 or at is not w.of_unit(now[0]) or not isinstance(body, Value):
        raise Unmodelled("a running least entry over places that are not in order")
    key = v.first("argmin", now[0], body)
    return v.value("min", (now[0],), body), v.index_of(key, now[0].args[1])


def picked(kind: str) -> Callable[..., Block]:
    def apply(x: Block, axis: Anything, **_: Anything) -> Block:
        a = whole_of(axis).constant
        if a is None:
            raise Unmodelled("an axis that is no number")
        lane = lane_of(x, a)
        key = v.first(kind, lane, real(x.body))
        kept = [k for k in range(len(x.shape)) if k != a % len(x.shape)]
        body = v.index_of(key, x.shape[a])
        return Block(tuple(x.shape[k] for k in kept), tuple(x.lanes[k] for k in kept), body)

    return apply


def dot(a: Block, b: Block, acc: Anything = None, **_: Anything) -> Block:
    """The matrix product of two blocks (over the reals, whatever the precision), plus `acc`."""
    if len(a.shape) != 2 or len(b.shape) != 2 or a.shape[1] is not b.shape[0]:
        raise Unmodelled("tl.dot of blocks that do not fit")
    lane = w.variable(a.shape[1], "k")
    to = w.of_unit(lane)
    left = renamed(a.body, {} if a.lanes[1] is None else {a.lanes[1]: to})
    right = renamed(b.body, {} if b.lanes[0] is None else {b.lanes[0]: to})
    rows, columns = a.lanes[0], b.lanes[1]
    if rows is not None and rows is columns:
        columns = w.variable(b.shape[1], "r")
        right = renamed(right, {rows: w.of_unit(columns)})
    body = v.total([lane], v.mul(real(left), real(right)))
    made = Block((a.shape[0], b.shape[1]), (rows, columns), body)
    return made if acc is None else lift(_add, acc, made)


def converted(x: Block, kind: str) -> Block:
    """`.to(...)`: to a real, or an integer as it is."""
    if kind in ("float32", "float64", "bfloat16", "float16"):
        return lift(real, x)
    if kind in ("int32", "int64", "uint32", "uint64") and isinstance(x.body, Whole):
        return x
    if kind == "int1":
        return lift(truth, x)
    raise Unmodelled(f"a conversion to {kind}")


UNARY = {
    "exp": "exp",
    "log": "log",
    "sqrt": "sqrt",
    "sqrt_rn": "sqrt",
    "rsqrt": "rsqrt",
    "sigmoid": "sigmoid",
    "erf": "erf",
    "abs": "abs",
    "sin": "sin",
    "cos": "cos",
    "floor": "floor",
}
# Functions of the prelude: what each means over the reals (their accuracy has tests of its own).
PRELUDE = {
    **{
        f"_{name}": name
        for name in (["exp", "expm1", "log", "log1p", "sigmoid", "silu", "softplus", "tanh", "erf"])
    },
    **{f"_{name}": name for name in (["gelu", "sin", "cos", "maximum", "minimum"])},
}
DRAWS = {"_normal": "normal", "_uniform": "uniform", "_bits": "bits"}


def power(x: Block, exponent: Block) -> Block:
    k = exponent.body
    if isinstance(k, Value) and k.kind == "num":
        return lift(lambda y: v.op(ar.Power(k.args[0]), real(y)), x)
    if isinstance(k, Whole) and k.constant is not None:
        return lift(lambda y: v.op(ar.Power(Fraction(k.constant or 0)), real(y)), x)
    raise Unmodelled("an exponent that is no number")


CALLS: dict[str, Callable[..., Anything]] = {
    **{f"tl.{name}": of_op(op) for name, op in UNARY.items()},
    **{f"tl.math.{name}": of_op(op) for name, op in UNARY.items()},
    **{name: of_op(op) for name, op in PRELUDE.items()},
    "_power": power,
    "_rank": lambda x: lift(real, x),
    "_greatest": lambda x, axis: reduced("max", x, axis),
    "_least": lambda x, axis: reduced("min", x, axis),
    "tl.arange": arange,
    "tl.cdiv": lambda x, y: lift(_integers(w.cdiv), x, y),
    "tl.where": lambda c, x, y: lift(where, c, x, y),
    "tl.maximum": lambda x, y, **_: lift(_larger, x, y),
    "tl.minimum": lambda x, y, **_: lift(_smaller, x, y),
    "tl.div_rn": lambda x, y: lift(_div, x, y),
    "tl.sum": lambda x, axis=None: reduced("sum", x, axis),
    "tl.max": lambda x, axis=None: reduced("max", x, axis),
    "tl.min": lambda x, axis=None: reduced("min", x, axis),
    "tl.argmin": picked("argmin"),
    "tl.argmax": picked("argmax"),
    "tl.dot": dot,
    "_dot": lambda a, b, acc, _: dot(a, b, acc),
    "_dot_float32": lambda a, b, acc, _: dot(a, b, acc),
    "tl.trans": transposed,
    "tl.broadcast_to": broadcast_to,
    "tl.zeros": lambda shape, dtype=None: filled(shape, v.ZERO),
    "tl.full": lambda shape, x, dtype=None: filled(shape, block(x).body),
    "tl.zeros_like": lambda x: Block(x.shape, (None,) * len(x.shape), v.ZERO),
    "tl.expand_dims": lambda x, axis: subscripted(
        x, _inserted(len(x.shape), whole_of(axis).constant or 0)
    ),
    "tl.multiple_of": lambda x, *_: x,
    "tl.max_contiguous": lambda x, *_: x,
}


def _inserted(rank: int, axis: int) -> list[Any]:
    items: list[Any] = [slice(None, None, None)] * rank
    items.insert(axis, None)
    return items
