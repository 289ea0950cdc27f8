"""Reductions inside a task: over a free axis of the tile in steps of a block, else entry by entry.

In: a reduction and the index of its result. Out: its value there. A result that varies along the
rows only is reduced along the columns, and the other way around. One that varies along both is
taken entry by entry, which is right but slow: the caller learns of it (`Values.slow`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from backends.triton_cuda.emission import Val, axes_of, indices
from backends.triton_cuda.index import Index, Var, level_of, size_text, unravel
from gendsl.ir.graph import Node
from gendsl.ops.broadcast import Sum
from gendsl.ops.reduce import All, Any, ArgMax, ArgMin, Choice, CumProd, Max, Min, Reduction
from gendsl.shape.dim import Dim

if TYPE_CHECKING:
    from backends.triton_cuda.values import At, Values


@dataclass(frozen=True)
class Kind:
    """How entries are put together: what stands for none, how a tile becomes one entry, how two
    entries become one, and what the result is made of them."""

    none: str
    inside: str
    join: str
    result: str = "{0}"
    enter: str = "{0}"
    dtype: str = "tl.float32"


_KINDS: dict[type, Kind] = {
    Sum: Kind("0.0", "tl.sum({0}, axis={1})", "{0} + {1}"),
    Max: Kind('-float("inf")', "_greatest({0}, {1})", "_maximum({0}, {1})"),
    Min: Kind('float("inf")', "_least({0}, {1})", "_minimum({0}, {1})"),
    Any: Kind(
        *("0", "tl.max({0}, axis={1})", "tl.maximum({0}, {1})", "{0} != 0"),
        *("tl.where({0}, 1, 0)", "tl.int32"),
    ),
    All: Kind(
        *("0", "tl.max({0}, axis={1})", "tl.maximum({0}, {1})", "{0} == 0"),
        *("tl.where({0}, 0, 1)", "tl.int32"),
    ),
}


# So many entries may be taken one by one at every place of a tile.
_SHORT = 4


def handles(node: Node) -> bool:
    return isinstance(node.op, (Sum, Reduction, Choice, CumProd))


def reduction(values: Values, node: Node, at: At) -> Val:
    """The value of a reduction at an index."""
    match node.op:
        case CumProd(axis=axis):
            return _cumprod(values, node, at, axis)
        case Choice(axis=axis):
            axes: tuple[int, ...] = (axis,)
        case op:
            axes = op.attributes()["axes"]
            if not axes:
                return values.value(node.inputs[0], at)
    shape = node.inputs[0].type.shape
    dims = [shape[a] for a in axes]

    def operand(r: Index) -> Val:
        inner = iter(unravel(r, dims))
        outer = iter(at)
        index = tuple(next(inner) if i in axes else next(outer) for i in range(len(shape)))
        return values.value(node.inputs[0], index)

    if isinstance(node.op, Choice):
        return _choice(values, node, at, Dim.product(dims), operand)
    return fold(values, node, at, Dim.product(dims), operand, _KINDS[type(node.op)])


def fold(
    values: Values, node: Node, at: At, size: Dim, operand: Callable[[Index], Val], kind: Kind
) -> Val:
    """Entries `operand(r)` for all r below `size` put together."""
    emit, over = values.emit, indices(at)
    level = max([*map(level_of, at), *(g.level for g in emit.guards)], default=0)
    name = values.storage.name(node)
    total = emit.fresh(f"{name}_sum" if isinstance(node.op, Sum) else name)
    emit.line(f"{total} = tl.full({emit.shape(over)}, {kind.none}, {kind.dtype})", level)
    if axes_of(over) == {0, 1}:
        saved, counter = emit.open(level), emit.fresh("r")
        with values.one_by_one(node, size.size(emit.sizes) > _SHORT):
            entry = operand(Var(counter, size, None, level + 1))
        text = kind.enter.format(entry.text)
        emit.line(f"{total} = {kind.join.format(total, text)}", level + 1)
        emit.close(saved, level, f"for {counter} in range(0, {size_text(size)}):")
    else:
        axis = 0 if axes_of(over) == {1} else 1
        beside = emit.extent(over, 1 - axis)[1]
        block, counter = emit.block_for(size, beside), emit.fresh("r_step")
        saved = emit.open(level)
        r = emit.ranged(emit.fresh("r"), size, axis, level + 1, counter, block)
        tile = whole(values, operand(r), over | {r}, kind)
        part = kind.inside.format(tile.text, axis)
        part += "[:, None]" if axis == 1 else "[None, :]"
        emit.line(f"{total} = {kind.join.format(total, part)}", level + 1)
        emit.close(saved, level, emit.steps(counter, size, block))
    result = Val(total, over, level)
    if kind.result == "{0}":
        return result
    return emit.let(kind.result.format(total), over, level, name)


def whole(values: Values, value: Val, over: frozenset[Var], kind: Kind) -> Val:
    """A value as a full tile, with what stands for none where it is out of bounds."""
    mask = values.emit.mask(over)
    assert mask is not None
    entered = kind.enter.format(value.text)
    clean = value.clean and over <= value.over and not values.emit.guards
    if clean and kind.none == "0.0":
        return value
    text = f"tl.where({mask.text}, {entered}, {kind.none})"
    level = max(mask.level, value.level)
    return values.emit.let(text, value.over | over, level, "tile")


def _choice(values: Values, node: Node, at: At, size: Dim, operand: Callable[[Index], Val]) -> Val:
    """The index of the least (or largest) entry, the first of equal ones; the first nan if any."""
    emit, over = values.emit, indices(at)
    level = max([*map(level_of, at), *(g.level for g in emit.guards)], default=0)
    name = values.storage.name(node)
    best, place = emit.fresh("best"), emit.fresh(name)
    shape = emit.shape(over)
    emit.line(f'{best} = _rank(tl.full({shape}, float("inf"), tl.float32))', level)
    emit.line(f"{place} = tl.full({shape}, 0, tl.int32)", level)
    signed = "-{0}" if isinstance(node.op, ArgMax) else "{0}"
    assert isinstance(node.op, (ArgMin, ArgMax))
    deep = level + 1
    if axes_of(over) == {0, 1}:
        saved, counter = emit.open(level), emit.fresh("r")
        with values.one_by_one(node, True):
            entry = operand(Var(counter, size, None, deep))
        ranked = f"_rank({signed.format(entry.text)})"
        low = emit.let(ranked, entry.over, deep, "low").text
        first = counter
        heading = f"for {counter} in range(0, {size_text(size)}):"
    else:
        axis = 0 if axes_of(over) == {1} else 1
        beside = emit.extent(over, 1 - axis)[1]
        block, counter = emit.block_for(size, beside), emit.fresh("r_step")
        saved = emit.open(level)
        r = emit.ranged(emit.fresh("r"), size, axis, deep, counter, block)
        kind = Kind('float("inf")', "", "", enter=signed)
        tile = whole(values, operand(r), over | {r}, kind)
        rank = emit.let(f"_rank({tile.text})", tile.over, tile.level, "rank")
        side = "[:, None]" if axis == 1 else "[None, :]"
        low = emit.let(f"tl.min({rank.text}, axis={axis}){side}", over, deep, "low").text
        bound = size_text(size, True)
        among = emit.let(
            f"tl.where({rank.text} == {low}, {r.name}, {bound})", rank.over, deep, "among"
        )
        text = f"tl.min({among.text}, axis={axis}){side}"
        first = emit.let(text, over, deep, "first").text
        heading = emit.steps(counter, size, block)
    emit.line(f"{place} = tl.where({low} < {best}, {first}, {place})", deep)
    emit.line(f"{best} = tl.where({low} < {best}, {low}, {best})", deep)
    emit.close(saved, level, heading)
    return Val(place, over, level)


def _cumprod(values: Values, node: Node, at: At, axis: int) -> Val:
    """The product of the entries up to this one, entry by entry."""
    emit, over = values.emit, indices(at)
    level = max([*map(level_of, at), *(g.level for g in emit.guards)], default=0)
    size = node.type.shape[axis]
    total = emit.fresh(values.storage.name(node))
    emit.line(f"{total} = tl.full({emit.shape(over)}, 1.0, tl.float32)", level)
    here = emit.place(at[axis])
    saved, counter = emit.open(level), emit.fresh("r")
    r = Var(counter, size, None, level + 1)
    entry = values.value(node.inputs[0], (*at[:axis], r, *at[axis + 1 :]))
    emit.line(f"{total} = {total} * tl.where({counter} <= {here}, {entry.text}, 1.0)", level + 1)
    emit.close(saved, level, f"for {counter} in range(0, {size_text(size)}):")
    return Val(total, over, level)
