"""Algebraic clean-up of a graph to a fixed point.

In: output nodes. Out: for every node below them an equal one, built by the rules of
`gendsl.passes.rules`, which are exact over the reals. Bodies of loops are simplified too. Bounded:
every rule makes a node cheaper or moves it outwards, and the number of rounds has a limit besides.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache

from gendsl.ir.graph import Builder, Node, reachable
from gendsl.ir.op import Op
from gendsl.ops.loop import Loop, with_results
from gendsl.passes.rules import arithmetic, functions, movement
from gendsl.passes.rules.table import RULES, Rule

assert arithmetic and functions and movement  # imported to fill the table

ROUNDS = 12  # over the whole graph
STEPS = 40  # rules in a row at one node


@cache
def rules_for(op: type[Op]) -> tuple[Rule, ...]:
    """The rules that look at an op, in the order of the table."""
    return tuple(rule for rule in RULES if issubclass(op, rule.ops))


def simplify(build: Builder, roots: Sequence[Node]) -> dict[Node, Node]:
    """Each of `roots` with an equal, simpler node of the same type."""
    current = {root: root for root in roots}
    for _ in range(ROUNDS):
        table = _round(build, list(current.values()))
        following = {root: table[node] for root, node in current.items()}
        if following == current:
            break
        current = following
    return current


def _round(build: Builder, roots: Sequence[Node]) -> Mapping[Node, Node]:
    """One pass from operands to users."""
    table: dict[Node, Node] = {}
    for node in reachable(roots):
        operands = [table[source] for source in node.inputs]
        new = rewrite(build, build.apply(_simpler_op(node.op), *operands))
        table[node] = new
        if new is not node:
            build.inherit(new, node)
    return table


def rewrite(build: Builder, node: Node) -> Node:
    """The node after rules have been applied to it until none applies."""
    for _ in range(STEPS):
        following = next(
            (n for rule in rules_for(type(node.op)) if (n := rule.rewrite(build, node))), None
        )
        if following is None or following is node:
            return node
        if following.type != node.type:
            raise TypeError(f"a rule made {following.type} of {node!r} : {node.type}")
        node = following
    return node


@cache
def _simpler_op(op: Op) -> Op:
    if not isinstance(op, Loop):
        return op
    opened = op.body.open()
    table = simplify(opened.builder, opened.results)
    return Loop(with_results(op.body, [table[r] for r in opened.results]), op.result)
