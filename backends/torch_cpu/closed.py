"""Closed forms: several nodes of one expression as one call, which torch or the runtime has.

In: the expressions of a call and a node of it. Out: a `Closed`, the text of one call that computes
the node, or None. Always: every node that the call stands for is written in this expression, so
that nothing else needs its value; a call whose name ends in `_` overwrites an operand that is a
result of this expression itself, such as a product's.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from backends.common.text import unbracketed
from gendsl.ir.graph import Node
from gendsl.ops.arithmetic import Maximum, Mul, Sub
from gendsl.ops.broadcast import Broadcast, Sum
from gendsl.ops.compare import Less, LessEqual, Where
from gendsl.ops.contract import Contract
from gendsl.ops.conv import Conv2d, ConvTranspose2d
from gendsl.ops.slope import GeluSlope, SiluSlope

if TYPE_CHECKING:
    from backends.torch_cpu.express import Expressions


@dataclass(frozen=True)
class Closed:
    """A call, and the nodes that it stands for besides its result."""

    text: str
    inside: tuple[Node, ...]


def closed_form(express: Expressions, node: Node) -> Closed | None:
    """One call for a pointwise node and operands that only it reads."""
    match node.op:
        case Mul():
            return (
                _smooth_slope(express, node)
                or _softmax_slope(express, node)
                or _sigmoid_slope(express, node)
            )
        case Where():
            return _gate(express, node)
        case Maximum():
            return _leaky(express, node)
        case _:
            return None


def is_anchor(node: Node) -> bool:
    """Whether the node is made by a call whose result is a tensor of its own."""
    match node.op:
        case Contract() as op:
            return bool(op.summed)
        case op:
            return isinstance(op, (Conv2d, ConvTranspose2d))


def _call(express: Expressions, name: str, kept: Node, g: Node, *more: str) -> str:
    """A function of a kept value and a cotangent, which it overwrites if nothing else sees it."""
    place = "_" if is_anchor(g) and express.written(g) else ""
    texts = (unbracketed(express.whole(kept)), unbracketed(express.whole(g)), *more)
    return f"{name}{place}({', '.join(texts)})"


def _both(node: Node) -> tuple[tuple[Node, Node], tuple[Node, Node]]:
    a, b = node.inputs
    return (a, b), (b, a)


def _smooth_slope(express: Expressions, node: Node) -> Closed | None:
    """g times the derivative of a smooth unit."""
    for slope, g in _both(node):
        if isinstance(slope.op, (SiluSlope, GeluSlope)) and express.written(slope):
            return Closed(_call(express, slope.op.name, slope.inputs[0], g), (slope,))
    return None


def _softmax_slope(express: Expressions, node: Node) -> Closed | None:
    """y (g - sum of g y along one axis)."""
    for y, rest in _both(node):
        if not (isinstance(rest.op, Sub) and express.written(rest)):
            continue
        g, spread = rest.inputs
        if not (isinstance(spread.op, Broadcast) and express.written(spread)):
            continue
        total = spread.inputs[0]
        if not (isinstance(total.op, Sum) and express.written(total) and len(total.op.axes) == 1):
            continue
        product, axis = total.inputs[0], total.op.axes[0]
        restored = tuple(i for i in range(node.type.rank) if i != axis)
        if spread.op.positions != restored or not express.written(product):
            continue
        if isinstance(product.op, Mul) and product.inputs in ((g, y), (y, g)):
            text = _call(express, "softmax_slope", y, g, str(axis))
            return Closed(text, (rest, spread, total, product))
    return None


def _sigmoid_slope(express: Expressions, node: Node) -> Closed | None:
    """g y (1 - y)."""
    for bell, g in _both(node):
        if not (isinstance(bell.op, Mul) and express.written(bell)) or g is bell:
            continue
        for y, rest in _both(bell):
            if isinstance(rest.op, Sub) and express.written(rest) and rest.inputs[1] is y:
                if _number(express, rest.inputs[0]) == 1 and not express.value(y).number:
                    return Closed(_call(express, "sigmoid_slope", y, g), (bell, rest))
    return None


def _leaky(express: Expressions, node: Node) -> Closed | None:
    """The larger of x and k x, for a number k between 0 and 1."""
    for x, scaled in _both(node):
        if isinstance(scaled.op, Mul) and express.written(scaled) and not express.written(x):
            for factor, operand in _both(scaled):
                k = _number(express, factor)
                if operand is x and k is not None and 0 < k < 1:
                    text = f"{unbracketed(express.whole(x))}, {k!r}"
                    return Closed(f"torch.nn.functional.leaky_relu({text})", (scaled,))
    return None


def _gate(express: Expressions, node: Node) -> Closed | None:
    """`where(0 < x, g, 0)` and `where(0 < x, g, k * g)`, and so with <=."""
    condition, g, low = node.inputs
    if not express.written(condition) or not isinstance(condition.op, (Less, LessEqual)):
        return None
    zero, x = condition.inputs
    if _number(express, zero) != 0 or express.value(x).number:
        return None
    at_zero = "_at_0" if isinstance(condition.op, LessEqual) else ""
    if _number(express, low) == 0:
        return Closed(_call(express, f"relu_slope{at_zero}", x, g), (condition,))
    if isinstance(low.op, Mul) and express.written(low) and low.inputs[1] is g:
        scale = _number(express, low.inputs[0])
        if scale is not None and scale > 0:
            operands = f"{unbracketed(express.whole(x))}, {unbracketed(express.whole(g))}"
            return Closed(f"leaky_slope{at_zero}({operands}, {scale!r})", (condition, low))
    return None


def _number(express: Expressions, node: Node) -> float | None:
    """The value of a node that is the same known number everywhere."""
    value = express.value(node)
    return as_float(value.text) if value.number else None


def as_float(text: str) -> float | None:
    """The value of a literal."""
    return float(text) if is_literal(text) and text not in ("True", "False") else None


def is_literal(text: str) -> bool:
    """Whether a number's text names no value of the call."""
    return not any(c.isalpha() and c != "e" for c in text) or text in ("True", "False")
