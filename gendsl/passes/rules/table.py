"""What a rewrite rule is, the table that rules are entered into, and what rules ask of nodes.

A rule looks at one node and gives an equal one (over the reals, wherever the node is defined) that
is cheaper or brings it nearer to another rule, or None.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction

from gendsl.ir.build import broadcast_like
from gendsl.ir.graph import Builder, Node
from gendsl.ops.broadcast import Broadcast
from gendsl.ops.leaf import Const, SizeValue
from gendsl.shape.dim import Dim

Rewrite = Callable[[Builder, Node], Node | None]


@dataclass(frozen=True)
class Rule:
    """`name` and `law` are the function's name and docstring; `ops` the ops it looks at."""

    name: str
    law: str
    ops: tuple[type, ...]
    rewrite: Rewrite


RULES: list[Rule] = []


def rule(*ops: type) -> Callable[[Rewrite], Rewrite]:
    """Enter the function into the table for these ops."""

    def enter(rewrite: Rewrite) -> Rewrite:
        if not rewrite.__doc__:
            raise TypeError(f"rule {rewrite.__name__} states no law")
        RULES.append(Rule(rewrite.__name__, rewrite.__doc__, ops, rewrite))
        return rewrite

    return enter


def number(node: Node) -> Fraction | None:
    """The constant that every entry is, when it is one."""
    scalar = spread_scalar(node)
    return scalar.op.value if scalar is not None and isinstance(scalar.op, Const) else None


def quantity(node: Node) -> Dim | None:
    """The number or size that every entry is, when it is one."""
    scalar = spread_scalar(node)
    match scalar.op if scalar is not None else None:
        case Const(value):
            return Dim.of(value)
        case SizeValue(dim):
            return dim
        case _:
            return None


def spread_scalar(node: Node) -> Node | None:
    """The scalar that every entry is, when the node says so."""
    if isinstance(node.op, Broadcast) and not node.op.positions:
        return node.inputs[0]
    return None if node.type.shape else node


def constant(build: Builder, value: Fraction | int | Dim, like: Node) -> Node:
    """The number in the shape of `like`."""
    return broadcast_like(build, value, like)
