"""Derivatives of graph nodes, derived here and not by the pass that trains.

`Tangents.of(node, at)` is the derivative of a node along an arbitrary direction of the parameters
of one group, as a term. `stop_grad` has tangent 0, `straight_through` that of its first operand,
indices and truth values have none; at kinks the derivative is the one that the op declares. Nodes
in `seeds` stand for themselves: their tangent is a variable (the chain rule with the inner
derivative left open), so that what is proved holds for any value of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction

from gendsl.ir.graph import Node
from gendsl.ops import arithmetic as ar
from gendsl.ops import broadcast as br
from gendsl.ops import compare as cm
from gendsl.ops import contract as ct
from gendsl.ops import leaf as lf
from gendsl.ops import reduce as rd
from gendsl.ops import select as se
from gendsl.ops import unary as un
from gendsl.ops.arity import Binary, Unary
from gendsl.prove.kernel import normal as n
from gendsl.prove.kernel.term import ONE, ZERO, Poly, atom, const, of_atom
from gendsl.prove.terms import At, Reader, sigmoid, size, spread
from gendsl.shape.tensor_type import Real

HALF = Fraction(1, 2)


def sources(node: Node) -> tuple[Node, ...]:
    """The operands that a gradient reaches from `node`."""
    args = node.inputs
    match node.op:
        case ar.StopGrad() | un.Floor() | un.Sign():
            return ()
        case ar.StraightThrough():
            return args[:1]
        case cm.Where():
            return args[1:]
        case se.Gather():
            return args[:1]
        case se.ScatterAdd():
            return args[1:]
        case _:
            return tuple(a for a in args if isinstance(a.type.elem, Real))


def reaches(node: Node, params: frozenset[str]) -> frozenset[Node]:
    """The nodes below `node` (itself included) from which a gradient reaches one of `params`."""
    order: list[Node] = []
    seen: set[Node] = set()
    stack = [node]
    while stack:
        x = stack.pop()
        if x not in seen and isinstance(x.type.elem, Real):
            seen.add(x)
            order.append(x)
            stack.extend(sources(x))
    found: set[Node] = set()
    for x in sorted(order, key=lambda x: x.id):
        own = isinstance(x.op, lf.Input) and x.op.kind == "param" and x.op.key in params
        if own or any(y in found for y in sources(x)):
            found.add(x)
    return frozenset(found)


@dataclass
class Tangents:
    """`active` are the nodes from which a gradient reaches the group (see `reaches`)."""

    reader: Reader
    active: frozenset[Node]
    seeds: Mapping[Node, str]
    _memo: dict[tuple[Node, At], Poly] = field(default_factory=dict)

    def of(self, node: Node, at: At) -> Poly:
        key = (node, at)
        if key not in self._memo:
            self._memo[key] = self._of(node, at)
        return self._memo[key]

    def _of(self, node: Node, at: At) -> Poly:
        if node not in self.active:
            return ZERO
        if node in self.seeds or isinstance(node.op, lf.Input):
            name = self.seeds.get(node) or f"direction:{node.op.key}"  # type: ignore[attr-defined]
            return of_atom(atom("var", name, at, ""))
        op, args = node.op, node.inputs
        moved = self.reader.moved(node, at)
        if moved is not None:
            return n.add(*(n.mul(mask, self.of(m, i)) for mask, m, i in moved))
        match op:
            case br.Sum():
                full, new = spread(args[0], op.axes, at)
                p = self.of(args[0], full)
                for i in reversed(new):
                    p = n.nsum(i, p)
                return p
            case ct.Contract():
                return self._contract(op, args, at)
            case cm.Where():
                c = self.reader.truth(args[0], at)
                yes, no = self.of(args[1], at), self.of(args[2], at)
                return n.add(no, n.mul(c, n.sub(yes, no)))
            case rd.LogSumExp() | rd.Softmax() | rd.LogSoftmax():
                return self._soft(node, at)
            case Unary() if isinstance(op, ar.StopGrad):
                return ZERO
            case Unary():
                slope = self._slope(op, args[0], at)
                return n.mul(slope, self.of(args[0], at))
            case Binary():
                return self._binary(op, args, at)
            case _:
                raise n.KernelError(f"no derivative of {op.name} here")

    def _contract(self, op: ct.Contract, args: tuple[Node, ...], at: At) -> Poly:
        place = dict(zip(op.out, at, strict=True))
        sizes = dict(zip(op.left, args[0].type.shape, strict=True))
        summed = {label: n.fresh(size(sizes[label])) for label in op.summed}
        place |= summed
        ix = [tuple(place[x] for x in labels) for labels in (op.left, op.right)]
        p = n.add(
            n.mul(self.of(args[0], ix[0]), self.reader.real(args[1], ix[1]))
            if args[0] in self.active
            else ZERO,
            n.mul(self.reader.real(args[0], ix[0]), self.of(args[1], ix[1]))
            if args[1] in self.active
            else ZERO,
        )
        for i in summed.values():
            p = n.nsum(i, p)
        return p

    def _soft(self, node: Node, at: At) -> Poly:
        """logsumexp, softmax and log_softmax, along one axis or several."""
        x, op = node.inputs[0], node.op
        axes = op.axes if isinstance(op, rd.LogSumExp) else (op.axis,)  # type: ignore[attr-defined]
        rest = (
            at
            if isinstance(op, rd.LogSumExp)
            else tuple(i for k, i in enumerate(at) if k not in axes)
        )
        full, new = spread(x, axes, rest)
        weight = n.exp(self.reader.real(x, full))
        total, mean = weight, n.mul(weight, self.of(x, full))
        for i in reversed(new):
            total, mean = n.nsum(i, total), n.nsum(i, mean)
        mean = n.mul(mean, n.power(total, -1))
        if isinstance(op, rd.LogSumExp):
            return mean
        rise = n.sub(self.of(x, at), mean)
        return rise if isinstance(op, rd.LogSoftmax) else n.mul(self.reader.real(node, at), rise)

    def _binary(self, op: Binary, args: tuple[Node, ...], at: At) -> Poly:
        if isinstance(op, ar.StraightThrough):
            return self.of(args[0], at)
        da, db = self.of(args[0], at), self.of(args[1], at)
        match op:
            case ar.Add():
                return n.add(da, db)
            case ar.Sub():
                return n.sub(da, db)
            case _:
                pass
        a, b = self.reader.real(args[0], at), self.reader.real(args[1], at)
        match op:
            case ar.Mul():
                return n.add(n.mul(da, b), n.mul(a, db))
            case ar.Div():
                self.reader.need("ne", b)
                inverse = n.power(b, -1)
                return n.mul(inverse, n.sub(da, n.prod_poly([a, inverse, db])))
            case ar.Maximum() | ar.Minimum():
                gap = n.sub(a, b) if isinstance(op, ar.Maximum) else n.sub(b, a)
                first = n.indicator("ge0", gap)
                return n.add(db, n.mul(first, n.sub(da, db)))
            case _:
                raise n.KernelError(f"no derivative of {op.name} here")

    def _slope(self, op: Unary, operand: Node, at: At) -> Poly:
        """The derivative of a pointwise function, with the op's own choice at kinks."""
        if isinstance(op, ar.Neg):
            return const(-1)
        x = self.reader.real(operand, at)
        s = sigmoid(x)
        match op:
            case ar.Square():
                return n.scale(x, 2)
            case ar.Reciprocal():
                self.reader.need("ne", x)
                return n.scale(n.power(x, -2), -1)
            case ar.Power():
                k = op.exponent
                self.reader.need("gt", x) if k < 2 or k.denominator != 1 else None
                return n.scale(n.power(x, k - 1), k)
            case un.Exp() | un.Expm1():
                return n.exp(x)
            case un.Log() | un.Log1p():
                inner = x if isinstance(op, un.Log) else n.add(ONE, x)
                self.reader.need("gt", inner)
                return n.power(inner, -1)
            case un.Sqrt() | un.Rsqrt():
                self.reader.need("gt", x)
                k = HALF if isinstance(op, un.Sqrt) else -HALF
                return n.scale(n.power(x, k - 1), k)
            case un.Abs():
                return n.sub(n.indicator("ge0", x), n.indicator("ge0", n.scale(x, -1)))
            case un.Relu():
                return n.sub(ONE, n.indicator("ge0", n.scale(x, -1)))
            case un.Sigmoid():
                return n.mul(s, n.sub(ONE, s))
            case un.Tanh():
                t = n.sub(n.scale(sigmoid(n.scale(x, 2)), 2), ONE)
                return n.sub(ONE, n.mul(t, t))
            case un.Softplus():
                return s
            case un.Silu():
                return n.add(s, n.prod_poly([x, s, n.sub(ONE, s)]))
            case un.Sin():
                return of_atom(atom("un", "cos", x))
            case un.Cos():
                return n.scale(of_atom(atom("un", "sin", x)), -1)
            case un.Erf():
                scale = n.scale(n.power(of_atom(atom("pi")), -HALF), 2)
                return n.mul(scale, n.exp(n.scale(n.mul(x, x), -1)))
            case _:
                raise n.KernelError(f"no derivative of {op.name} here")
