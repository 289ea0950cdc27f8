"""Indices counted from the other end.

In: index atoms, nodes. Out: index atoms, and whether a sum is better read backwards. The name of a
mirrored index is that which `terms.affine` gives to a flip, so that a flip of it is the index.
"""

from __future__ import annotations

from gendsl.ir.graph import Node
from gendsl.ops import movement as mv
from gendsl.prove.kernel import normal as n
from gendsl.prove.kernel.term import ONE, Atom, Poly, atom
from gendsl.shape.dim import Dim


def mirrored(i: Atom) -> Atom:
    """The index counted from the other end."""
    end = n.sub(n.size_of(i), ONE)
    return atom("ix", f"affine:{_dim(end)}:-1:1", (i,), n.size_of(i))


def _dim(p: Poly) -> Dim:
    """A size that `size` made, as it was."""
    rows = (Dim.of(c) * Dim.product(Dim.name(a.args[0]) for a, k in m for _ in range(int(k)))
            for m, c in p.terms.items())  # fmt: skip
    return sum(rows, Dim.of(0))


def flips(x: Node) -> bool:
    """Whether a flip is near, below pointwise ops."""
    near = [x]
    for _ in range(3):
        if any(isinstance(y.op, mv.Flip) for y in near):
            return True
        near = [z for y in near for z in y.inputs][:12]
    return False


def holds(x: object, a: Atom) -> bool:
    """Whether an atom occurs."""
    if x is a:
        return True
    if isinstance(x, Poly):
        return any(holds(b, a) for m in x.terms for b, _ in m)
    parts = x.args if isinstance(x, Atom) else x if isinstance(x, tuple) else ()
    return any(holds(y, a) for y in parts)
