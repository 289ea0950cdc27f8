"""Candidates for the zero set of a term that is never negative, from how that is proved.

In: a scalar node and the tensors to read as variables. Out: equations `node == 0` with their text:
() where the term is positive, None where none were found. Nothing here is trusted: the equations
are the right side of a claim that the prover settles.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction

from gendsl.ir.build import add, const, div, mul
from gendsl.ir.graph import Builder, Node, reachable
from gendsl.ops.leaf import Draw, Input
from gendsl.prove import peel
from gendsl.prove.cone import Cone
from gendsl.prove.kernel import rules as r
from gendsl.prove.kernel.normal import KernelError
from gendsl.prove.kernel.term import Atom, Mono, Poly, poly
from gendsl.prove.reading import Setting, declared
from gendsl.prove.show import Printer
from gendsl.prove.signs import Signs
from gendsl.prove.terms import leaf_name
from gendsl.shape.dim import Dim
from gendsl.shape.tensor_type import Real


@dataclass(frozen=True)
class Equation:
    """`node == 0`, as `text` says it."""

    node: Node
    text: str


def zero_set(
    build: Builder, term: Node, tensors: frozenset[Node], setting: Setting, printer: Printer
) -> tuple[Equation, ...] | None:
    """What has to be zero for the term to be."""
    opaque = tensors - {term}
    reader = setting.reader(opaque)
    try:
        above = Signs(reader, Cone(declared([term], setting), setting.expired)).above(term)
        if above is None:
            return None
        if above.concl.rel == "gt":
            return ()
        zero = r.assume(above.concl if above.concl.rel == "eq" else r.prop("eq", above.poly))
        found = list(peel.equations(zero, above))
    except (KernelError, RecursionError):
        return None
    leaves = {leaf_name(x): x for x in reachable([term]) if isinstance(x.op, Input | Draw)}
    leaves |= {f"%{x.id}": x for x in opaque}
    rows = {}
    for t in found:
        p, names = r.opened(t.concl)
        node = as_node(build, p, leaves, tuple(names))
        if node is None:
            return None
        rows[node] = Equation(node, _text(p, printer))
    return tuple(rows.values()) or None


def _text(p: Poly, printer: Printer) -> str:
    """`a == b` for a - b, else `p == 0`; without indices, since the equation holds everywhere."""
    up = [poly({m: k}) for m, k in p.terms.items() if k > 0]
    down = [poly({m: -k}) for m, k in p.terms.items() if k < 0]
    left = " + ".join(_plain(printer, q) for q in up)
    right = " + ".join(_plain(printer, q) for q in down)
    return f"{left or '0'} == {right or '0'}" if left else f"{right} == 0"


def _plain(printer: Printer, p: Poly) -> str:
    ((m, k),) = p.terms.items()
    names = [printer.atom(a).split("[")[0] + ("" if e == 1 else f"^{e}") for a, e in m]
    return " * ".join([*([str(k)] if k != 1 or not names else []), *names])


def as_node(
    build: Builder, p: Poly, leaves: Mapping[str, Node], at: tuple[Atom, ...] = ()
) -> Node | None:
    """A polynomial of variables at one index tuple, as a node; None for other forms."""
    rows = [_mono_node(build, m, k, leaves, at) for m, k in p.terms.items()]
    found = [x for x in rows if x is not None]
    if len(found) != len(rows) or not found:
        return None
    shapes = {x.type.shape for x in found if x.type.shape}
    return add(build, *found) if len(shapes) <= 1 else None


def _mono_node(
    build: Builder, m: Mono, k: Fraction, leaves: Mapping[str, Node], at: tuple[Atom, ...]
) -> Node | None:
    up, down = [const(build, k)] if k != 1 or not m else [], list[Node]()
    for a, e in m:
        x = _factor(build, a, leaves, at)
        if x is None or e.denominator != 1:
            return None
        (up if e > 0 else down).extend([x] * abs(e.numerator))
    shapes = {x.type.shape for x in (*up, *down) if x.type.shape}
    if len(shapes) > 1:
        return None
    top = mul(build, *up) if up else const(build, 1)
    return div(build, top, mul(build, *down)) if down else top


def _factor(
    build: Builder, a: Atom, leaves: Mapping[str, Node], at: tuple[Atom, ...]
) -> Node | None:
    if a.kind == "dim":
        return const(build, Dim.name(a.args[0]))
    if a.kind != "var" or a.args[0] not in leaves:
        return None
    node = leaves[a.args[0]]
    own: tuple[Atom, ...] = a.args[1]
    right = isinstance(node.type.elem, Real) and len(own) == node.type.rank
    return node if right and list(own) == [i for i in at if i in own] else None
