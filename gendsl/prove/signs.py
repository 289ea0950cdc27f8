"""Signs of graph nodes, by recursion over the graph as it is written.

In: a node and an index. Out: a theorem that its value is >= 0 (or > 0), or None. A square is a
square here before expansion loses it; where the recursion stops, `Cone` searches. Untrusted: every
step is a kernel rule about the term that `Reader` gives for the node.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction

from gendsl.ir.graph import Node
from gendsl.ops import arithmetic as ar
from gendsl.ops import broadcast as br
from gendsl.ops import movement as mv
from gendsl.ops import select as se
from gendsl.ops.broadcast import Broadcast
from gendsl.ops.leaf import Const
from gendsl.ops.reduce import CumProd
from gendsl.prove import lemmas
from gendsl.prove.cone import Cone, relu_zero
from gendsl.prove.kernel import normal as n
from gendsl.prove.kernel import rules as r
from gendsl.prove.kernel.rules import Thm
from gendsl.prove.kernel.term import ONE, Poly
from gendsl.prove.terms import At, Reader, factors, spread


@dataclass
class Signs:
    """`cone` carries the known facts and the deadline."""

    reader: Reader
    cone: Cone
    _memo: dict[tuple[Node, At], Thm | None] = field(default_factory=dict)
    _rooms: dict[tuple[Node, At], Thm | None] = field(default_factory=dict)

    def above(self, node: Node, at: At = ()) -> Thm | None:
        """A theorem about `reader.real(node, at)`: > 0 if that is found, else >= 0, else None."""
        key = (node, at)
        if key not in self._memo:
            self._memo[key] = None  # a node is never its own premise
            self._memo[key] = self._above(node, at)
        return self._memo[key]

    def _above(self, node: Node, at: At) -> Thm | None:
        p = self.reader.real(node, at)
        for rel in ("gt", "ge"):
            if n.positive(p) or (rel == "ge" and n.nonnegative(p)):
                return r.evident(rel, p)
        try:
            t = None if node in self.reader.abstract else self._structure(node, at)
        except n.KernelError:
            t = None
        if t is not None and t.poly is p:
            return t
        if len(p.terms) > 60:
            return None
        return self.cone.prove(p, "gt", effort=0) or self.cone.prove(p)

    def _structure(self, node: Node, at: At) -> Thm | None:
        args = node.inputs
        match node.op:
            case br.Sum(axes=axes):
                full, new = spread(args[0], axes, at)
                t = self.above(args[0], full)
                for i in reversed(new):
                    t = None if t is None else r.total(t, i)
                return t
            case ar.Square():
                return lemmas.square(self.reader.real(args[0], at))
            case ar.Mul() if args[0] is args[1]:
                return lemmas.square(self.reader.real(args[0], at))
            case ar.Mul():
                return self._both(args, at, r.times)
            case ar.Add():
                return self._both(args, at, _plus)
            case ar.Sub() if number(args[0]) == 1:
                return self.room(args[1], at)
            case ar.Div():
                t, u = self.above(args[0], at), self.above(args[1], at)
                if t is None or u is None or u.concl.rel != "gt":
                    return None
                return r.times(t, lemmas.raise_to(u, -1))
            case ar.Maximum():
                return self._maximum(args, at)
            case ar.Minimum():
                return self._minimum(args, at)
            case ar.StopGrad():
                return self.above(args[0], at)
            case br.Broadcast() | mv.Transpose() | mv.Reshape() | mv.Slice() | se.Gather():
                moved = self.reader.moved(node, at)
                return self.above(*moved[0][1:]) if moved is not None else None
            case _:
                return None

    def room(self, node: Node, at: At) -> Thm | None:
        """A theorem that 1 - value >= 0, by recursion; for what lies in (0, 1] by its form."""
        key = (node, at)
        if key not in self._rooms:
            self._rooms[key] = None
            try:
                self._rooms[key] = self._room(node, at)
            except n.KernelError:
                self._rooms[key] = None
        return self._rooms[key]

    def _room(self, node: Node, at: At) -> Thm | None:
        gap = n.sub(ONE, self.reader.real(node, at))
        if n.nonnegative(gap):
            return r.evident("ge", gap)
        t: Thm | None = None
        moved = None if node in self.reader.abstract else self.reader.moved(node, at)
        if moved is not None:
            rows = [self._masked(mask, self.room(x, i)) for mask, x, i in moved]
            solid = [row for row in rows if row is not None]
            if len(solid) == len(rows):
                t = r.linear("ge", n.add(*(u.poly for u in solid)), [(ONE, u) for u in solid])
        elif isinstance(node.op, ar.Sub) and number(node.inputs[0]) == 1:
            t = self.above(node.inputs[1], at)
        elif isinstance(node.op, CumProd) and node not in self.reader.abstract:
            t = self._product_room(node, node.op.axis, at)
        if t is not None and t.poly is gap:
            return t
        return self.cone.prove(gap) if len(gap.terms) <= 12 else None

    def _masked(self, mask: Poly, t: Thm | None) -> Thm | None:
        if t is None or mask is ONE:
            return t
        bit = Cone().prove(mask, effort=0)
        return None if bit is None else r.times(bit, t)

    def _product_room(self, node: Node, axis: int, at: At) -> Thm | None:
        """1 - prod x >= 0 for 0 < x <= 1: with s = sum log x <= 0, 1 - exp s >= -s exp s."""
        source, bit, j = factors(node.inputs[0], axis, at)
        inner = (*at[:axis], j, *at[axis + 1 :])
        x, gap = self.reader.real(source, inner), self.room(source, inner)
        if gap is None:
            return None
        log = n.scale(n.log(x), -1)
        below = r.linear("ge", log, [(ONE, lemmas.log_below_tangent(x)), (ONE, gap)])
        total = r.total(r.times(r.evident("ge", bit), below), j)
        e = n.exp(n.scale(total.poly, -1))
        rows = [(e, lemmas.exp_above_tangent(total.poly)), (e, total)]
        return r.linear("ge", n.sub(ONE, e), rows)

    def _both(self, args: tuple[Node, ...], at: At, join: Callable[[Thm, Thm], Thm]) -> Thm | None:
        t = self.above(args[0], at)
        u = None if t is None else self.above(args[1], at)
        return None if t is None or u is None else join(t, u)

    def _minimum(self, args: tuple[Node, ...], at: At) -> Thm | None:
        """min(p, q) = p - relu(p - q) > 0 where p > 0 and q > 0, by cases."""
        t, u = (self.above(x, at) for x in args)
        if t is None or u is None:
            return None
        rel = "gt" if {t.concl.rel, u.concl.rel} == {"gt"} else "ge"
        t, u = (x if x.concl.rel == rel else lemmas.weaken(x, rel) for x in (t, u))
        gap, minus = n.sub(t.poly, u.poly), n.scale(ONE, -1)
        whole = n.sub(t.poly, n.relu(gap))
        high = lemmas.relu_at(r.assume(r.prop("ge", gap)))  # relu(p - q) - (p - q) = 0
        low = relu_zero(gap, r.assume(r.prop("ge", n.scale(gap, -1))))  # relu(p - q) = 0
        return lemmas.cases(
            gap,
            r.linear(rel, whole, [(ONE, u), (minus, high)]),
            r.linear(rel, whole, [(ONE, t), (minus, low)]),
        )

    def _maximum(self, args: tuple[Node, ...], at: At) -> Thm | None:
        """max(a, b) = b + relu(a - b) is at least a, and at least b."""
        a, b = (self.reader.real(x, at) for x in args)
        whole = n.add(b, n.relu(n.sub(a, b)))
        for x, p in zip(args, (a, b), strict=True):
            t = self.above(x, at)
            gap = Cone().prove(n.sub(whole, p)) if t is not None else None
            if t is not None and gap is not None:
                return _plus(t, gap)
        return None


def number(node: Node) -> Fraction | None:
    """The value of a constant, spread or not."""
    while isinstance(node.op, Broadcast):
        (node,) = node.inputs
    return node.op.value if isinstance(node.op, Const) else None


def _plus(t: Thm, u: Thm) -> Thm:
    rel = "gt" if "gt" in (t.concl.rel, u.concl.rel) else "ge"
    one = ONE
    return r.linear(rel, n.add(t.poly, u.poly), [(one, t), (one, u)])
