"""Graph nodes as values: `Meaning.at(node, indices)` is the value of a node at an index.

In: nodes, one integer for each axis; `held` names the memory of nodes that are taken as given. Out:
reals and truth values as `Value`, indices as `Whole`. Always: equal for all sizes (that satisfy the
conditions of `Sizes`) and inputs to what the reference evaluator computes over the reals.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from fractions import Fraction
from math import lcm

from gendsl.ir.graph import Node
from gendsl.ops import arithmetic as ar
from gendsl.ops import broadcast as br
from gendsl.ops import compare as cm
from gendsl.ops import contract as ct
from gendsl.ops import conv as cv
from gendsl.ops import leaf as lf
from gendsl.ops import movement as mv
from gendsl.ops import norm as nm
from gendsl.ops import reduce as rd
from gendsl.ops import select as se
from gendsl.ops import symbolic as sy
from gendsl.ops import unary as un
from gendsl.shape.dim import Dim
from gendsl.shape.tensor_type import Bool, Fin
from gendsl.validate import value as v
from gendsl.validate import whole as w
from gendsl.validate.value import Value
from gendsl.validate.whole import Unit, Unmodelled, Whole

At = tuple[Whole, ...]


class Sizes:
    """Sizes as integers: numbers if `fixed`, else for all values of the names. A name that has to
    be divisible is a multiple: H with H / 4 in a shape is 4 * H', for all H'."""

    def __init__(self, dims: Iterable[Dim], fixed: Mapping[str, int] | None = None) -> None:
        self.names: dict[str, Whole] = {}
        found = sorted(
            set(dims), key=lambda d: (max((len(m) for m, _ in d.terms), default=0), str(d))
        )
        if fixed is not None:
            self.names = {name: w.number(k) for name, k in fixed.items()}
            return
        for d in found:
            for name in sorted(d.names):
                self.names.setdefault(name, w.size(name))
        for _ in range(3):
            for d in found:
                for monomial, c in d.terms:
                    self._divide(monomial, c)

    def _divide(self, monomial: Sequence[tuple[str, int]], c: Fraction) -> None:
        """Make the term an integer, by its first name."""
        above = w.product(self.names[name] for name, e in monomial for _ in range(max(e, 0)))
        below = w.product(self.names[name] for name, e in monomial for _ in range(max(-e, 0)))
        if w.exact(above * c.numerator, below * c.denominator) is not None or not above.atoms:
            return
        name = next(name for name, e in monomial if e > 0)
        old = self.names[name]
        need = below
        content = 0
        for k in old.terms.values():
            content = k
        factor = lcm(content or 1, c.denominator) // (content or 1)
        if w.exact(above * c.numerator, need) is not None:
            need = w.ONE
        (unit,) = (a for a in old.atoms if a.args[0].rstrip("'") == name)
        parts = w.exact(old, w.of_unit(unit))
        assert parts is not None
        self.names[name] = w.size(f"{name}'") * parts * need * factor

    def numbers(self, sizes: Mapping[str, int]) -> dict[str, int]:
        """What the sizes in `names` are, for these numbers; raises `Unmodelled` for others."""
        found = dict(sizes)
        for name, x in self.names.items():
            prime = f"{name}'"
            unit = next((a for a in x.atoms if a.args[0] == prime), None)
            if unit is None:
                continue
            rest = w.exact(x, w.of_unit(unit))
            assert rest is not None
            found[prime], over = divmod(sizes[name], w.evaluate(rest, sizes))
            if over:
                raise Unmodelled(f"{name} = {x} with {name} = {sizes[name]}")
        return found

    def facts(self, nodes: Iterable[Node]) -> list[Whole]:
        """What typing says of sizes: a slice ends within its axis."""
        found: list[Whole] = []
        for node in nodes:
            if isinstance(node.op, mv.Slice):
                extent = self.whole(node.inputs[0].type.shape[node.op.axis])
                last = self.whole(node.op.start) + (self.whole(node.op.length) - 1) * node.op.step
                found.append(extent - 1 - last)
        return found

    @property
    def conditions(self) -> list[str]:
        return [f"{name} = {x}" for name, x in self.names.items() if str(x) != name]

    def whole(self, d: Dim) -> Whole:
        total = w.ZERO
        for monomial, c in d.terms:
            total = total + self._term(monomial, c)
        return total

    def _term(self, monomial: Sequence[tuple[str, int]], c: Fraction) -> Whole:
        for name, _ in monomial:  # one that no shape mentions
            self.names.setdefault(name, w.size(name))
        above = w.product(self.names[name] for name, e in monomial for _ in range(max(e, 0)))
        below = w.product(self.names[name] for name, e in monomial for _ in range(max(-e, 0)))
        term = w.exact(above * c.numerator, below * c.denominator)
        if term is None:
            raise Unmodelled(f"the size {Dim(((tuple(monomial), c),))}, not known to be whole")
        return term

    def real(self, d: Dim) -> Value:
        """A size as a real number: also quotients."""
        fixed = {name: x.constant for name, x in self.names.items() if x.constant is not None}
        if len(fixed) == len(self.names):
            return v.num(decimal(d.evaluate(fixed)))
        total = v.ZERO
        for monomial, c in d.terms:
            term = v.num(c)
            for name, e in monomial:
                x = v.real(self.names.setdefault(name, w.size(name)))
                for _ in range(abs(e)):
                    term = v.mul(term, x) if e > 0 else v.op(ar.Div(), term, x)
            total = v.add(total, term)
        return total

    def shape(self, node: Node) -> At:
        return tuple(self.whole(d) for d in node.type.shape)


def offset(at: At, shape: At) -> Whole:
    """Row-major."""
    total = w.ZERO
    for i, extent in zip(at, shape, strict=True):
        total = total * extent + i
    return total


def places(flat: Whole, shape: At) -> At:
    """The index with this row-major offset."""
    found: list[Whole] = []
    for extent in reversed(shape):
        found.insert(0, w.modulo(flat, extent) if len(found) + 1 < len(shape) else flat)
        flat = w.floordiv(flat, extent)
    return tuple(found)


def decimal(x: Fraction) -> Fraction:
    """The number as a target's text prints it."""
    return Fraction(repr(float(x)))


class Meaning:
    """Values of nodes; `held` maps those taken as given to (memory, first offset)."""

    def __init__(self, sizes: Sizes, held: Mapping[Node, tuple[str, Whole]]) -> None:
        self.sizes, self.held = sizes, held
        self._memo: dict[tuple[Node, At], Value | Whole] = {}

    def real(self, node: Node, at: At) -> Value:
        """The value of a node of any element type as a real."""
        x = self.at(node, at)
        if isinstance(x, Whole):
            return v.real(x)
        return v.where(x, v.ONE, v.ZERO) if isinstance(node.type.elem, Bool) else x

    def value(self, node: Node, at: At) -> Value:
        x = self.at(node, at)
        if isinstance(x, Whole):
            raise Unmodelled(f"{node.op.name}: an index where a real or truth value is expected")
        return x

    def index(self, node: Node, at: At) -> Whole:
        x = self.at(node, at)
        if isinstance(x, Value):
            raise Unmodelled(f"{node.op.name}: no index")
        return x

    def at(self, node: Node, at: At, *, own: bool = False) -> Value | Whole:
        """The value; `own`: by its op even if it is held."""
        if node in self.held and not own:
            memory, start = self.held[node]
            return self._held(node, memory, start + offset(at, self.sizes.shape(node)))
        key = (node, at)
        found = self._memo.get(key)
        if found is None:
            found = self._compute(node, at)
            if not own:
                self._memo[key] = found
        return found

    def _held(self, node: Node, memory: str, place: Whole) -> Value | Whole:
        match node.type.elem:
            case Fin(bound):
                return v.index_of(v.get(memory, place, "fin"), self.sizes.whole(bound))
            case Bool():
                return v.get(memory, place, "bool")
            case _:
                return v.get(memory, place)

    def _compute(self, node: Node, at: At) -> Value | Whole:
        op, args = node.op, node.inputs
        match op:
            case br.Broadcast():
                return self.at(args[0], tuple(at[p] for p in op.positions))
            case mv.Transpose():
                return self.at(args[0], tuple(at[op.perm.index(i)] for i in range(len(at))))
            case mv.Reshape():
                flat = offset(at, self.sizes.shape(node))
                return self.at(args[0], places(flat, self.sizes.shape(args[0])))
            case mv.Slice():
                start = self.sizes.whole(op.start)
                return self.at(args[0], _put(at, op.axis, at[op.axis] * op.step + start))
            case mv.Flip():
                top = self.sizes.shape(args[0])[op.axis] - 1
                return self.at(args[0], _put(at, op.axis, top - at[op.axis]))
            case mv.Pad():
                i = at[op.axis] - self.sizes.whole(op.before)
                return self._inside(args[0], [(op.axis, i)], at, self._zero(node))
            case mv.ScatterSlice():
                return self._scattered(op, args[0], at)
            case mv.Concat():
                return self._concat(node, op.axis, at)
            case se.Gather():
                rank = args[1].type.rank
                i = self.index(args[1], at[:rank])
                return self.at(args[0], (*at[: op.batch], i, *at[rank:]))
            case ar.StopGrad() | cm.Widen():
                return self.at(args[0], at)
            case ar.StraightThrough():
                return self.at(args[1], at)
            case cm.Where():
                return self._where(node, at)
            case _:
                pass
        match node.type.elem:
            case Fin():
                return self._index(node, at)
            case Bool():
                return self._truth(node, at)
            case _:
                return self._real(node, at)

    def _zero(self, node: Node) -> Value | Whole:
        match node.type.elem:
            case Fin():
                return w.ZERO
            case Bool():
                return v.FALSE
            case _:
                return v.ZERO

    def _inside(
        self, x: Node, moved: Sequence[tuple[int, Whole]], at: At, other: Value | Whole
    ) -> Value | Whole:
        """x with some axes at these places, or `other` where one of them is outside."""
        shape = self.sizes.shape(x)
        inside = v.TRUE
        for axis, i in moved:
            inside = v.both(inside, v.both(v.at_least(i, w.ZERO), v.at_least(shape[axis] - 1, i)))
            at = _put(at, axis, i)
        if inside is v.FALSE:
            return other
        found = self.at(x, at)
        if inside is v.TRUE:
            return found
        if isinstance(found, Whole) or isinstance(other, Whole):
            raise Unmodelled("padding of indices")
        return v.where(inside, found, other)

    def _scattered(self, op: mv.ScatterSlice, x: Node, at: At) -> Value | Whole:
        gap = at[op.axis] - self.sizes.whole(op.start)
        step = w.number(op.step)
        found = self._inside(x, [(op.axis, w.floordiv(gap, step))], at, v.ZERO)
        assert isinstance(found, Value)
        return v.where(v.same(w.modulo(gap, step), w.ZERO), found, v.ZERO)

    def _concat(self, node: Node, axis: int, at: At) -> Value | Whole:
        starts, total = list[Whole](), w.ZERO
        for x in node.inputs:
            starts.append(total)
            total = total + self.sizes.shape(x)[axis]
        found: Value | Whole | None = None
        for x, start in reversed(list(zip(node.inputs, starts, strict=True))):
            inside = v.at_least(at[axis], start)
            if inside is v.FALSE:
                continue
            part = self.at(x, _put(at, axis, at[axis] - start))
            if found is None or inside is v.TRUE:
                found = part
            elif isinstance(found, Value) and isinstance(part, Value):
                found = v.where(inside, found, part)
            else:
                raise Unmodelled("a concatenation of indices")
        # `found` was nested from the end: the last part that starts at or below the index.
        assert found is not None
        return self._concat_order(node, axis, at, starts) if len(starts) > 1 else found

    def _concat_order(
        self, node: Node, axis: int, at: At, starts: Sequence[Whole]
    ) -> Value | Whole:
        rows = list(zip(node.inputs, starts, strict=True))
        found = self.at(rows[0][0], at)
        for x, start in rows[1:]:
            inside = v.at_least(at[axis], start)
            if inside is v.FALSE:
                break
            part = self.at(x, _put(at, axis, at[axis] - start))
            if inside is v.TRUE:
                found = part
            elif isinstance(found, Value) and isinstance(part, Value):
                found = v.where(inside, part, found)
            else:
                raise Unmodelled("a concatenation of indices")
        return found

    def _where(self, node: Node, at: At) -> Value | Whole:
        c, yes, no = node.inputs
        condition = self.value(c, at)
        a, b = self.at(yes, at), self.at(no, at)
        if isinstance(a, Value) and isinstance(b, Value):
            return v.where(condition, a, b)
        if condition.kind == "truth":
            return a if condition.args[0] else b
        assert isinstance(a, Whole) and isinstance(b, Whole)
        return v.choice(condition, a, b)

    # ---- reals ------------------------------------------------------------------------------
    def _real(self, node: Node, at: At) -> Value:
        op, args = node.op, node.inputs
        match op:
            case lf.Const():
                return v.num(decimal(op.value))
            case lf.SizeValue():
                return self.sizes.real(op.dim)
            case sy.Pi():
                return v.value("pi")
            case lf.Draw():
                return self._drawn(node, at)
            case br.Sum():
                return self._reduced("sum", args[0], op.axes, at)
            case rd.Max():
                return self._reduced("max", args[0], op.axes, at)
            case rd.Min():
                return self._reduced("min", args[0], op.axes, at)
            case rd.LogSumExp():
                return v.op(un.Log(), self._reduced("sum", args[0], op.axes, at, un.Exp()))
            case rd.Softmax() | rd.LogSoftmax():
                rest = tuple(x for k, x in enumerate(at) if k != op.axis)
                total = self._reduced("sum", args[0], (op.axis,), rest, un.Exp())
                x = self.value(args[0], at)
                if isinstance(op, rd.LogSoftmax):
                    return v.op(ar.Sub(), x, v.op(un.Log(), total))
                return v.op(ar.Div(), v.op(un.Exp(), x), total)
            case nm.NormSlope():
                return self._norm_slope(args, at)
            case rd.CumSum():
                j = w.variable(self.sizes.shape(node)[op.axis])
                body = self.value(args[0], _put(at, op.axis, w.of_unit(j)))
                upto = v.at_least(at[op.axis], w.of_unit(j))
                return v.total([j], v.where(upto, body, v.ZERO))
            case ct.Contract():
                return self._contract(op, args, at)
            case cm.ToReal():
                return self.real(args[0], at)
            case se.OneHot():
                return v.where(v.same(self.index(args[0], at[:-1]), at[-1]), v.ONE, v.ZERO)
            case se.ScatterAdd():
                return self._scatter_add(op, args, at)
            case cv.Conv2d():
                return self._conv(op, args, at)
            case cv.ConvTranspose2d():
                return self._conv_transpose(op, args, at)
            case cv.Conv2dWeightGrad():
                b = w.variable(self.sizes.shape(args[1])[0])
                return self._conv_weight(op, args, (w.of_unit(b), *at), [b])
            case cv.Conv2dWeightGradEach():
                return self._conv_weight(op, args, at, [])
            case _:
                pass
        if (
            args
            and all(a.type.shape == node.type.shape for a in args)
            and not isinstance(op, rd.Along)
        ):
            return v.op(op, *(self.value(a, at) for a in args))
        return self._opaque(node, at)

    def _opaque(self, node: Node, at: At) -> Value:
        """An op along one axis: a function of the place on it and of the operand's line there."""
        op, x = node.op, node.inputs[0] if node.inputs else None
        if isinstance(op, rd.CumProd | rd.ArgSort) and x is not None:
            j = w.variable(self.sizes.shape(x)[op.axis])
            line = self.value(x, _put(at, op.axis, w.of_unit(j)))
            return v.value("fn", op.name, (at[op.axis],), (((j,), line),))
        raise Unmodelled(f"the op {op.name}")

    def _drawn(self, node: Node, at: At) -> Value:
        """A draw: a function of its path, the example, the element within it, and loop indices."""
        op = node.op
        assert isinstance(op, lf.Draw)
        shape = tuple(self.sizes.whole(d) for d in op.shape)
        axis = op.example_axis
        rest = [k for k in range(len(shape)) if k != axis]
        element = offset(tuple(at[k] for k in rest), tuple(shape[k] for k in rest))
        example = w.ZERO if axis is None else at[axis]
        bounds = [x.type.elem.bound for x in node.inputs if isinstance(x.type.elem, Fin)]
        turns = tuple(self.index(x, ()) for x in node.inputs)
        row = offset(turns, tuple(map(self.sizes.whole, bounds)))
        loop = (row,) if row.terms else ()
        return v.value("draw", op.dist, op.path, (example, element), loop)

    def _reduced(
        self, kind: str, x: Node, axes: Sequence[int], at: At, op: un.Exp | None = None
    ) -> Value:
        rest, full, new = iter(at), list[Whole](), list[Unit]()
        for k, extent in enumerate(self.sizes.shape(x)):
            if k in axes:
                new.append(w.variable(extent))
            full.append(w.of_unit(new[-1]) if k in axes else next(rest))
        body = self.value(x, tuple(full))
        body = body if op is None else v.op(op, body)
        return v.total(new, body) if kind == "sum" else v.value(kind, tuple(new), body)

    def _norm_slope(self, args: Sequence[Node], at: At) -> Value:
        g, s, r, gain = args
        rest, extent = at[:-1], self.sizes.shape(g)[-1]
        deviation, share = self.value(r, rest), v.op(ar.Reciprocal(), v.real(extent))

        def q(k: Whole) -> Value:
            return v.mul(self.value(g, (*rest, k)), self.value(gain, (k,)))

        def h(k: Whole) -> Value:
            return v.mul(self.value(s, (*rest, k)), deviation)

        def mean(f: Callable[[Whole], Value]) -> Value:
            j = w.variable(extent)
            return v.mul(share, v.total([j], f(w.of_unit(j))))

        along = v.mul(h(at[-1]), mean(lambda k: v.mul(q(k), h(k))))
        return v.mul(deviation, v.op(ar.Sub(), v.op(ar.Sub(), q(at[-1]), mean(q)), along))

    def _contract(self, op: ct.Contract, args: Sequence[Node], at: At) -> Value:
        place = dict(zip(op.out, at, strict=True))
        extents = dict(zip(op.left, self.sizes.shape(args[0]), strict=True))
        summed = {label: w.variable(extents[label]) for label in op.summed}
        place |= {label: w.of_unit(i) for label, i in summed.items()}
        left = self.value(args[0], tuple(place[x] for x in op.left))
        right = self.value(args[1], tuple(place[x] for x in op.right))
        return v.total(list(summed.values()), v.mul(left, right))

    def _scatter_add(self, op: se.ScatterAdd, args: Sequence[Node], at: At) -> Value:
        index, values = args
        lead, slot, rest = at[: op.batch], at[op.batch], at[op.batch + 1 :]
        new = [w.variable(d) for d in self.sizes.shape(index)[op.batch :]]
        inner = (*lead, *map(w.of_unit, new))
        hit = v.same(self.index(index, inner), slot)
        return v.total(new, v.where(hit, self.value(values, (*inner, *rest)), v.ZERO))

    # ---- convolutions -----------------------------------------------------------------------
    def _conv(self, op: cv.Conv2d, args: Sequence[Node], at: At) -> Value:
        x, weight = args
        b, o, row, column = at
        _, channels, height, width = self.sizes.shape(weight)
        c, i, j = (w.variable(d) for d in (channels, height, width))
        top, _, left, _ = op.pads
        p = row * op.stride + w.of_unit(i) - top
        q = column * op.stride + w.of_unit(j) - left
        image = self._inside(x, [(2, p), (3, q)], (b, w.of_unit(c), p, q), v.ZERO)
        assert isinstance(image, Value)
        factor = self.value(weight, (o, w.of_unit(c), w.of_unit(i), w.of_unit(j)))
        return v.total([c, i, j], v.mul(image, factor))

    def _conv_transpose(self, op: cv.ConvTranspose2d, args: Sequence[Node], at: At) -> Value:
        g, weight = args
        b, c, row, column = at
        channels, _, height, width = self.sizes.shape(weight)
        o, i, j = (w.variable(d) for d in (channels, height, width))
        top, _, left, _ = op.pads
        step = w.number(op.stride)
        p, q = row + top - w.of_unit(i), column + left - w.of_unit(j)
        whole = v.both(v.same(w.modulo(p, step), w.ZERO), v.same(w.modulo(q, step), w.ZERO))
        y, x = w.floordiv(p, step), w.floordiv(q, step)
        cotangent = self._inside(g, [(2, y), (3, x)], (b, w.of_unit(o), y, x), v.ZERO)
        assert isinstance(cotangent, Value)
        factor = self.value(weight, (w.of_unit(o), c, w.of_unit(i), w.of_unit(j)))
        return v.total([o, i, j], v.mul(v.where(whole, cotangent, v.ZERO), factor))

    def _conv_weight(
        self, op: cv.Convolution, args: Sequence[Node], at: At, images: list[Unit]
    ) -> Value:
        """An entry of the weight, of image at[0]; the sum over `images` of it."""
        x, g = args
        b, o, c, i, j = at
        r, s = (w.variable(d) for d in self.sizes.shape(g)[2:])
        top, _, left, _ = op.pads
        p = w.of_unit(r) * op.stride + i - top
        q = w.of_unit(s) * op.stride + j - left
        image = self._inside(x, [(2, p), (3, q)], (b, c, p, q), v.ZERO)
        assert isinstance(image, Value)
        factor = self.value(g, (b, o, w.of_unit(r), w.of_unit(s)))
        return v.total([*images, r, s], v.mul(image, factor))

    # ---- indices and truth values -------------------------------------------------------------
    def _index(self, node: Node, at: At) -> Whole:
        op, args = node.op, node.inputs
        assert isinstance(node.type.elem, Fin)
        bound = self.sizes.whole(node.type.elem.bound)
        match op:
            case lf.Index():
                return self.sizes.whole(op.value)
            case lf.Iota():
                return at[0]
            case lf.Draw():
                assert op.bound is not None
                drawn = v.index_of(self._drawn(node, at), self.sizes.whole(op.bound))
                return drawn + self.sizes.whole(op.low)
            case se.IndexAffine():
                scale, divide = self.sizes.whole(op.scale), self.sizes.whole(op.divide)
                i = self.index(args[0], at)
                return self.sizes.whole(op.offset) + w.floordiv(i * scale, divide)
            case rd.ArgMin() | rd.ArgMax():
                j = w.variable(self.sizes.shape(args[0])[op.axis])
                body = self.value(args[0], (*at[: op.axis], w.of_unit(j), *at[op.axis :]))
                return v.index_of(v.first(op.name, j, body), bound)
            case rd.ArgSort():
                return v.index_of(self._opaque(node, at), bound)
            case _:
                raise Unmodelled(f"the op {op.name}")

    def _truth(self, node: Node, at: At) -> Value:
        op, args = node.op, node.inputs
        match op:
            case lf.Truth():
                return v.truth(op.value)
            case cm.Not():
                return v.negate(self.value(args[0], at))
            case cm.And():
                return v.both(self.value(args[0], at), self.value(args[1], at))
            case cm.Or():
                return v.either(self.value(args[0], at), self.value(args[1], at))
            case cm.Less() | cm.LessEqual() | cm.Equal() | cm.NotEqual():
                return compared(op.name, self.at(args[0], at), self.at(args[1], at))
            case _:
                raise Unmodelled(f"the op {op.name}")


def compared(kind: str, a: Value | Whole, b: Value | Whole) -> Value:
    """less, less_equal, equal, not_equal of two indices, or two reals."""
    if isinstance(a, Whole) and isinstance(b, Whole):
        match kind:
            case "less":
                return v.at_least(b - 1, a)
            case "less_equal":
                return v.at_least(b, a)
            case _:
                equal = v.same(a, b)
                return equal if kind == "equal" else v.negate(equal)
    x, y = (v.real(z) if isinstance(z, Whole) else z for z in (a, b))
    return v.value("cmp", kind, x, y)


def _put(at: At, axis: int, i: Whole) -> At:
    return (*at[:axis], i, *at[axis + 1 :])
