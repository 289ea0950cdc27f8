"""Claims about running products and about sequences given step by step, proved by Coq tactics.

In: a claim whose proof object needs arithmetic of indices (concatenation, slices, induction). Out:
the claim's theorem. Its statement is printed from the claim in full, with entries at sums and
differences of indices; its proof is not the prover's: a tactic of the library finds one by
induction, so nothing of the kernel's way is trusted or needed.
"""

from __future__ import annotations

from dataclasses import dataclass

from gendsl.core import claim as c
from gendsl.ir.graph import Node, reachable
from gendsl.ops import movement as mv
from gendsl.ops import reduce as rd
from gendsl.prove.coq.expr import E, NotExported, Product, Step
from gendsl.prove.coq.header import Theorem
from gendsl.prove.coq.statement import At, Source
from gendsl.prove.coq.whole import Sayer, assembled, indices_of, text
from gendsl.prove.kernel import normal as n
from gendsl.prove.kernel.term import Atom, Poly, atom
from gendsl.prove.reading import Setting
from gendsl.prove.terms import size


def theorem(claim: c.Claim, setting: Setting, name: str) -> tuple[Theorem, ...]:
    """The claim's theorem; NotExported for claims of other forms."""
    match claim.body:
        case c.Plain(c.Compare(_, left, right)):
            goal, given = [left, right], [x for p in claim.given for x in _nodes(p)]
        case _:
            raise NotExported("not a comparison")
    if any(isinstance(x.op, rd.CumProd) for x in reachable(goal)):
        tactic = "running."
    elif any(isinstance(x.op, mv.Slice) for x in reachable(given)):
        tactic = "by_steps."
    else:
        raise NotExported("neither a running product nor a sequence given by its steps")
    source = Shifted({})
    formula = Sayer(source, setting.build).claim(claim)
    sizes = [i.args[1] for i in indices_of(formula)]
    return (assembled(name, source, (), setting, sizes, lambda w: (text(w, formula), [tactic])),)


def _nodes(p: c.Prop) -> list[Node]:
    match p:
        case c.Compare(_, left, right):
            return [left, right]
        case c.And(parts):
            return [x for q in parts for x in _nodes(q)]
        case _:
            raise NotExported("a hypothesis that is no comparison")


@dataclass
class Shifted(Source):
    """A printer that reads entries at sums and differences of indices too."""

    def real(self, node: Node, at: At) -> E:
        op, args = node.op, node.inputs
        match op:
            case _ if node in self.stands:
                return super().real(node, at)
            case mv.Slice() if op.step == 1:
                start = n.index_const(size(op.start), size(args[0].type.shape[op.axis]))
                return self.real(args[0], _put(at, op.axis, _sum("+", start, at[op.axis])))
            case mv.Concat():
                return self._parts(list(args), op.axis, at)
            case rd.CumProd():
                j = n.fresh(n.size_of(at[op.axis]))
                return Product(at[op.axis], j, self.real(args[0], _put(at, op.axis, j)))
            case _:
                return super().real(node, at)

    def _parts(self, parts: list[Node], axis: int, at: At) -> E:
        first, *rest = parts
        own = self.real(first, at)
        if not rest:
            return own
        length: Poly = size(first.type.shape[axis])
        by = n.index_const(length, n.size_of(at[axis]))
        return Step(
            at[axis], length, own, self._parts(rest, axis, _put(at, axis, _sum("-", at[axis], by)))
        )


def _put(at: At, axis: int, i: Atom) -> At:
    return (*at[:axis], i, *at[axis + 1 :])


def _sum(sign: str, i: Atom, j: Atom) -> Atom:
    """A sum or difference of natural numbers, for statements only."""
    return atom("nat", sign, (i, j), n.size_of(i if sign == "-" else j))
