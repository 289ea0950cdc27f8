"""Symbolic torch tensors: entries as functions of the index, and operations on them.

In: evaluated arguments. Out: a `Tensor`, or a number. Always: an entry is what torch computes over
the reals, by torch's documentation; views carry the names of the memory that they show.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from math import prod
from typing import Any

from gendsl.ir.op import REGISTRY
from gendsl.ops import arithmetic as ar
from gendsl.ops import unary as un
from gendsl.validate import value as v
from gendsl.validate import whole as w
from gendsl.validate.meaning import At, compared, offset, places
from gendsl.validate.value import Value
from gendsl.validate.whole import Unmodelled, Whole

Entry = Callable[[At], "Value | Whole"]
_tokens = itertools.count()


def own_memory() -> frozenset[str]:
    return frozenset((f"#{next(_tokens)}",))


@dataclass(frozen=True)
class Tensor:
    """`memory` names what an update in place of this tensor, or of a view of it, would change. A
    view that holds each entry of `base` once says by `undo` where: the index in the view of an
    index in the base."""

    shape: tuple[int, ...]
    entry: Entry = field(repr=False)
    memory: frozenset[str] = field(default_factory=own_memory)
    base: Tensor | None = field(default=None, repr=False)
    undo: Callable[[At], At] | None = field(default=None, repr=False)

    def at(self, at: Sequence[Whole]) -> Value | Whole:
        return self.entry(tuple(at))

    def real(self, at: Sequence[Whole]) -> Value:
        x = self.entry(tuple(at))
        return v.real(x) if isinstance(x, Whole) else x

    def index(self, at: Sequence[Whole]) -> Whole:
        x = self.entry(tuple(at))
        if isinstance(x, Value):
            raise Unmodelled("a real as an index")
        return x


Number = Value | Whole
Anything = Any  # a Tensor, a Number, or a Python value of the source (tuple, string, None, slice)


def scalar(x: Anything) -> Tensor:
    """A tensor as it is, a number as one without axes."""
    if isinstance(x, Tensor):
        return x
    if isinstance(x, Value | Whole):
        return Tensor((), lambda at: x)
    raise Unmodelled(f"{type(x).__name__} where a tensor or number is expected")


def integer(x: Anything) -> int:
    """A whole number that the text fixes."""
    if isinstance(x, Whole) and x.constant is not None:
        return x.constant
    raise Unmodelled("a size that the text does not fix")


def integers(x: Anything) -> tuple[int, ...]:
    return tuple(integer(y) for y in x) if isinstance(x, tuple) else (integer(x),)


# ---- pointwise ---------------------------------------------------------------------------


def broadcast(shapes: Sequence[tuple[int, ...]]) -> tuple[int, ...]:
    rank = max(map(len, shapes))
    result = []
    for axis in range(-rank, 0):
        extents = {s[axis] for s in shapes if len(s) >= -axis} - {1}
        if len(extents) > 1:
            raise Unmodelled(f"operands of shapes {', '.join(map(str, shapes))}")
        result.append(extents.pop() if extents else 1)
    return tuple(result)


def under(x: Tensor, at: At) -> At:
    """The index in an operand that is repeated along axes it lacks or has with size 1."""
    near = at[len(at) - len(x.shape) :]
    return tuple(w.ZERO if d == 1 else i for i, d in zip(near, x.shape, strict=True))


def pointwise(f: Callable[..., Value | Whole], *operands: Anything) -> Anything:
    """f of the entries; of numbers a number."""
    if not any(isinstance(x, Tensor) for x in operands):
        return f(*operands)
    parts = [scalar(x) for x in operands]
    shape = broadcast([x.shape for x in parts])
    return Tensor(shape, lambda at: f(*(x.at(under(x, at)) for x in parts)))


def _reals(f: Callable[..., Value]) -> Callable[..., Value]:
    def apply(*xs: Number) -> Value:
        return f(*(v.real(x) if isinstance(x, Whole) else x for x in xs))

    return apply


def of_op(name: str) -> Callable[..., Anything]:
    """The pointwise op of the graph with this name, on tensors and numbers."""
    op = REGISTRY[name]()
    return lambda *xs: pointwise(_reals(lambda *ys: v.op(op, *ys)), *xs)


def arithmetic(kind: str, a: Anything, b: Anything) -> Anything:
    """+ - * / of tensors and numbers; whole numbers stay whole where they do in Python."""

    def apply(x: Number, y: Number) -> Number:
        if isinstance(x, Whole) and isinstance(y, Whole) and kind in ("add", "sub", "mul"):
            return x + y if kind == "add" else x - y if kind == "sub" else x * y
        p, q = (v.real(z) if isinstance(z, Whole) else z for z in (x, y))
        return v.op(REGISTRY[kind](), p, q)

    return pointwise(apply, a, b)


def comparison(kind: str, a: Anything, b: Anything) -> Anything:
    return pointwise(lambda x, y: compared(kind, x, y), a, b)


def where(c: Anything, a: Anything, b: Anything) -> Anything:
    return pointwise(_chosen, c, a, b)


def _chosen(c: Number, a: Number, b: Number) -> Number:
    if not isinstance(c, Value):
        raise Unmodelled("a condition that is no truth value")
    if isinstance(a, Whole) and isinstance(b, Whole):
        return v.choice(c, a, b)
    p, q = (v.real(z) if isinstance(z, Whole) else z for z in (a, b))
    return v.where(c, p, q)


def power(x: Anything, exponent: Anything) -> Anything:
    if isinstance(exponent, Whole):
        k = Fraction(integer(exponent))
    elif isinstance(exponent, Value) and exponent.kind == "num":
        k = exponent.args[0]
    else:
        raise Unmodelled("an exponent that the text does not fix")
    return pointwise(_reals(lambda y: v.op(ar.Power(k), y)), x)


def clamp(x: Anything, min: Anything = None, max: Anything = None) -> Anything:
    if min is not None:
        x = of_op("maximum")(x, min)
    return x if max is None else of_op("minimum")(x, max)


def to_real(x: Anything) -> Anything:
    """`.to(REAL)` and `float`: truth values become 0 and 1."""

    def apply(y: Number) -> Value:
        if isinstance(y, Whole):
            return v.real(y)
        return v.where(y, v.ONE, v.ZERO) if is_truth(y) else y

    return pointwise(apply, x)


def is_truth(x: Value) -> bool:
    truths = ("truth", "ge0", "eq0", "not", "and", "or", "cmp")
    return x.kind in truths or (x.kind == "get" and x.args[2] == "bool")


def relu_slope(y: Anything, g: Anything) -> Anything:
    """g where y > 0, else 0."""
    return where(comparison("less", v.ZERO, y), g, v.ZERO)


def slope_at_0(y: Anything, g: Anything) -> Anything:
    """g where y >= 0, else 0."""
    return where(comparison("less_equal", v.ZERO, y), g, v.ZERO)


def leaky(kind: str) -> Callable[..., Anything]:
    """g where x > 0 (x >= 0), else slope * g."""

    def apply(x: Anything, g: Anything, slope: Anything) -> Anything:
        return where(comparison(kind, v.ZERO, x), g, arithmetic("mul", slope, g))

    return apply


def leaky_relu(x: Anything, slope: Anything) -> Anything:
    """x where x > 0, else slope * x; for slopes between 0 and 1 that is the larger of the two."""
    scaled = arithmetic("mul", slope, x)
    if isinstance(slope, Value) and slope.kind == "num" and 0 <= slope.args[0] <= 1:
        return of_op("maximum")(x, scaled)
    return where(comparison("less", v.ZERO, x), x, scaled)


def sigmoid_slope(y: Anything, g: Anything) -> Anything:
    """g y (1 - y)."""
    rest = arithmetic("sub", v.ONE, y)
    return arithmetic("mul", g, arithmetic("mul", y, rest))


def softmax_slope(y: Tensor, g: Tensor, dim: Anything) -> Anything:
    """y (g - the sum of g y along dim)."""
    product = arithmetic("mul", g, y)
    assert isinstance(product, Tensor)
    total = reduced("sum", product, dim)
    return arithmetic("mul", y, arithmetic("sub", g, unsqueezed(total, dim)))


def norm_slope(g: Tensor, s: Tensor, r: Tensor, gain: Tensor) -> Anything:
    """The adjoint of normalised rows; see `gendsl.ops.norm.NormSlope`."""
    last = w.number(len(r.shape))
    wide = unsqueezed(r, last)
    q, h = arithmetic("mul", g, gain), arithmetic("mul", s, wide)
    share = v.num(Fraction(1, g.shape[-1]))

    def mean(x: Anything) -> Anything:
        assert isinstance(x, Tensor)
        total = arithmetic("mul", share, reduced("sum", x, last))
        assert isinstance(total, Tensor)
        return unsqueezed(total, last)

    along = arithmetic("mul", h, mean(arithmetic("mul", q, h)))
    return arithmetic("mul", wide, arithmetic("sub", arithmetic("sub", q, mean(q)), along))


def silu_slope(x: Anything, g: Anything = None) -> Anything:
    """The derivative of silu at x, times g: s (1 + x (1 - s)) of s = sigmoid x."""
    s = of_op("sigmoid")(x)
    rest = arithmetic("mul", x, arithmetic("sub", v.ONE, s))
    slope = arithmetic("mul", s, arithmetic("add", v.ONE, rest))
    return slope if g is None else arithmetic("mul", g, slope)


def gelu_slope(x: Anything, g: Anything = None) -> Anything:
    """The derivative of gelu at x, times g: the normal distribution plus x times its density."""
    half, root = v.num(Fraction(1, 2)), v.op(un.Sqrt(), v.num(2))
    erf = of_op("erf")(arithmetic("div", x, root))
    below = arithmetic("mul", half, arithmetic("add", v.ONE, erf))
    bell = of_op("exp")(arithmetic("mul", v.num(Fraction(-1, 2)), of_op("square")(x)))
    whole = v.op(un.Sqrt(), v.mul(v.num(2), v.value("pi")))
    slope = arithmetic("add", below, arithmetic("mul", x, arithmetic("div", bell, whole)))
    return slope if g is None else arithmetic("mul", g, slope)


def softplus(x: Anything, threshold: Anything = None) -> Anything:
    """`threshold` only says from where on the result is rounded to x."""
    return of_op("softplus")(x)


# ---- movement ----------------------------------------------------------------------------


def _one_to_one(view: Tensor, x: Tensor, undo: Callable[[At], At]) -> Tensor:
    """`view` as a view of x that holds each entry of it once."""
    first = x.undo
    if x.base is None or first is None:
        return replace(view, base=x, undo=undo)
    return replace(view, base=x.base, undo=lambda at: undo(first(at)))


def permuted(x: Tensor, *perm: Anything) -> Tensor:
    order = integers(perm)
    shape = tuple(x.shape[p] for p in order)
    view = Tensor(shape, lambda at: x.at([at[order.index(k)] for k in range(len(order))]), x.memory)
    return _one_to_one(view, x, lambda at: tuple(at[p] for p in order))


def transposed(x: Tensor) -> Tensor:
    if len(x.shape) != 2:
        raise Unmodelled("t() of a tensor without two axes")
    return permuted(x, w.ONE, w.ZERO)


def reshaped(x: Tensor, *shape: Anything) -> Tensor:
    to = integers(shape[0]) if len(shape) == 1 and isinstance(shape[0], tuple) else integers(shape)
    if -1 in to:
        rest = prod(d for d in to if d != -1)
        to = tuple(prod(x.shape) // rest if d == -1 else d for d in to)
    if prod(to) != prod(x.shape):
        raise Unmodelled(f"a reshape of {x.shape} to {to}")
    extents, own = (tuple(map(w.number, s)) for s in (to, x.shape))
    return Tensor(to, lambda at: x.at(places(offset(at, extents), own)), x.memory)


def viewed(x: Tensor, *shape: Anything) -> Tensor:
    """`x.view(...)`, which unlike `reshape` never copies."""
    view = reshaped(x, *shape)
    extents, own = (tuple(map(w.number, s)) for s in (view.shape, x.shape))
    return _one_to_one(view, x, lambda at: places(offset(at, own), extents))


def expanded(x: Tensor, *shape: Anything) -> Tensor:
    to = integers(shape)
    if broadcast([x.shape, to]) != to:
        raise Unmodelled(f"expand of {x.shape} to {to}")
    return Tensor(to, lambda at: x.at(under(x, at)), x.memory)


def unsqueezed(x: Tensor, axis: Anything) -> Tensor:
    k = integer(axis)
    return Tensor(
        (*x.shape[:k], 1, *x.shape[k:]), lambda at: x.at((*at[:k], *at[k + 1 :])), x.memory
    )


def squeezed(x: Tensor, axis: Anything) -> Tensor:
    k = integer(axis)
    if x.shape[k] != 1:
        raise Unmodelled("squeeze of an axis that has not size 1")
    return Tensor(
        (*x.shape[:k], *x.shape[k + 1 :]), lambda at: x.at((*at[:k], w.ZERO, *at[k:])), x.memory
    )


def subscripted(x: Tensor, index: Anything) -> Tensor:
    """x[...]: new axes, windows, a number, or a tensor of indices along the first axis."""
    items = index if isinstance(index, tuple) else (index,)
    if len(items) == 1 and isinstance(items[0], Tensor):
        picks = items[0]
        rank = len(picks.shape)
        return Tensor(
            (*picks.shape, *x.shape[1:]),
            lambda at: x.at((picks.index(at[:rank]), *at[rank:])),
        )
    shape: list[int] = []
    moves: list[Callable[[At], Whole]] = []
    axis = 0
    for item in items:
        place = len(shape)
        if item is None:
            shape.append(1)
            continue
        if isinstance(item, Whole):
            moves.append(lambda at, i=item: i)  # type: ignore[misc]
        elif isinstance(item, slice):
            start, stop, step = _window(item, x.shape[axis])
            shape.append(-(-(stop - start) // step))
            moves.append(lambda at, k=place, s=start, t=step: at[k] * t + s)  # type: ignore[misc]
        else:
            raise Unmodelled("an index of several tensors")
        axis += 1
    done = len(shape)
    return Tensor(
        (*shape, *x.shape[axis:]), lambda at: x.at((*(m(at) for m in moves), *at[done:])), x.memory
    )


def _window(item: slice, extent: int) -> tuple[int, int, int]:
    start = 0 if item.start is None else integer(item.start)
    stop = extent if item.stop is None else integer(item.stop)
    step = 1 if item.step is None else integer(item.step)
    if not 0 <= start <= stop <= extent or step < 1:
        raise Unmodelled("a window that leaves the axis")
    return start, stop, step


def cat(parts: tuple[Tensor, ...], axis: Anything) -> Tensor:
    k = integer(axis)
    around = {(p.shape[:k], p.shape[k + 1 :], len(p.shape) > k) for p in parts}
    if len(around) != 1 or not all(inside for *_, inside in around):
        raise Unmodelled(f"tensors of shapes {', '.join(str(p.shape) for p in parts)} along {k}")
    starts = list(itertools.accumulate((p.shape[k] for p in parts), initial=0))
    shape = (*parts[0].shape[:k], starts[-1], *parts[0].shape[k + 1 :])

    def entry(at: At) -> Value | Whole:
        found: Value | Whole | None = None
        for part, start in zip(parts, starts[:-1], strict=True):
            inside = v.at_least(at[k], w.number(start))
            if inside is v.FALSE:
                break
            here = part.at((*at[:k], at[k] - start, *at[k + 1 :]))
            found = here if found is None or inside is v.TRUE else _chosen(inside, here, found)
        assert found is not None
        return found

    return Tensor(shape, entry)


def beside(parts: tuple[Tensor, ...], axis: Anything) -> Tensor:
    """The parts' own memory, in which they lie side by side."""
    joined = cat(parts, axis)
    return Tensor(joined.shape, joined.entry, frozenset().union(*(p.memory for p in parts)))


def padded(x: Tensor, widths: Anything) -> Tensor:
    """torch.nn.functional.pad with zeros: (before, after) from the last axis on."""
    flat = integers(widths)
    before = [0] * len(x.shape)
    shape = list(x.shape)
    for n, k in enumerate(range(0, len(flat), 2)):
        axis = len(shape) - 1 - n
        before[axis] = flat[k]
        shape[axis] += flat[k] + flat[k + 1]

    def entry(at: At) -> Value | Whole:
        moved = [i - b for i, b in zip(at, before, strict=True)]
        inside = v.TRUE
        for i, extent in zip(moved, x.shape, strict=True):
            inside = v.both(
                inside, v.both(v.at_least(i, w.ZERO), v.at_least(w.number(extent - 1), i))
            )
        return v.ZERO if inside is v.FALSE else _chosen(inside, x.at(moved), v.ZERO)

    return Tensor(tuple(shape), entry)


def flip(x: Tensor, axes: Anything) -> Tensor:
    chosen = integers(axes)
    return Tensor(
        x.shape,
        lambda at: x.at([x.shape[k] - 1 - i if k in chosen else i for k, i in enumerate(at)]),
    )


def scatter_slice(
    x: Tensor, shape: Anything, axis: Anything, start: Anything, stop: Anything, step: Anything
) -> Tensor:
    k, first, stride = integer(axis), integer(start), w.number(integer(step))
    if -(-(integer(stop) - first) // integer(step)) != x.shape[k]:
        raise Unmodelled("a window that does not fit its values")

    def entry(at: At) -> Value:
        gap = at[k] - first
        i = w.floordiv(gap, stride)
        hit = v.both(v.at_least(i, w.ZERO), v.at_least(w.number(x.shape[k] - 1), i))
        found = (
            v.ZERO if hit is v.FALSE else v.where(hit, x.real((*at[:k], i, *at[k + 1 :])), v.ZERO)
        )
        return v.where(v.same(w.modulo(gap, stride), w.ZERO), found, v.ZERO)

    return Tensor(integers(shape), entry)


# ---- reductions --------------------------------------------------------------------------


def reduced(kind: str, x: Tensor, axes: Anything = None, f: Any = None) -> Tensor:
    rank = len(x.shape)
    chosen = tuple(range(rank)) if axes is None else tuple(a % rank for a in integers(axes))

    def entry(at: At) -> Value:
        rest, full, new = iter(at), list[Whole](), []
        for k, extent in enumerate(x.shape):
            if k in chosen:
                new.append(w.variable(w.number(extent)))
            full.append(w.of_unit(new[-1]) if k in chosen else next(rest))
        body = x.real(full) if f is None else v.op(f, x.real(full))
        return v.total(new, body) if kind == "sum" else v.value(kind, tuple(new), body)

    return Tensor(tuple(d for k, d in enumerate(x.shape) if k not in chosen), entry)


def logsumexp(x: Tensor, axes: Anything) -> Anything:
    return of_op("log")(reduced("sum", x, axes, un.Exp()))


def softmax(x: Tensor, dim: Anything) -> Anything:
    total = reduced("sum", x, dim, un.Exp())
    return arithmetic("div", of_op("exp")(x), unsqueezed(total, dim))


def log_softmax(x: Tensor, dim: Anything) -> Anything:
    return arithmetic("sub", x, unsqueezed(logsumexp(x, dim), dim))


def line(name: str, x: Tensor, dim: Anything, *, index: bool) -> Tensor:
    """An opaque function of the place along an axis and of the operand's line there."""
    k = integer(dim)

    def entry(at: At) -> Value | Whole:
        j = w.variable(w.number(x.shape[k]))
        line = x.real((*at[:k], w.of_unit(j), *at[k + 1 :]))
        key = v.value("fn", name, (at[k],), (((j,), line),))
        return v.index_of(key, w.number(x.shape[k])) if index else key

    return Tensor(x.shape, entry)


def argsort(x: Tensor, dim: Anything, stable: Anything) -> Tensor:
    if stable is not v.TRUE:
        raise Unmodelled("a sort that is not stable")
    return line("argsort", x, dim, index=True)


def cumsum(x: Tensor, dim: Anything) -> Tensor:
    k = integer(dim)

    def entry(at: At) -> Value:
        j = w.variable(w.number(x.shape[k]))
        body = x.real((*at[:k], w.of_unit(j), *at[k + 1 :]))
        return v.total([j], v.where(v.at_least(at[k], w.of_unit(j)), body, v.ZERO))

    return Tensor(x.shape, entry)


def pick(name: str) -> Callable[..., Tensor]:
    def apply(x: Tensor, dim: Anything) -> Tensor:
        k, extent = integer(dim), w.number(x.shape[integer(dim)])

        def entry(at: At) -> Whole:
            j = w.variable(extent)
            body = x.real((*at[:k], w.of_unit(j), *at[k:]))
            return v.index_of(v.first(name, j, body), extent)

        return Tensor((*x.shape[:k], *x.shape[k + 1 :]), entry)

    return apply
