"""What a claim says, as Coq reads it: graph nodes printed from their ops, entry by entry.

In: nodes, and those that stand for variables. Out: trees (`expr.py`). This is the printer of
statements: it follows the description of each op, and shares nothing with the reader that the
prover uses but the tree type; where the two differ, the exported proof fails. Ops that need index
arithmetic (reshapes, slices, windows) or have no Coq form are not exported.
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
from gendsl.ops import movement as mv
from gendsl.ops import reduce as rd
from gendsl.ops import select as se
from gendsl.ops import symbolic as sy
from gendsl.ops import unary as un
from gendsl.prove.coq.expr import (
    Add,
    Delta,
    E,
    Fn,
    Inv,
    Ix,
    Mul,
    NotExported,
    Num,
    Pi,
    Pow,
    Size,
    Sub,
    Sum,
    Var,
)
from gendsl.prove.kernel import normal as n
from gendsl.prove.kernel.term import Atom, atom
from gendsl.prove.terms import leaf_name, size
from gendsl.shape.dim import Dim
from gendsl.shape.tensor_type import Bool, Fin

At = tuple[Atom, ...]
ONE, HALF = Num(Fraction(1)), Num(Fraction(1, 2))


@dataclass
class Source:
    """`stands` maps nodes to the variables that they are read as; `arity` collects the variables
    that were met, with their number of indices and kind ("real", "bool" or "index")."""

    stands: Mapping[Node, str]
    arity: dict[str, tuple[int, str]] = field(default_factory=dict)
    nodes: dict[str, Node] = field(default_factory=dict)
    arguments: dict[Atom, None] = field(default_factory=dict)  # universally bound indices

    def real(self, node: Node, at: At) -> E:
        if node in self.stands:
            return self._variable(self.stands[node], node, at, "real")
        op, args = node.op, node.inputs
        match op:
            case lf.Const():
                return Num(op.value)
            case lf.SizeValue():
                return self._size(op.dim)
            case lf.Input() | lf.Draw():
                extra = tuple(self.index(i, ()) for i in args)
                return self._variable(leaf_name(node), node, (*at, *extra), "real")
            case sy.Pi():
                return Pi()
            case br.Sum():
                return self._sum(args[0], op.axes, at)
            case ct.Contract():
                return self._contract(op, args, at)
            case cm.Where():
                yes, no = self.real(args[1], at), self.real(args[2], at)
                return Add((no, Mul((self.truth(args[0], at), Sub(yes, no)))))
            case cm.ToReal() if isinstance(args[0].type.elem, Bool):
                return self.truth(args[0], at)
            case cm.ToReal():
                return Ix(self.index(args[0], at))
            case se.OneHot():
                return Delta(self.index(args[0], at[:-1]), at[-1])
            case rd.LogSumExp():
                return Fn("ln", (self._sum(args[0], op.axes, at, exponential=True),))
            case rd.Softmax() | rd.LogSoftmax():
                return self._softmax(op, args[0], at)
            case _:
                pass
        moved = self.moved(node, at)
        if moved is not None:
            return self.real(*moved)
        if args and all(a.type.shape == node.type.shape for a in args):
            return pointwise(op, [self.real(a, at) for a in args])
        raise NotExported(f"the op {op.name}")

    def _variable(self, name: str, node: Node, at: At, kind: str) -> Var:
        if self.arity.setdefault(name, (len(at), kind)) != (len(at), kind):
            raise NotExported(f"{name} is used with different numbers of indices")
        self.nodes[name] = node
        return Var(name, at)

    @staticmethod
    def _size(dim: Dim) -> E:
        rows: list[E] = []
        for monomial, coefficient in dim.terms:
            factors: list[E] = [] if coefficient == 1 and monomial else [Num(coefficient)]
            for name, k in monomial:
                base: E = Size(size(Dim.name(name)))
                base = Inv(base) if k < 0 else base
                factors.append(base if abs(k) == 1 else Pow(base, abs(k)))
            rows.append(factors[0] if len(factors) == 1 else Mul(tuple(factors)))
        return rows[0] if len(rows) == 1 else Add(tuple(rows))

    def _sum(self, x: Node, axes: tuple[int, ...], at: At, *, exponential: bool = False) -> E:
        rest, full, new = iter(at), list[Atom](), list[Atom]()
        for k, d in enumerate(x.type.shape):
            full.append(n.fresh(size(d)) if k in axes else next(rest))
            if k in axes:
                new.append(full[-1])
        body = self.real(x, tuple(full))
        body = Fn("exp", (body,)) if exponential else body
        for i in reversed(new):
            body = Sum(i, body)
        return body

    def _softmax(self, op: rd.Softmax | rd.LogSoftmax, x: Node, at: At) -> E:
        j = n.fresh(size(x.type.shape[op.axis]))
        total = Sum(j, Fn("exp", (self.real(x, (*at[: op.axis], j, *at[op.axis + 1 :])),)))
        own = self.real(x, at)
        if isinstance(op, rd.LogSoftmax):
            return Sub(own, Fn("ln", (total,)))
        return Mul((Fn("exp", (own,)), Inv(total)))

    def _contract(self, op: ct.Contract, args: tuple[Node, ...], at: At) -> E:
        place = dict(zip(op.out, at, strict=True))
        sizes = dict(zip(op.left, args[0].type.shape, strict=True))
        summed = {x: n.fresh(size(sizes[x])) for x in op.summed}
        place |= summed
        left = self.real(args[0], tuple(place[x] for x in op.left))
        body: E = Mul((left, self.real(args[1], tuple(place[x] for x in op.right))))
        for i in reversed(list(summed.values())):
            body = Sum(i, body)
        return body

    def moved(self, node: Node, at: At) -> tuple[Node, At] | None:
        """The operand and index that an op which only moves entries reads."""
        op, args = node.op, node.inputs
        match op:
            case br.Broadcast():
                return args[0], tuple(at[p] for p in op.positions)
            case mv.Transpose():
                return args[0], tuple(at[op.perm.index(i)] for i in range(len(at)))
            case se.Gather():
                rank = args[1].type.rank
                i = self.index(args[1], at[:rank])
                return args[0], (*at[: op.batch], i, *at[rank:])
            case mv.Reshape() | mv.Slice() | mv.Flip() | mv.Pad() | mv.Concat():
                raise NotExported("arithmetic of indices (reshape, slice, pad, concatenation)")
            case _:
                return None

    def index(self, node: Node, at: At) -> Atom:
        """The value of an index node."""
        op, args, elem = node.op, node.inputs, node.type.elem
        assert isinstance(elem, Fin)
        bound = size(elem.bound)
        moved = self.moved(node, at)
        if moved is not None:
            return self.index(*moved)
        match op:
            case lf.Index():
                return n.index_const(size(op.value), bound)
            case lf.Iota():
                return at[0]
            case lf.Input() | lf.Draw():
                extra = tuple(self.index(i, ()) for i in args)
                if isinstance(op, lf.Input) and op.kind == "argument" and not at:
                    found = atom("i", f"arg:{op.key}", bound)
                    self.arguments[found] = None
                    return found
                name = leaf_name(node)
                self._variable(name, node, (*at, *extra), "index")
                return atom("ix", name, (*at, *extra), bound)
            case _:
                raise NotExported(f"the index {op.name}")

    def truth(self, node: Node, at: At) -> E:
        """A truth value, as 0 or 1."""
        op, args = node.op, node.inputs
        moved = self.moved(node, at)
        if moved is not None:
            return self.truth(*moved)
        match op:
            case lf.Truth():
                return Num(Fraction(int(op.value)))
            case lf.Input():
                return self._variable(leaf_name(node), node, at, "bool")
            case cm.Not():
                return Sub(ONE, self.truth(args[0], at))
            case cm.And():
                return Mul((self.truth(args[0], at), self.truth(args[1], at)))
            case cm.Less() | cm.LessEqual() | cm.Equal() | cm.NotEqual():
                return self._comparison(op, args, at)
            case _:
                raise NotExported(f"the truth value of {op.name}")

    def _comparison(self, op: object, args: tuple[Node, ...], at: At) -> E:
        if not isinstance(args[0].type.elem, Fin | Bool):
            a, b = (self.real(x, at) for x in args)
            if isinstance(op, cm.LessEqual):
                return Fn("ge0", (Sub(b, a),))
            if isinstance(op, cm.Less):
                return Sub(ONE, Fn("ge0", (Sub(a, b),)))
            same: E = Fn("eq0", (Sub(a, b),))
        elif isinstance(args[0].type.elem, Fin) and isinstance(op, cm.Equal | cm.NotEqual):
            same = Delta(self.index(args[0], at), self.index(args[1], at))
        else:
            raise NotExported("a comparison of indices or truth values")
        return same if isinstance(op, cm.Equal) else Sub(ONE, same)


def _minus(x: E) -> E:
    return Mul((Num(Fraction(-1)), x))


def _sigmoid(x: E) -> E:
    return Inv(Add((ONE, Fn("exp", (_minus(x),)))))


def pointwise(op: object, x: list[E]) -> E:
    """The meaning of a pointwise op."""
    match op:
        case ar.Neg():
            return _minus(x[0])
        case ar.Add():
            return Add((x[0], x[1]))
        case ar.Sub():
            return Sub(x[0], x[1])
        case ar.Mul():
            return Mul((x[0], x[1]))
        case ar.Div():
            return Mul((x[0], Inv(x[1])))
        case ar.Reciprocal():
            return Inv(x[0])
        case ar.Square():
            return Pow(x[0], 2)
        case ar.Power():
            return power(x[0], op.exponent)
        case ar.Maximum():
            return Fn("Rmax", (x[0], x[1]))
        case ar.Minimum():
            return Fn("Rmin", (x[0], x[1]))
        case ar.StopGrad():
            return x[0]
        case ar.StraightThrough():
            return x[1]
        case _:
            return _unary(op, x[0])


def power(x: E, k: Fraction) -> E:
    """x^k for whole and half exponents."""
    base = x
    if k.denominator == 2:
        base, k = Fn("sqrt", (x,)), 2 * k
    if k.denominator != 1:
        raise NotExported(f"a power {k}")
    raised = base if abs(k) == 1 else Pow(base, abs(int(k)))
    return Inv(raised) if k < 0 else raised


def _unary(op: object, x: E) -> E:
    match op:
        case un.Exp():
            return Fn("exp", (x,))
        case un.Expm1():
            return Sub(Fn("exp", (x,)), ONE)
        case un.Log():
            return Fn("ln", (x,))
        case un.Log1p():
            return Fn("ln", (Add((ONE, x)),))
        case un.Sqrt():
            return Fn("sqrt", (x,))
        case un.Rsqrt():
            return Inv(Fn("sqrt", (x,)))
        case un.Abs():
            return Fn("Rabs", (x,))
        case un.Sign():
            return Sub(Fn("ge0", (x,)), Fn("ge0", (_minus(x),)))
        case un.Relu():
            return Fn("relu", (x,))
        case un.Sigmoid():
            return _sigmoid(x)
        case un.Softplus():
            return Fn("ln", (Add((ONE, Fn("exp", (x,)))),))
        case un.Silu():
            return Mul((x, _sigmoid(x)))
        case un.Tanh():
            return Fn("tanh", (x,))
        case un.Sin() | un.Cos():
            return Fn(op.name, (x,))
        case _:
            raise NotExported(f"the op {getattr(op, 'name', op)}")
