"""Rewriting graphs: nodes rebuilt with some of them replaced."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from gendsl.ir.graph import Builder, Node, reachable
from gendsl.ir.op import Op


def rebuilt(
    build: Builder,
    roots: Sequence[Node],
    values: Mapping[Node, Node],
    change: Callable[[Op], Op] = lambda op: op,
) -> dict[Node, Node]:
    """Every node below `roots` with the nodes of `values` replaced and each op passed through
    `change`. Names and spans go along. Nodes that nothing changes for stay the same objects."""
    table: dict[Node, Node] = {}
    for node in reachable(roots):
        if node in values:
            table[node] = values[node]
            continue
        new = build.apply(change(node.op), *(table[source] for source in node.inputs))
        table[node] = new
        build.inherit(new, node)
    return table


def substitute(build: Builder, roots: Sequence[Node], values: Mapping[Node, Node]) -> list[Node]:
    """The roots with the nodes of `values` replaced."""
    table = rebuilt(build, roots, values)
    return [table[root] for root in roots]
