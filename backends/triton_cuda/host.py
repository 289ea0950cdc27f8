"""What the host computes before each run: numbers that depend on hyperparameters, step and sizes.

In: scalar nodes without a tensor below them (learning rates, bias corrections of Adam, schedules).
Out: a function from their inputs to Python floats (double precision), compiled once from generated
text, with what depends on no input computed there and then: a step on the device takes tens of
microseconds, and numpy would take as long for this.
Always: the values are those of the ops' numpy references, infinities and nan included.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from gendsl.ir.graph import Node, reachable
from gendsl.ir.op import Concrete
from gendsl.ops.arithmetic import Add, Div, Maximum, Minimum, Mul, Neg, Power, Square, Sub
from gendsl.ops.leaf import Input
from gendsl.ops.loop import Placeholder
from gendsl.ops.unary import Exp, Expm1, Log1p, Rsqrt, Sqrt

Given = Mapping[str, float]
Numbers = Callable[[Given], list[float]]

# Exact in Python as in numpy, and without exceptions of their own.
_DIRECT = {
    Add: "{0} + {1}",
    Sub: "{0} - {1}",
    Mul: "{0} * {1}",
    Neg: "-{0}",
    Square: "{0} * {0}",
}
# Where Python raises, numpy's answer is taken.
_GUARDED: dict[type, Callable[..., float]] = {
    Div: lambda a, b: a / b,
    Sqrt: math.sqrt,
    Rsqrt: lambda a: 1 / math.sqrt(a),
    Exp: math.exp,
    Expm1: math.expm1,
    Log1p: math.log1p,
    Maximum: lambda a, b: max(a, b) if a == a and b == b else math.nan,
    Minimum: lambda a, b: min(a, b) if a == a and b == b else math.nan,
}


def numbers(nodes: Sequence[Node], sizes: Mapping[str, int]) -> Numbers:
    """The values of `nodes`, given inputs by key: "hyper:lr", "step:step"."""
    env = Concrete(sizes, np.dtype(np.float64))
    space: dict[str, Any] = {}
    lines = ["def values(given):"]
    for node in reachable(nodes):
        lines.append(f"    v{node.id} = {_expression(node, env, space)}")
    listed = ", ".join(f"v{node.id}" for node in nodes)
    lines.append(f"    return [{listed}]")
    exec("\n".join(lines), space)  # our own text, written from the nodes
    found: Numbers = space["values"]
    return found


def _expression(node: Node, env: Concrete, space: dict[str, Any]) -> str:
    """Python for one node over the names of its operands; what it calls goes into `space`."""
    operands = [f"v{source.id}" for source in node.inputs]
    match node.op:
        case Input(kind, key):
            return f'given["{kind}:{key}"]'
        case Placeholder():
            raise ValueError(f"{node} is not a number of the host")
        case _:
            pass
    if type(node.op) in _DIRECT:
        return _DIRECT[type(node.op)].format(*operands)
    if not operands:
        space[f"c{node.id}"] = float(node.op.reference([], node.type, env))
        return f"c{node.id}"
    function = _function(node, env)
    fixed = [space.get(f"c{source.id}") for source in node.inputs]
    if None not in fixed:
        space[f"c{node.id}"] = function(*fixed)
        return f"c{node.id}"
    space[f"f{node.id}"] = function
    return f"f{node.id}({', '.join(operands)})"


def _function(node: Node, env: Concrete) -> Callable[..., float]:
    """The op on Python numbers: quickly where that is exact, else by its reference."""
    quick = _GUARDED.get(type(node.op))
    if isinstance(node.op, Power):
        exponent = float(node.op.exponent)
        quick = lambda x: x**exponent if x > 0 else math.log(x)  # noqa: E731

    def slowly(*values: float) -> float:
        with np.errstate(all="ignore"):
            arrays = [np.asarray(value) for value in values]
            return float(node.op.reference(arrays, node.type, env))

    if quick is None:
        return slowly

    def quickly(*values: float) -> float:
        try:
            return quick(*values)
        except (ArithmeticError, ValueError):
            return slowly(*values)

    return quickly
