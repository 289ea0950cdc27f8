"""Sums, differences, products and quotients of reals in as few passes over memory as torch offers.

In: a node and its operands' values. Out: text. Two things are used: torch adds a multiple or a
product of tensors in one call (`torch.add(y, x, alpha=c)`, `torch.addcmul(y, a, b, value=c)`), and
a tensor that was made within the expression is read by nothing else, so it may be overwritten
(`torch.exp(x).mul_(c)`), which saves an allocation and keeps the memory that is touched small. For
scalars neither is worth less readable text.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from backends.common.text import unbracketed
from gendsl.ir.graph import Node
from gendsl.ops.arithmetic import Add, Div, Mul, Sub
from gendsl.shape.tensor_type import Bool, Fin

if TYPE_CHECKING:
    from backends.torch_cpu.express import Expressions, Value

_IN_PLACE = {"add": "add_", "sub": "sub_", "mul": "mul_", "div": "div_"}


@dataclass(frozen=True)
class _Term:
    """`scale` times the product of one or two tensors."""

    scale: str | None
    factors: tuple[str, ...]


def combined(express: Expressions, node: Node, values: Sequence[Value], made: Value) -> str | None:
    """Text for a node of two operands, at least one of them a tensor, or None if the plain operator
    is as good. `made` says which axes the result lacks."""
    if not isinstance(node.op, Add | Sub | Mul | Div) or isinstance(node.type.elem, Fin | Bool):
        return None
    if not node.type.rank:
        return None
    if isinstance(node.op, Add | Sub) and not any(v.number for v in values):
        found = _sum(express, node, values, made)
        if found is not None:
            return found
    places = (0, 1) if isinstance(node.op, Add | Mul) else (0,)
    for place in places:
        if _own(values[place], made):
            other = unbracketed(values[1 - place].text)
            return f"{values[place].text}.{_IN_PLACE[node.op.name]}({other})"
    return None


def _own(value: Value, made: Value) -> bool:
    """Whether the result fits into the operand's memory, which nothing else reads."""
    return value.fresh and (value.thin, value.lead) == (made.thin, made.lead)


def _sum(express: Expressions, node: Node, values: Sequence[Value], made: Value) -> str | None:
    """A tensor and a multiple of others, as one call."""
    for place in (1, 0) if isinstance(node.op, Add) else (1,):
        term = _term(express, node.inputs[place])
        if term is None:
            continue
        base, (first, *more) = values[1 - place], term.factors
        negative = isinstance(node.op, Sub)
        name, number = "addcmul" if more else node.op.name, "value" if more else "alpha"
        scale = term.scale
        if more and negative:
            scale = _negative("1" if scale is None else scale)
        options = [] if scale is None else [f"{number}={unbracketed(scale)}"]
        operands = ", ".join([first, *more, *options])
        if _own(base, made):
            return f"{base.text}.{name}_({operands})"
        return f"torch.{name}({unbracketed(base.text)}, {operands})"
    return None


def _negative(number: str) -> str:
    return f"-{number}" if number[0] != "-" else number[1:]


def _term(express: Expressions, node: Node) -> _Term | None:
    """The node as a multiple, where its own text stands in this expression as a product."""
    if not express.plain_product(node):
        return None
    left, right = node.inputs
    a, b = express.value(left), express.value(right)
    if a.number and b.number:
        return None
    if not a.number and not b.number:
        return _Term(None, (unbracketed(a.text), unbracketed(b.text)))
    scale, tensor, inner = (a, b, right) if a.number else (b, a, left)
    if express.plain_product(inner):
        x, y = (express.value(source) for source in inner.inputs)
        if not x.number and not y.number:
            return _Term(scale.text, (unbracketed(x.text), unbracketed(y.text)))
    return _Term(scale.text, (unbracketed(tensor.text),))
