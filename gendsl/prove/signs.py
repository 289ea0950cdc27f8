"""Signs of graph nodes, by recursion over the graph as it is written.

In: a node and an index. Out: a theorem that its value is >= 0 (or > 0), or None. A square is a
square here before expansion loses it; where the recursion stops, `Cone` searches. Untrusted: every
step is a kernel rule about the term that `Reader` gives for the node.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from gendsl.ir.graph import Node
from gendsl.ops import arithmetic as ar
from gendsl.ops import broadcast as br
from gendsl.ops import movement as mv
from gendsl.ops import select as se
from gendsl.prove.cone import Cone
from gendsl.prove.kernel import normal as n
from gendsl.prove.kernel import rules as r
from gendsl.prove.kernel.rules import Thm
from gendsl.prove.kernel.term import ONE
from gendsl.prove.terms import At, Reader, spread


@dataclass
class Signs:
    """`cone` carries the known facts and the deadline."""

    reader: Reader
    cone: Cone
    _memo: dict[tuple[Node, At], Thm | None] = field(default_factory=dict)

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
                return r.square(self.reader.real(args[0], at))
            case ar.Mul() if args[0] is args[1]:
                return r.square(self.reader.real(args[0], at))
            case ar.Mul():
                return self._both(args, at, r.times)
            case ar.Add():
                return self._both(args, at, _plus)
            case ar.Div():
                t, u = self.above(args[0], at), self.above(args[1], at)
                if t is None or u is None or u.concl.rel != "gt":
                    return None
                return r.times(t, r.raise_to(u, -1))
            case ar.Maximum():
                return self._maximum(args, at)
            case ar.StopGrad():
                return self.above(args[0], at)
            case br.Broadcast() | mv.Transpose() | mv.Reshape() | mv.Slice() | se.Gather():
                moved = self.reader.moved(node, at)
                return self.above(*moved[0][1:]) if moved is not None else None
            case _:
                return None

    def _both(self, args: tuple[Node, ...], at: At, join: Callable[[Thm, Thm], Thm]) -> Thm | None:
        t = self.above(args[0], at)
        u = None if t is None else self.above(args[1], at)
        return None if t is None or u is None else join(t, u)

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


def _plus(t: Thm, u: Thm) -> Thm:
    rel = "gt" if "gt" in (t.concl.rel, u.concl.rel) else "ge"
    one = ONE
    return r.linear(rel, n.add(t.poly, u.poly), [(one, t), (one, u)])
