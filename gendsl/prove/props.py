"""Propositions of claims as comparisons with zero: what a hypothesis says, what a goal has to show.

In: `core.claim.Prop`. Out: alternatives (an "or" of "and"s) of `Comparison`s. What the kernel's
propositions cannot say (a negated tensor equation is an existential) raises `IllPosed`.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

from gendsl.core import claim as c
from gendsl.ir.graph import Builder, Node
from gendsl.ops.arithmetic import Neg, Sub
from gendsl.ops.broadcast import fill
from gendsl.ops.leaf import Const, Truth
from gendsl.prove.kernel import normal as n
from gendsl.prove.kernel.rules import Prop, prop
from gendsl.prove.kernel.term import ONE, Poly
from gendsl.prove.terms import At, Reader, indices
from gendsl.shape.tensor_type import Bool, Fin


class IllPosed(Exception):
    """A claim of a form that has no meaning here; the message says why."""


@dataclass(frozen=True)
class Comparison:
    """`left - right rel 0` everywhere. `node` is the difference as a node, for reals."""

    rel: str
    left: Node
    right: Node
    node: Node | None

    def at(self) -> At:
        """Fresh indices for the entries that are compared."""
        return indices(max(self.left.type.shape, self.right.type.shape, key=len))

    def poly(self, reader: Reader, at: At) -> Poly:
        if self.node is not None:
            return reader.real(self.node, at if self.node.type.shape else ())
        a, b = self.left, self.right
        at_a, at_b = (at if x.type.shape else () for x in (a, b))
        if isinstance(a.type.elem, Bool):
            return n.sub(reader.truth(a, at_a), reader.truth(b, at_b))
        i, j = reader.index(a, at_a), reader.index(b, at_b)
        if self.rel == "eq":
            return n.sub(n.delta(i, j), ONE)
        if self.rel == "ne":
            return n.delta(i, j)
        gap = n.sub(n.value_of(i), n.value_of(j))
        return n.sub(gap, ONE) if self.rel == "gt" else gap

    @property
    def relation(self) -> str:
        """The kernel's relation of `poly` to zero."""
        index = isinstance(self.left.type.elem, Fin)
        return (
            "eq" if index and self.rel == "ne" else "ge" if index and self.rel == "gt" else self.rel
        )

    def prop(self, reader: Reader) -> Prop:
        at = self.at()
        p = self.poly(reader, at)
        return prop(self.relation, p, [i for i in at if i in p.free])


Alternatives = tuple[tuple[Comparison, ...], ...]
_SWAPPED = {"<": "gt", "<=": "ge", ">": "gt", ">=": "ge", "==": "eq", "!=": "ne"}
_OPPOSITE = {"==": "!=", "!=": "==", "<": ">=", ">=": "<", ">": "<=", "<=": ">"}


def alternatives(p: c.Prop, build: Builder) -> Alternatives:
    """The proposition as an "or" of "and"s."""
    match p:
        case c.Compare(op, left, right):
            return ((comparison(op, left, right, build),),)
        case c.Holds(value):
            return ((Comparison("eq", value, _true(build), None),),)
        case c.And(parts):
            rows = itertools.product(*(alternatives(q, build) for q in parts))
            return tuple(tuple(itertools.chain(*row)) for row in rows)
        case c.Or(parts):
            return tuple(itertools.chain(*(alternatives(q, build) for q in parts)))
        case c.Not(c.Compare(op, left, right)) if not (left.type.shape or right.type.shape):
            return alternatives(c.Compare(_OPPOSITE[op], left, right), build)
        case c.Not(c.Not(q)):
            return alternatives(q, build)
        case c.Not(c.And(parts)):
            return alternatives(c.Or(tuple(c.Not(q) for q in parts)), build)
        case c.Not(c.Or(parts)):
            return alternatives(c.And(tuple(c.Not(q) for q in parts)), build)
        case c.GradEqual() | c.Lipschitz():
            raise IllPosed("this proposition cannot be a part of a larger one")
        case _:
            raise IllPosed("the negation of a statement about all entries is not supported")


def comparison(op: str, left: Node, right: Node, build: Builder) -> Comparison:
    if op in ("<", "<="):
        left, right = right, left
    node = None if isinstance(left.type.elem, Fin | Bool) else difference(left, right, build)
    return Comparison(_SWAPPED[op], left, right, node)


def difference(left: Node, right: Node, build: Builder) -> Node:
    """left - right, scalars spread."""
    zero = [isinstance(x.op, Const) and not x.op.value for x in (left, right)]
    if zero[1]:
        return left
    if left.type.shape != right.type.shape:
        if not left.type.shape:
            left = fill(build, left, right)
        elif not right.type.shape:
            right = fill(build, right, left)
        else:
            raise IllPosed(f"{left.type} is compared with {right.type}")
    return build.apply(Neg(), right) if zero[0] else build.apply(Sub(), left, right)


def _true(build: Builder) -> Node:
    return build.apply(Truth(True))
