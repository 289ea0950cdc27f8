"""Garbage collection: the nodes that entries reach, in a builder of their own.

Builders share equal nodes by construction, so all that is left to do is to drop what no entry
reaches and to number the rest by structure. Names and spans go along.
"""

from __future__ import annotations

from collections.abc import Iterable

from gendsl.ir.graph import Builder, Node, postorder


def share(build: Builder, roots: Iterable[Node]) -> tuple[Builder, dict[Node, Node]]:
    """A new builder with exactly the nodes below `roots`, and where each old node went."""
    fresh = Builder()
    table: dict[Node, Node] = {}
    for node in postorder(roots):
        new = fresh.apply(node.op, *(table[source] for source in node.inputs))
        table[node] = new
        if node in build.spans:
            fresh.spans[new] = build.spans[node]
        if node in build.names:
            fresh.names[new] = build.names[node]
    return fresh, table
