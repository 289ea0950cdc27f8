"""Adjoints of normalised rows: the formula that differentiation leaves becomes one op.

In: the nodes of a differentiated and simplified graph. Out: a `Rewrite` for each place where
the formula stands. Exact over the reals: u - mean u, with

    u = r q - s (r / a) sum(q s) / D,   r = 1 / sqrt(a),   s = x - mean x,   q = g gain

is r (q - mean q - h mean(q h)) with h = s r, since mean s = 0 and r / a = r^3; and so for a number
times u.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from gendsl.ir.graph import Builder, Node
from gendsl.ir.lanes import Rewrite
from gendsl.ops.arithmetic import Add, Div, Mul, Neg, Sub
from gendsl.ops.broadcast import Broadcast, Sum, full
from gendsl.ops.leaf import Const, SizeValue
from gendsl.ops.norm import NormSlope
from gendsl.ops.unary import Rsqrt
from gendsl.shape.dim import Dim


def norm_slopes(nodes: Sequence[Node]) -> Iterator[Rewrite]:
    """The adjoints of normalised rows, with what is added to them and multiplied by them."""
    for node in nodes:
        found = _norm_slope(node) if isinstance(node.op, Add) else None
        if found is not None:
            yield found


def _norm_slope(node: Node) -> Rewrite | None:
    for rest, spread in _sum(node):
        for total in _shared(_negated(_along_rows(spread))):
            for place in _places(rest):
                if total.of is place.u and total.is_share(place.factor * place.outer):
                    operands = _operands(place.u)
                    if operands is not None:
                        return _rewrite(node, operands, place)
    return None


@dataclass(frozen=True)
class _Place:
    """outer (other + factor u)."""

    u: Node
    factor: Fraction
    other: Node | None
    outer: Fraction


def _places(rest: Node) -> Iterator[_Place]:
    """What u may be in a sum or a multiple of it."""
    outer, inner = _scaled(rest)
    yield _Place(inner, outer, None, Fraction(1))
    for scale, body in ((outer, inner), (Fraction(1), rest)):
        for scaled, other in _sum(body):
            factor, u = _scaled(scaled)
            yield _Place(u, factor, other, scale)


def _rewrite(node: Node, operands: tuple[Node, ...], place: _Place) -> Rewrite:
    def make(build: Builder, made: Mapping[Node, Node]) -> Node:
        slope = build.apply(NormSlope(), *(made[x] for x in operands))
        part = _times(build, place.factor, slope)
        if place.other is None:
            return part
        return _times(build, place.outer, build.apply(Add(), made[place.other], part))

    needs = operands if place.other is None else (*operands, place.other)
    return Rewrite(needs, {node: make})


def _times(build: Builder, factor: Fraction, x: Node) -> Node:
    return x if factor == 1 else build.apply(Mul(), full(build, factor, x), x)


@dataclass(frozen=True)
class _Total:
    """`share` times the sum of `of` along the last axis."""

    share: Dim
    of: Node

    def is_share(self, factor: Fraction) -> bool:
        """Whether it is `factor` times the mean."""
        return bool(self.share * self.of.type.shape[-1] == Dim.of(factor))


def _shared(node: Node | None) -> Iterator[_Total]:
    for number, total in _product(node):
        share, x = _size(number), _summed(total)
        if share is not None and x is not None:
            yield _Total(share, x)


def _scaled(node: Node) -> tuple[Fraction, Node]:
    """A number and what it multiplies."""
    for number, rest in _product(node):
        match _number(number).op:
            case Const(value):
                return value, rest
            case _:
                pass
    return Fraction(1), node


def _operands(u: Node) -> tuple[Node, ...] | None:
    """g, s, r and gain, of which u is made."""
    for first, second in _sum(u):
        for q, spread in _product(first):
            r = _along_rows(spread)
            if r is None or not isinstance(r.op, Rsqrt):
                continue
            for s in _pulled(second, q, r):
                for g, wide in _product(q):
                    gain = _along_last(wide)
                    if gain is not None and _centred(s):
                        return g, s, r, gain
    return None


def _pulled(node: Node, q: Node, r: Node) -> Iterator[Node]:
    """s, where the node is s * -(1 / D * (r / a * sum(q s))), its number in one place or two."""
    factor, product = _scaled(node)
    for s, spread in _product(product):
        for number, rest in _product(_negated(_along_rows(spread))):
            share = _size(number)
            if share is None or share * Dim.of(factor) * s.type.shape[-1] != Dim.of(1):
                continue
            for ratio, total in _product(rest):
                cube = isinstance(ratio.op, Div) and ratio.inputs == (r, r.inputs[0])
                if cube and any(a is q and b is s for a, b in _product(_summed(total))):
                    yield s


def _centred(s: Node) -> bool:
    """Whether each row's mean was subtracted."""
    if not isinstance(s.op, Sub):
        return False
    x, spread = s.inputs
    return any(t.of is x and t.is_share(Fraction(1)) for t in _shared(_along_rows(spread)))


def _summed(node: Node) -> Node | None:
    """Of which the node is the sum along the last axis."""
    if isinstance(node.op, Sum) and node.op.axes == (node.inputs[0].type.rank - 1,):
        return node.inputs[0]
    return None


def _along_rows(node: Node | None) -> Node | None:
    """What is repeated along the last axis."""
    if node is not None and isinstance(node.op, Broadcast):
        if node.op.positions == tuple(range(node.type.rank - 1)):
            return node.inputs[0]
    return None


def _along_last(node: Node) -> Node | None:
    """What is repeated along all axes but the last."""
    if isinstance(node.op, Broadcast) and node.op.positions == (node.type.rank - 1,):
        return node.inputs[0]
    return None


def _negated(node: Node | None) -> Node | None:
    return node.inputs[0] if node is not None and isinstance(node.op, Neg) else None


def _sum(node: Node) -> Iterator[tuple[Node, Node]]:
    if isinstance(node.op, Add):
        a, b = node.inputs
        yield from ((a, b), (b, a))


def _product(node: Node | None) -> Iterator[tuple[Node, Node]]:
    if node is not None and isinstance(node.op, Mul):
        a, b = node.inputs
        yield from ((a, b), (b, a))


def _number(node: Node) -> Node:
    """The scalar that is repeated everywhere."""
    return node.inputs[0] if isinstance(node.op, Broadcast) and not node.op.positions else node


def _size(node: Node) -> Dim | None:
    """A number that is known, or known by a size."""
    match _number(node).op:
        case SizeValue(dim):
            return dim
        case Const(value):
            return Dim.of(value)
        case _:
            return None
