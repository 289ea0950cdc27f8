"""The value of a graph node at an index, as statements of a task: fusion by pulling.

In: a node and one index expression per axis. Out: the name of a statement that computes the node's
entries there. Movements change the index, pointwise ops are written out, what lies in memory is
loaded, random numbers are drawn where they are used; reductions and products are in `reductions`
and `products`. Always: the same node at the same index is computed once.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Protocol

from backends.common.text import unbracketed
from backends.triton_cuda import products, reductions
from backends.triton_cuda.emission import Emission, Guard, Val
from backends.triton_cuda.index import (
    Index,
    Num,
    Quotient,
    Value,
    affine,
    level_of,
    ravel,
    size_text,
    unravel,
    variables,
)
from gendsl.ir.graph import Node
from gendsl.ir.op import Inline
from gendsl.ops.arithmetic import Power
from gendsl.ops.broadcast import Broadcast
from gendsl.ops.compare import ToReal, Widen
from gendsl.ops.leaf import Const, Draw, Iota, SizeValue, Truth
from gendsl.ops.leaf import Index as IndexOp
from gendsl.ops.movement import Concat, Flip, Pad, Reshape, ScatterSlice, Slice, Transpose
from gendsl.ops.select import Gather, IndexAffine, OneHot
from gendsl.shape.dim import ONE, ZERO, Dim
from gendsl.shape.tensor_type import Bool, Fin, Real

At = tuple[Index, ...]
TARGET = "triton_cuda"


class Storage(Protocol):
    """What a task finds in memory."""

    def memory(self, node: Node) -> str | None:
        """The name of the memory that holds a node; None where it is to be computed."""

    def slot(self, node: Node) -> int | None:
        """The place of a number among those that the host computes."""

    def keys(self, node: Node) -> str:
        """The memory with the key words of a draw."""

    def name(self, node: Node) -> str:
        """What to call a node."""

    def exact(self, node: Node) -> bool:
        """Whether a product is float32 under every precision."""


class Values:
    """Computes values in one task. `slow`: reductions that had to be taken entry by entry."""

    def __init__(self, emission: Emission, storage: Storage) -> None:
        self.emit = emission
        self.storage = storage
        self.reads: dict[str, set[tuple[Node, At]]] = {}
        self.inlined: dict[Node, None] = {}
        self.slow: dict[Node, None] = {}
        self._slowly = False

    @contextmanager
    def one_by_one(self, node: Node, slow: bool) -> Iterator[None]:
        """Around the entries of a reduction that are taken one by one; the outermost one counts."""
        if slow and not self._slowly:
            self.slow[node] = None
        saved, self._slowly = self._slowly, self._slowly or slow
        yield
        self._slowly = saved

    def value(self, node: Node, at: At) -> Val:
        """The entries of a node at an index."""
        key = ("value", node, at, self.emit.guards)
        found = self.emit.find(key)
        if found is None:
            found = self._stored(node, at) or self._computed(node, at)
            self.emit.blocks[found.level].known[key] = found
        return found

    def _stored(self, node: Node, at: At) -> Val | None:
        match node.op:
            case Const(number):
                return Val(repr(float(number)), frozenset(), 0)
            case Truth(truth):
                return Val(f"tl.full((1, 1), {int(truth)}, tl.int1)", frozenset(), 0)
            case IndexOp(value=whole):
                return Val(size_text(whole, True), frozenset(), 0)
            case _:
                pass
        slot = self.storage.slot(node)
        if slot is not None:
            self.reads.setdefault("host", set())
            return self.emit.let(
                f"tl.load(host_ptr + {slot})", frozenset(), 0, self.storage.name(node)
            )
        memory = self.storage.memory(node)
        if memory is None:
            return None
        self.reads.setdefault(memory, set()).add((node, at))
        place = ravel(node.type.shape, at) if at else Num(ZERO)
        other = "0.0" if isinstance(node.type.elem, Real) else "0"
        loaded = self.emit.load(f"{memory}_ptr", place, self.storage.name(node), other)
        if isinstance(node.type.elem, Bool):
            return self.emit.let(f"{loaded.text} != 0", loaded.over, loaded.level, "truth")
        return loaded

    # ---- what is computed -------------------------------------------------------------

    def _computed(self, node: Node, at: At) -> Val:
        self.inlined[node] = None
        moved = self._moved(node, at)
        if moved is not None:
            return self.value(node.inputs[0], moved)
        match node.op:
            case Pad() | ScatterSlice():
                return self._padded(node, at)
            case Concat():
                return self._concat(node, at)
            case Gather(batch=batch):
                table, index = node.inputs
                rank = index.type.rank
                picked = self.as_index(self.value(index, at[:rank]))
                return self.value(table, (*at[:batch], picked, *at[rank:]))
            case OneHot():
                chosen = self.value(node.inputs[0], at[:-1])
                place = self.index_value(at[-1])
                return self._let(node, "tl.where({0} == {1}, 1.0, 0.0)", [chosen, place])
            case Iota():
                return self.index_value(at[0])
            case Draw():
                return self._draw(node, at)
            case _ if reductions.handles(node):
                return reductions.reduction(self, node, at)
            case _ if products.handles(node):
                return products.product(self, node, at)
            case _:
                return self._pointwise(node, at)

    def _moved(self, node: Node, at: At) -> At | None:
        """Where a movement looks in its operand."""
        shape = node.inputs[0].type.shape if node.inputs else ()
        match node.op:
            case Widen():
                return at
            case Broadcast(positions=positions):
                return tuple(at[p] for p in positions)
            case Transpose(perm=perm):
                return tuple(at[perm.index(i)] for i in range(len(perm)))
            case Reshape():
                return unravel(ravel(node.type.shape, at) if at else Num(ZERO), shape)
            case Slice(axis=axis, start=start, step=step):
                return _replaced(at, axis, affine([(Dim.of(step), at[axis])], start))
            case Flip(axis=axis):
                return _replaced(at, axis, affine([(-ONE, at[axis])], shape[axis] - 1))
            case _:
                return None

    def _padded(self, node: Node, at: At) -> Val:
        """The operand inside, zero outside."""
        axis = node.op.attributes()["axis"]
        size = node.inputs[0].type.shape[axis]
        match node.op:
            case Pad(before=before, after=after):
                place = affine([(ONE, at[axis])], -before)
                guard = self.within(place, size, before != ZERO, after != ZERO)
            case ScatterSlice(start=start, step=step):
                place = affine([(ONE, at[axis])], -start)
                guard, place = self.multiple(place, Dim.of(step), size)
            case op:
                raise AssertionError(op.name)
        with self.under(guard):
            inner = self.value(node.inputs[0], _replaced(at, axis, place))
        if inner.clean and guard.over <= inner.over:
            return inner
        zero = "0.0" if isinstance(node.type.elem, Real) else "0"
        condition = Val(guard.text, guard.over, guard.level)
        return self._let(node, f"tl.where({{0}}, {{1}}, {zero})", [condition, inner])

    def _concat(self, node: Node, at: At) -> Val:
        op = node.op
        assert isinstance(op, Concat)
        ends, start = [], ZERO
        for operand in node.inputs:
            start = start + operand.type.shape[op.axis]
            ends.append(start)
        made: Val | None = None
        for number in reversed(range(len(node.inputs))):
            operand = node.inputs[number]
            begin = ends[number - 1] if number else ZERO
            place = affine([(ONE, at[op.axis])], -begin)
            last = number == len(node.inputs) - 1
            guard = self.within(place, operand.type.shape[op.axis], number > 0, not last)
            with self.under(guard):
                inner = self.value(operand, _replaced(at, op.axis, place))
            if made is None:
                made = inner
                continue
            upper = self.within(at[op.axis], ends[number], False, True)
            condition = Val(upper.text, upper.over, upper.level)
            made = self._let(node, "tl.where({0}, {1}, {2})", [condition, inner, made])
        assert made is not None
        return made

    # ---- guards -----------------------------------------------------------------------

    @contextmanager
    def under(self, *guards: Guard) -> Iterator[None]:
        """What is computed inside is read only where the guards hold."""
        saved = self.emit.guards
        new = tuple(g for g in guards if g.text and g not in saved)
        self.emit.guards = tuple(sorted((*saved, *new), key=lambda g: g.text))
        yield
        self.emit.guards = saved

    def within(self, place: Index, size: Dim, low: bool, high: bool) -> Guard:
        """The condition 0 <= place < size, as far as it is not known."""
        name, over, level = self.emit.place(place), variables(place), level_of(place)
        parts = [f"({name} >= 0)"] * low + [f"({name} < {size_text(size, True)})"] * high
        if not parts:
            return Guard("", over, level)
        text = " & ".join(parts)
        made = self.emit.let(unbracketed(text), over, level, "inside")
        return Guard(made.text, over, level)

    def multiple(self, place: Index, step: Dim, size: Dim) -> tuple[Guard, Index]:
        """place / step, with the condition that this is a place below `size`."""
        if step == ONE:
            return self.within(place, size, True, True), place
        name, over, level = self.emit.place(place), variables(place), level_of(place)
        by = size_text(step, True)
        quotient = Quotient(place, step)
        inside = f"({name} >= 0) & ({name} % {by} == 0) & ({self.emit.place(quotient)} < "
        made = self.emit.let(f"{inside}{size_text(size, True)})", over, level, "inside")
        return Guard(made.text, over, level), quotient

    # ---- pointwise --------------------------------------------------------------------

    def _pointwise(self, node: Node, at: At) -> Val:
        operands = [self.value(source, at) for source in node.inputs]
        match node.op:
            case ToReal():
                fin = isinstance(node.inputs[0].type.elem, Fin)
                return self._let(node, "{0} * 1.0" if fin else "tl.where({0}, 1.0, 0.0)", operands)
            case Power(exponent):
                return self._let(
                    node, power_text(exponent.numerator, exponent.denominator), operands
                )
            case IndexAffine(offset, scale, divide):
                return self._let(node, affine_text(offset, scale, divide), operands)
            case SizeValue():
                raise AssertionError("a size is a number of the host")
            case op:
                answer = op.targets[TARGET]
                if not isinstance(answer, Inline):
                    raise AssertionError(f"{op.name} has no emission")
                return self._let(node, answer.template, operands)

    def _let(self, node: Node, template: str, operands: Sequence[Val]) -> Val:
        """A statement for a node from its operands."""
        over = frozenset().union(*(v.over for v in operands))
        level = max((v.level for v in operands), default=0)
        text = unbracketed(template.format(*(v.text for v in operands)))
        return self.emit.let(text, over, level, self.storage.name(node))

    # ---- indices and draws --------------------------------------------------------------

    def as_index(self, value: Val) -> Index:
        """A computed index, to look somewhere with."""
        return Value(value.text, value.over, value.level)

    def index_value(self, index: Index) -> Val:
        """An index as a value."""
        text = self.emit.place(index)
        if isinstance(index, Num):
            text = f"tl.full((1, 1), {text}, tl.int32)"
            return self.emit.let(text, frozenset(), 0, "at")
        return Val(text, variables(index), level_of(index))

    def _draw(self, node: Node, at: At) -> Val:
        op = node.op
        assert isinstance(op, Draw)
        axis, shape = op.example_axis, node.type.shape
        rest = [i for i in range(len(shape)) if i != axis]
        element = self._number(ravel([shape[i] for i in rest], [at[i] for i in rest]))
        memory = self.storage.keys(node)
        self.reads.setdefault(memory, set())
        self.reads.setdefault("step", set())
        loops = [self.value(source, ()) for source in node.inputs]
        row = "0"
        for source, index in zip(node.inputs, loops, strict=True):
            assert isinstance(source.type.elem, Fin)
            bound = size_text(source.type.elem.bound, True)
            row = index.text if row == "0" else f"({row}) * {bound} + {index.text}"
        level = max((v.level for v in loops), default=0)
        words = [
            self.emit.let(f"tl.load({memory}_ptr + 2 * ({row}) + {k})", frozenset(), level, "key")
            if loops
            else self.emit.let(f"tl.load({memory}_ptr + {k})", frozenset(), 0, "key")
            for k in range(2)
        ]
        words += [
            self.emit.let(f"tl.load(step_ptr + {k})", frozenset(), 0, "step") for k in range(2)
        ]
        first = self.emit.let("tl.load(step_ptr + 2)", frozenset(), 0, "first")
        if axis is None:
            example = first
        else:
            place = self.emit.place(at[axis])
            example = self.emit.let(
                f"{first.text} + {place}", variables(at[axis]), level_of(at[axis]), "example"
            )
        template = f"_{op.dist}({{0}}, {{1}}, {{2}}, {{3}}, {{4}}, {{5}})"
        if op.bound is not None:
            template = template[:-1] + f", {size_text(op.bound)})"
            if op.low != ZERO:
                template += f" + {size_text(op.low, True)}"
        return self._let(node, template, [*words, example, element])

    def _number(self, index: Index) -> Val:
        """The number of an element, as a tensor."""
        if not variables(index):
            text = f"tl.full((1, 1), 0, tl.int32) + {self.emit.place(index)}"
            return self.emit.let(text, frozenset(), level_of(index), "element")
        over, level = variables(index), level_of(index)
        return self.emit.let(self.emit.sum(index), over, level, "element")


def _replaced(at: At, axis: int, index: Index) -> At:
    return (*at[:axis], index, *at[axis + 1 :])


def power_text(up: int, down: int) -> str:
    """x to the exponent up / down as an expression over {0}."""
    if down != 1:
        return f"_power({{0}}, {up / down!r})"
    if up == 0:
        return "{0} * 0.0 + 1.0"
    product = " * ".join(["{0}"] * abs(up))
    return product if up > 0 else f"1.0 / ({product})"


def affine_text(offset: Dim, scale: Dim, divide: Dim) -> str:
    """offset + floor(scale * i / divide) over {0}, where integer division rounds towards zero."""
    negative = bool(scale.terms) and all(c < 0 for _, c in scale.terms)
    times, by = size_text(-scale if negative else scale, True), size_text(divide, True)
    scaled = "{0}" if times == "1" else f"{times} * {{0}}"
    if divide != ONE:
        scaled = f"({scaled} + {by} - 1) // {by}" if negative else f"({scaled}) // {by}"
    return f"{size_text(offset, True)} {'-' if negative else '+'} {scaled}"
