"""Graph nodes as terms: `Reader.real(node, at)` is the value of a node at an index tuple.

In: nodes, index atoms for their axes. Out: kernel polynomials (reals), index atoms (indices), 0/1
polynomials (truth values). Always: equal for all sizes and inputs to what the reference evaluator
computes over the reals; every partial op met on the way (division, log, root) leaves its condition
in `Reader.conditions`. `stop_grad` is the identity here; gradients are read by `derive.py`, never
from these values. Ops without a meaning of their own are opaque functions of all that they read.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction

from gendsl.ir.graph import Node, reachable
from gendsl.ops import arithmetic as ar
from gendsl.ops import broadcast as br
from gendsl.ops import compare as cm
from gendsl.ops import contract as ct
from gendsl.ops import conv as cv
from gendsl.ops import leaf as lf
from gendsl.ops import movement as mv
from gendsl.ops import reduce as rd
from gendsl.ops import select as se
from gendsl.ops import symbolic as sy
from gendsl.ops import unary as un
from gendsl.prove.flips import flips, holds, mirrored
from gendsl.prove.kernel import normal as n
from gendsl.prove.kernel.rules import Prop, prop
from gendsl.prove.kernel.term import ONE, ZERO, Atom, Poly, atom, const, of_atom
from gendsl.prove.moments import expectation
from gendsl.shape.dim import Dim
from gendsl.shape.tensor_type import Bool, Fin, Range

At = tuple[Atom, ...]
HALF = Fraction(1, 2)


def size(dim: Dim) -> Poly:
    """A size as a polynomial over its names."""
    rows = []
    for monomial, coefficient in dim.terms:
        factors = (of_atom(atom("dim", name), k) for name, k in monomial)
        rows.append(n.scale(n.prod_poly(factors), coefficient))
    return n.add(*rows)


def indices(shape: tuple[Dim, ...]) -> At:
    """Fresh index variables for the axes of a shape."""
    return tuple(n.fresh(size(d)) for d in shape)


def affine(i: Atom, offset: Dim, scale: Dim, divide: Dim, bound: Dim) -> Atom:
    """offset + floor(scale * i / divide), kept within 0 .. bound - 1."""
    if scale == Dim.of(1) == divide and not offset.terms and n.size_of(i) is size(bound):
        return i
    if i.kind == "ic" and divide == Dim.of(1):
        value = n.add(size(offset), n.mul(size(scale), i.args[0]))
        if n.nonnegative(value) and n.positive(n.sub(size(bound), value)):
            return n.index_const(value, size(bound))
    if scale == Dim.of(1) == divide:
        try:
            return n.shift(i, size(offset), size(bound))
        except n.KernelError:
            pass  # it may leave the range, and is then kept within it
    name = f"affine:{offset}:{scale}:{divide}"
    if i.kind == "ix" and scale == Dim.of(-1) and (offset, divide) == (bound - 1, Dim.of(1)):
        inner: Atom = i.args[1][0]
        if i.args[0] == name and n.size_of(inner) is size(bound):
            return inner  # a flip of a flip
    return atom("ix", name, (i,), size(bound))


@dataclass
class Reader:
    """`abstract` maps nodes to the name of a variable that stands for them; `ranges` gives declared
    bounds of leaves by variable name, `signs` the sign ("+" or "0+") that hypotheses give them."""

    abstract: Mapping[Node, str] = field(default_factory=dict)
    ranges: Mapping[str, Range] = field(default_factory=dict)
    signs: Mapping[str, str] = field(default_factory=dict)
    conditions: set[Prop] = field(default_factory=set)
    _memo: dict[tuple[Node, At], Poly] = field(default_factory=dict)

    # ---- entry points ---------------------------------------------------------------------
    def real(self, node: Node, at: At = ()) -> Poly:
        """The value of a real node at an index (one index atom for each axis)."""
        key = (node, at)
        found = self._memo.get(key)
        if found is None:
            found = self._memo[key] = self._real(node, at)
        return found

    def everywhere(self, node: Node) -> tuple[Poly, At]:
        """The value at fresh indices, and these."""
        at = indices(node.type.shape)
        return self.real(node, at), at

    def need(self, rel: str, p: Poly) -> None:
        """Record that p rel 0 has to hold, for all values of its indices."""
        evident = n.nonnegative(p) if rel == "ge" else n.positive(p)
        if not evident:
            self.conditions.add(prop(rel, p, p.free))

    # ---- reals ----------------------------------------------------------------------------
    def _real(self, node: Node, at: At) -> Poly:
        if node in self.abstract:
            return of_atom(atom("var", self.abstract[node], at, ""))
        op, args = node.op, node.inputs
        moved = self.moved(node, at)
        if moved is not None:
            return n.add(*(n.mul(mask, self.real(m, i)) for mask, m, i in moved))
        match op:
            case lf.Const():
                return const(op.value)
            case lf.SizeValue():
                return size(op.dim)
            case lf.Input() | lf.Draw():
                return self._leaf(node, at)
            case sy.Pi():
                return of_atom(atom("pi"))
            case br.Sum():
                return self._sum(args[0], op.axes, at)
            case ct.Contract():
                return self._contract(op, args, at)
            case cm.Where():
                c = self.truth(args[0], at)
                yes, no = self.real(args[1], at), self.real(args[2], at)
                return n.add(no, n.mul(c, n.sub(yes, no)))
            case cm.ToReal():
                if isinstance(args[0].type.elem, Bool):
                    return self.truth(args[0], at)
                return n.value_of(self.index(args[0], at))
            case se.OneHot():
                return n.delta(self.index(args[0], at[:-1]), at[-1])
            case se.ScatterAdd():
                return self._scatter(op, args, at)
            case rd.Max() | rd.Min():
                return self._extreme(
                    args[0], op.axes, at, "argmax" if isinstance(op, rd.Max) else "argmin"
                )
            case rd.LogSumExp():
                return n.log(self._sum(args[0], op.axes, at, n.exp))
            case rd.Softmax() | rd.LogSoftmax():
                x, total = self.real(args[0], at), self._along(args[0], op.axis, at)
                if isinstance(op, rd.LogSoftmax):
                    return n.sub(x, n.log(total))
                return n.mul(n.exp(x), n.power(total, -1))
            case rd.CumSum():
                j = n.fresh(n.size_of(at[op.axis]))
                below = n.indicator("ge0", n.sub(n.value_of(at[op.axis]), n.value_of(j)))
                entry = self.real(args[0], (*at[: op.axis], j, *at[op.axis + 1 :]))
                return n.nsum(j, n.mul(below, entry))
            case _:
                return self._functional(node, at)

    def _functional(self, node: Node, at: At) -> Poly:
        """Ops with a form of their own, then pointwise ones, then opaque functions."""
        op, args = node.op, node.inputs
        match op:
            case sy.Expectation():
                return self._expected(args[0], op.draws, at)
            case rd.CumProd():
                return self._cumprod(args[0], op.axis, at)
            case sy.NetCall():
                return self._opaque(f"net:{op.net}.{op.result}", node, at, op.mapped_axes)
            case cv.Conv2d() | cv.ConvTranspose2d():
                return self._opaque(
                    f"{op.name}:{dict(op.attributes())}", node, at, 0, first_only=True
                )
            case _:
                pass
        if args and all(a.type.shape == node.type.shape for a in args):
            value = (
                pointwise(op, [self.real(a, at) for a in args], self.need)
                if self._all_real(args)
                else None
            )
            if value is not None:
                return value
        return self._opaque(f"{op.name}:{dict(op.attributes())}", node, at, 0)

    @staticmethod
    def _all_real(args: tuple[Node, ...]) -> bool:
        return not any(isinstance(a.type.elem, Fin | Bool) for a in args)

    def _leaf(self, node: Node, at: At) -> Poly:
        name, extra = leaf_name(node), tuple(self.index(i, ()) for i in node.inputs)
        bounds = self.ranges.get(name)
        low = bounds.low if bounds is not None else None
        sign = "" if low is None or low < 0 else "0+" if low == 0 else "+"
        sign = max(sign, self.signs.get(name, ""), key=["", "0+", "+"].index)
        if isinstance(node.op, lf.Draw) and node.op.dist == "uniform":
            sign = "+"
        return of_atom(atom("var", name, (*at, *extra), sign))

    def _sum(
        self, x: Node, axes: tuple[int, ...], at: At, f: Callable[[Poly], Poly] = lambda p: p
    ) -> Poly:
        if isinstance(x.op, mv.Concat) and x.op.axis in axes and x not in self.abstract:
            return n.add(*(self._sum(part, axes, at, f) for part in x.inputs))
        full, new = spread(x, axes, at)
        if flips(x):  # the order of a sum is free: count from the other end where that is simpler
            ends = {i: mirrored(i) for i in new}
            turned = f(self.real(x, tuple(ends.get(i, i) for i in full)))
            if not any(holds(turned, m) for m in ends.values()):
                return self._summed(turned, new)
        return self._summed(f(self.real(x, full)), new)

    @staticmethod
    def _summed(p: Poly, new: At) -> Poly:
        for i in reversed(new):
            p = n.nsum(i, p)
        return p

    def _along(self, x: Node, axis: int, at: At) -> Poly:
        j = n.fresh(n.size_of(at[axis]))
        return n.nsum(j, n.exp(self.real(x, (*at[:axis], j, *at[axis + 1 :]))))

    def _cumprod(self, x: Node, axis: int, at: At) -> Poly:
        """exp of the sum of logarithms up to an index: the product, of positive factors."""
        x, below, j = factors(x, axis, at)
        factor = self.real(x, (*at[:axis], j, *at[axis + 1 :]))
        self.need("gt", factor)
        return n.exp(n.nsum(j, n.mul(below, n.log(factor))))

    def _expected(self, x: Node, paths: tuple[str, ...], at: At) -> Poly:
        """The mean over normal draws; nodes that depend on these are not opaque inside."""
        moving: set[Node] = set()
        for y in reachable([x]):
            if isinstance(y.op, lf.Draw) and y.op.path in paths:
                if y.op.dist != "normal":
                    raise n.KernelError(f"no expectation over {y.op.dist} draws")
                moving.add(y)
            elif any(z in moving for z in y.inputs):
                moving.add(y)
        fixed = {y: name for y, name in self.abstract.items() if y not in moving}
        inner = Reader(fixed, self.ranges, self.signs)
        p = inner.real(x, at)
        self.conditions |= inner.conditions
        return expectation(p, frozenset(f"draw:{path}" for path in paths))

    def _extreme(self, x: Node, axes: tuple[int, ...], at: At, kind: str) -> Poly:
        full, new = spread(x, axes, at)
        p = self.real(x, full)
        for i in new:
            p = n.substitute(p, {i: chosen(kind, i, p)})
        return p

    def _contract(self, op: ct.Contract, args: tuple[Node, ...], at: At) -> Poly:
        place = dict(zip(op.out, at, strict=True))
        sizes = dict(zip(op.left, args[0].type.shape, strict=True))
        summed = {label: n.fresh(size(sizes[label])) for label in op.summed}
        place |= summed
        left = self.real(args[0], tuple(place[x] for x in op.left))
        p = n.mul(left, self.real(args[1], tuple(place[x] for x in op.right)))
        for i in summed.values():
            p = n.nsum(i, p)
        return p

    def _scatter(self, op: se.ScatterAdd, args: tuple[Node, ...], at: At) -> Poly:
        index, values = args
        lead, slot, rest = at[: op.batch], at[op.batch], at[op.batch + 1 :]
        new = indices(index.type.shape[op.batch :])
        p = n.mul(
            n.delta(self.index(index, lead + new), slot), self.real(values, lead + new + rest)
        )
        for i in reversed(new):
            p = n.nsum(i, p)
        return p

    def _opaque(
        self, name: str, node: Node, at: At, mapped: int, *, first_only: bool = False
    ) -> Poly:
        """An opaque function: the leading `mapped` axes (of the first operand and of the result, or
        of all operands) are passed through, every other entry of an operand is an argument."""
        mapped = 1 if first_only else mapped
        rows = []
        for k, x in enumerate(node.inputs):
            lead = at[:mapped] if k == 0 or not first_only else ()
            new = indices(x.type.shape[len(lead) :])
            rows.append(n.lam(new, self.value(x, (*lead, *new))))
        return of_atom(atom("fn", name, at[mapped:], tuple(rows)))

    def value(self, node: Node, at: At) -> Poly:
        """A node of any element type as a real."""
        match node.type.elem:
            case Fin():
                return n.value_of(self.index(node, at))
            case Bool():
                return self.truth(node, at)
            case _:
                return self.real(node, at)

    # ---- movement -------------------------------------------------------------------------
    def moved(self, node: Node, at: At) -> list[tuple[Poly, Node, At]] | None:
        """For an op that only moves entries: the value is the sum of mask * operand[index]."""
        op, args = node.op, node.inputs
        match op:
            case br.Broadcast():
                return [(ONE, args[0], tuple(at[p] for p in op.positions))]
            case mv.Transpose():
                return [(ONE, args[0], tuple(at[op.perm.index(i)] for i in range(len(at))))]
            case mv.Reshape():
                return [(ONE, args[0], reshaped(args[0].type.shape, at))]
            case mv.Slice() | mv.Flip():
                axis, bound = op.axis, args[0].type.shape[op.axis]
                offset, step = (
                    (bound - 1, Dim.of(-1))
                    if isinstance(op, mv.Flip)
                    else (op.start, Dim.of(op.step))
                )
                i = affine(at[axis], offset, step, Dim.of(1), bound)
                return [(ONE, args[0], (*at[:axis], i, *at[axis + 1 :]))]
            case se.Gather():
                lead, rank = at[: op.batch], args[1].type.rank
                i = self.index(args[1], at[:rank])
                return [(ONE, args[0], (*lead, i, *at[rank:]))]
            case mv.Pad():
                return [self._window(args[0], op.axis, op.before, at)]
            case mv.Concat():
                return self._concatenated(args, op.axis, at)
            case _:
                pass
        return None

    def _concatenated(
        self, args: tuple[Node, ...], axis: int, at: At
    ) -> list[tuple[Poly, Node, At]]:
        """Each operand where the index is below its end and not below its start (the masks add up
        to 1 by their form)."""
        start, before, rows = Dim.of(0), ZERO, list[tuple[Poly, Node, At]]()
        for k, x in enumerate(args):
            bound = x.type.shape[axis]
            gap = n.sub(size(start + bound), n.add(n.value_of(at[axis]), ONE))
            below = ONE if k == len(args) - 1 else _compare(gap)
            i = affine(at[axis], -start, Dim.of(1), Dim.of(1), bound)
            rows.append((n.sub(below, before), x, (*at[:axis], i, *at[axis + 1 :])))
            start, before = start + bound, below
        return [row for row in rows if row[0] is not ZERO]

    def _window(self, x: Node, axis: int, start: Dim, at: At) -> tuple[Poly, Node, At]:
        """x placed from `start` on along an axis: its mask, and its index (kept in range)."""
        bound, v = x.type.shape[axis], n.value_of(at[axis])
        above = _compare(n.sub(v, size(start)))
        below = _compare(n.sub(size(start + bound), n.add(v, ONE)))
        i = affine(at[axis], -start, Dim.of(1), Dim.of(1), bound)
        return n.mul(above, below), x, (*at[:axis], i, *at[axis + 1 :])

    # ---- indices and truth values ---------------------------------------------------------
    def index(self, node: Node, at: At) -> Atom:
        """The value of an index node, as an index atom."""
        op, args, elem = node.op, node.inputs, node.type.elem
        if not isinstance(elem, Fin):
            raise n.KernelError(f"{node} is not an index")
        bound = size(elem.bound)
        if node in self.abstract:
            return atom("ix", self.abstract[node], at, bound)
        moved = self.moved(node, at)
        if moved is not None and len(moved) == 1 and moved[0][0] is ONE:
            return self.index(moved[0][1], moved[0][2])
        match op:
            case lf.Index():
                return n.index_const(size(op.value), bound)
            case lf.Iota():
                return at[0]
            case lf.Input() | lf.Draw():
                extra = tuple(self.index(i, ()) for i in args)
                if not at and not extra and isinstance(op, lf.Input) and op.kind == "argument":
                    return atom("i", f"arg:{op.key}", bound)
                return atom("ix", leaf_name(node), (*at, *extra), bound)
            case cm.Widen():
                return affine(self.index(args[0], at), Dim.of(0), Dim.of(1), Dim.of(1), elem.bound)
            case se.IndexAffine():
                return affine(self.index(args[0], at), op.offset, op.scale, op.divide, elem.bound)
            case rd.ArgMin() | rd.ArgMax():
                full, new = spread(args[0], (op.axis,), at)
                return chosen(op.name, new[0], self.real(args[0], full))
            case cm.Where():
                entries = tuple(n.lam((), self.value(x, at)) for x in args)
                return atom("ix", "where:{}", entries, bound)
            case _:
                pass
        rows = []
        for x in args:
            new = indices(x.type.shape)
            rows.append(n.lam(new, self.value(x, new)))
        return atom("ix", f"{op.name}:{dict(op.attributes())}", (*at, *rows), bound)

    def truth(self, node: Node, at: At) -> Poly:
        """The value of a Boolean node, as 0 or 1."""
        op, args = node.op, node.inputs
        moved = self.moved(node, at)
        if moved is not None:
            return n.add(*(n.mul(mask, self.truth(m, i)) for mask, m, i in moved))
        match op:
            case lf.Truth():
                return ONE if op.value else ZERO
            case lf.Input():
                return of_atom(atom("bool", leaf_name(node), at))
            case cm.Not():
                return n.sub(ONE, self.truth(args[0], at))
            case cm.And() | cm.Or():
                a, b = (self.truth(x, at) for x in args)
                both = n.mul(a, b)
                return both if isinstance(op, cm.And) else n.sub(n.add(a, b), both)
            case cm.Less() | cm.LessEqual() | cm.Equal() | cm.NotEqual():
                return self._comparison(node, at)
            case rd.All() | rd.Any():
                full, new = spread(args[0], op.axes, at)
                p = self.truth(args[0], full)
                p = n.sub(ONE, p) if isinstance(op, rd.All) else p
                for i in reversed(new):
                    p = n.nsum(i, p)
                none = n.indicator("eq0", p)
                return none if isinstance(op, rd.All) else n.sub(ONE, none)
            case _:
                pass
        raise n.KernelError(f"no meaning for the truth value of {op.name}")

    def _comparison(self, node: Node, at: At) -> Poly:
        a, b = node.inputs
        match node.op:
            case cm.Less():
                return n.sub(ONE, n.indicator("ge0", n.sub(self.value(a, at), self.value(b, at))))
            case cm.LessEqual():
                return n.indicator("ge0", n.sub(self.value(b, at), self.value(a, at)))
            case _:
                pass
        if isinstance(a.type.elem, Fin):
            same = n.delta(self.index(a, at), self.index(b, at))
        elif isinstance(a.type.elem, Bool):
            same = n.sub(ONE, n.power(n.sub(self.truth(a, at), self.truth(b, at)), 2))
        else:
            same = n.indicator("eq0", n.sub(self.real(a, at), self.real(b, at)))
        return same if isinstance(node.op, cm.Equal) else n.sub(ONE, same)


def leaf_name(node: Node) -> str:
    """The variable that stands for an input or a draw."""
    match node.op:
        case lf.Input():
            return f"{node.op.kind}:{node.op.key}"
        case lf.Draw():
            return f"draw:{node.op.path}"
        case _:
            pass
    raise n.KernelError(f"{node} is not a leaf")


def factors(x: Node, axis: int, at: At) -> tuple[Node, Poly, Atom]:
    """What a cumulative product multiplies: a node, 1 for the entries j up to the index (else 0),
    and j. A first factor 1 is left out."""
    end = n.value_of(at[axis])
    if _starts_with_one(x, axis):
        end, x = n.sub(end, ONE), x.inputs[1]
    j = n.fresh(size(x.type.shape[axis]))
    return x, _compare(n.sub(end, n.value_of(j))), j


def _starts_with_one(x: Node, axis: int) -> bool:
    """Whether x is 1, then one other tensor, along an axis."""
    if not isinstance(x.op, mv.Concat) or x.op.axis != axis or len(x.inputs) != 2:
        return False
    first = x.inputs[0]
    while isinstance(first.op, br.Broadcast | mv.Reshape):
        first = first.inputs[0]
    one = isinstance(first.op, lf.Const) and first.op.value == 1
    return one and x.inputs[0].type.shape[axis] == Dim.of(1)


def spread(x: Node, axes: tuple[int, ...], at: At) -> tuple[At, At]:
    """Indices of x whose axes other than `axes` are `at`, and the new ones for `axes`."""
    rest, full, new = iter(at), list[Atom](), list[Atom]()
    for k, d in enumerate(x.type.shape):
        if k in axes:
            new.append(n.fresh(size(d)))
            full.append(new[-1])
        else:
            full.append(next(rest))
    return tuple(full), tuple(new)


def chosen(kind: str, i: Atom, p: Poly) -> Atom:
    """argmin or argmax over i of p."""
    return atom("ix", kind, (n.lam([i], p),), i.args[1])


def reshaped(shape: tuple[Dim, ...], at: At) -> At:
    """Row-major: the index in `shape` of the entry at `at` in another shape. A first axis that both
    have stays."""
    if shape and at and size(shape[0]) is n.size_of(at[0]):
        return (at[0], *reshaped(shape[1:], at[1:]))
    flat, stride, result = n.mix(at), ONE, list[Atom]()
    for d in reversed(shape):
        result.insert(0, n.part(flat, stride, size(d)))
        stride = n.mul(stride, size(d))
    return tuple(result)


def _compare(p: Poly) -> Poly:
    """[p >= 0], decided where its sign is evident (p is a whole number)."""
    if n.nonnegative(p):
        return ONE
    return ZERO if n.positive(n.scale(p, -1)) else n.indicator("ge0", p)


def pointwise(op: object, x: list[Poly], need: Callable[[str, Poly], None]) -> Poly | None:
    """The meaning of a pointwise op of reals; None for an op that is not known here."""
    match op:
        case ar.Neg():
            return n.scale(x[0], -1)
        case ar.Add():
            return n.add(*x)
        case ar.Sub():
            return n.sub(*x)
        case ar.Mul():
            return n.mul(*x)
        case ar.Div():
            need("ne", x[1])
            return n.mul(x[0], n.power(x[1], -1))
        case ar.Reciprocal():
            need("ne", x[0])
            return n.power(x[0], -1)
        case ar.Square():
            return n.power(x[0], 2)
        case ar.Power():
            whole, k = op.exponent.denominator == 1, op.exponent
            if k < 0 or not whole:
                need("ne" if whole else "gt" if k < 0 else "ge", x[0])
            return n.power(x[0], k)
        case ar.Maximum():
            return n.add(x[1], n.relu(n.sub(x[0], x[1])))
        case ar.Minimum():
            return n.sub(x[0], n.relu(n.sub(x[0], x[1])))
        case ar.StopGrad():
            return x[0]
        case ar.StraightThrough():
            return x[1]
        case _:
            pass
    return _unary(op, x[0], need)


def _unary(op: object, x: Poly, need: Callable[[str, Poly], None]) -> Poly | None:
    half = const(HALF)
    match op:
        case un.Exp() | un.Expm1():
            return n.exp(x) if isinstance(op, un.Exp) else n.sub(n.exp(x), ONE)
        case un.Log() | un.Log1p():
            inner = x if isinstance(op, un.Log) else n.add(ONE, x)
            need("gt", inner)
            return n.log(inner)
        case un.Sqrt() | un.Rsqrt():
            need("ge" if isinstance(op, un.Sqrt) else "gt", x)
            return n.power(x, HALF if isinstance(op, un.Sqrt) else -HALF)
        case un.Abs():
            return n.add(n.relu(x), n.relu(n.scale(x, -1)))
        case un.Sign():
            return n.sub(n.indicator("ge0", x), n.indicator("ge0", n.scale(x, -1)))
        case un.Relu():
            return n.relu(x)
        case un.Sigmoid():
            return sigmoid(x)
        case un.Tanh():
            return n.sub(n.scale(sigmoid(n.scale(x, 2)), 2), ONE)
        case un.Softplus():
            return n.log(n.add(ONE, n.exp(x)))
        case un.Silu():
            return n.mul(x, sigmoid(x))
        case un.Gelu():
            root = n.power(const(2), -HALF)
            erf = of_atom(atom("un", "erf", n.mul(x, root)))
            return n.prod_poly([half, x, n.add(ONE, erf)])
        case un.Erf() | un.Sin() | un.Cos() | un.Floor():
            return of_atom(atom("un", op.name, x))
        case _:
            pass
    return None


def sigmoid(x: Poly) -> Poly:
    return n.power(n.add(ONE, n.exp(n.scale(x, -1))), -1)
