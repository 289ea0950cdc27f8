"""Closed forms of derivatives: what differentiation writes as a formula becomes one op.

In: output nodes of a differentiated graph. Out: equal nodes. A formula is recognised by building it
again: equal nodes of one builder are the same object, so this finds exactly what the ops' own
gradients wrote. To be run before anything rewrites those formulas.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from gendsl.ir.graph import Builder, Node, reachable
from gendsl.ops.arity import Unary
from gendsl.ops.slope import GeluSlope, SiluSlope
from gendsl.ops.unary import Gelu, Silu

SLOPES: Mapping[type[Unary], Unary] = {Silu: SiluSlope(), Gelu: GeluSlope()}


def slopes(build: Builder, roots: Sequence[Node]) -> tuple[Builder, dict[Node, Node]]:
    """Every node below `roots` with the derivatives of smooth units as ops."""
    nodes = reachable(roots)
    formulas = {
        _slope(build, node): (node, SLOPES[type(node.op)])
        for node in nodes
        if isinstance(node.op, Unary) and type(node.op) in SLOPES
    }
    table: dict[Node, Node] = {}
    for node in nodes:
        if node in formulas:
            unit, op = formulas[node]
            new = build.apply(op, table[unit.inputs[0]], span=build.spans.get(node))
        else:
            new = build.apply(node.op, *(table[x] for x in node.inputs))
            if node in build.spans:
                build.spans.setdefault(new, build.spans[node])
        if node in build.names:
            build.names.setdefault(new, build.names[node])
        table[node] = new
    return build, table


def _slope(build: Builder, node: Node) -> Node:
    """The factor of the gradient of a unit: `pull` gives g times it."""
    assert isinstance(node.op, Unary)
    product = node.op.pull(build, node, node.inputs[0], node)
    assert product is not None
    return product.inputs[1]
