"""Calls that write their result into given memory, for those that make a tensor of their own.

In: a call or an operator with its operands, and whether each is a number. Out: an `OutForm`: the
call that takes `out=`, or None where torch has none. Always: the same kernel on the same operands,
so the same bits; `pointwise` says that entry i of the result depends on entries i of operands of
its shape only, so that it may be left in the place of one of them.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class OutForm:
    """`call` takes `out=` as one more keyword; `then` is applied to its result, in place. Without
    a `call`, `then` is applied to the memory itself."""

    call: ast.Call | None
    pointwise: bool
    then: tuple[str, ast.expr] | None = None

    def into(self, place: ast.Name) -> ast.expr:
        """The expression that leaves its result in `place`."""
        text: ast.expr = place
        if self.call is not None:
            keywords = [*self.call.keywords, ast.keyword("out", place)]
            text = ast.Call(self.call.func, self.call.args, keywords)
        if self.then is not None:
            method, operand = self.then
            text = ast.Call(ast.Attribute(text, method), [operand], [])
        return text


_SAME = (
    *("exp", "expm1", "log", "log1p", "sqrt", "rsqrt", "abs", "sign", "sigmoid", "tanh", "erf"),
    *("sin", "cos", "floor", "square", "reciprocal", "maximum", "minimum", "add", "sub", "mul"),
    *("addcmul", "clamp"),
)
_POINTWISE: Mapping[str, str] = {
    **{f"torch.{name}": f"torch.{name}" for name in _SAME},
    "torch.nn.functional.silu": "torch._C._nn.silu",
    "torch.nn.functional.gelu": "torch._C._nn.gelu",
    "torch.nn.functional.leaky_relu": "torch._C._nn.leaky_relu",
    **{
        name: name
        for name in (
            *("relu_slope", "relu_slope_at_0", "leaky_slope", "sigmoid_slope"),
            *("silu_slope", "gelu_slope"),
        )
    },
}
_OTHERS = frozenset(
    (
        *("torch.addmm", "torch.mm", "torch.bmm", "torch.mv", "torch.dot", "torch.amax"),
        *("torch.amin", "torch.logsumexp", "torch.softmax", "torch.log_softmax"),
        *("torch.cumsum", "torch.cumprod", "torch.cat", "torch.all", "torch.any"),
        *("scatter_slice", "scatter_add", "softmax_slope", "leaky_slope_at_0"),
    )
)
_BINARY: Mapping[type[ast.operator], str] = {
    ast.Add: "add",
    ast.Sub: "sub",
    ast.Mult: "mul",
    ast.Div: "div",
}
_COMPARE: Mapping[type[ast.cmpop], tuple[str, str]] = {
    ast.Lt: ("lt", "gt"),
    ast.LtE: ("le", "ge"),
    ast.Gt: ("gt", "lt"),
    ast.GtE: ("ge", "le"),
    ast.Eq: ("eq", "eq"),
    ast.NotEq: ("ne", "ne"),
}
_LOGIC: Mapping[type[ast.operator], str] = {ast.BitAnd: "logical_and", ast.BitOr: "logical_or"}


def parsed(text: str) -> ast.expr:
    return ast.parse(text, mode="eval").body


def _call(name: str, *args: ast.expr, keywords: Sequence[ast.keyword] = ()) -> ast.Call:
    return ast.Call(parsed(name), list(args), list(keywords))


def out_form(e: ast.expr, numbers: Sequence[bool], *, logical: bool, made: str) -> OutForm | None:
    """The form of an expression whose operands are lowered. `numbers` says which operands of an
    operator (or arguments of a call) are numbers, `logical` that its operands are truth values;
    `made` is the name of what is called."""
    match e:
        case ast.Call(func=ast.Name(), args=[x]) if made in ("channels_last", "in_order"):
            return OutForm(None, False, ("copy_", x))
        case ast.Call(func=ast.Attribute(value=x)) if made in ("clone", "contiguous", "to"):
            return OutForm(None, False, ("copy_", x))
        case ast.Call(func=ast.Attribute(value=x)) if made == "reshape":
            return OutForm(_call("by_rows", x), False)
        case ast.Call(func=f, args=args, keywords=keywords):
            return _of_call(ast.unparse(f), args, keywords, numbers)
        case ast.BinOp(left=a, op=op, right=b) if type(op) in _BINARY:
            return _arithmetic(_BINARY[type(op)], a, b, numbers)
        case ast.BinOp(left=a, op=op, right=b) if type(op) in _LOGIC and not any(numbers):
            return OutForm(_call(f"torch.{_LOGIC[type(op)]}", a, b), True) if logical else None
        case ast.UnaryOp(op=ast.USub(), operand=x):
            return OutForm(_call("torch.neg", x), True)
        case ast.UnaryOp(op=ast.Invert(), operand=x) if logical:
            return OutForm(_call("torch.logical_not", x), True)
        case ast.Compare(left=a, ops=[op], comparators=[b]):
            name, turned = _COMPARE[type(op)]
            if numbers[0]:
                return OutForm(_call(f"torch.{turned}", b, a), True)
            return OutForm(_call(f"torch.{name}", a, b), True)
        case _:
            return None


def _of_call(
    name: str, args: list[ast.expr], keywords: list[ast.keyword], numbers: Sequence[bool]
) -> OutForm | None:
    if name in _POINTWISE:
        return OutForm(_call(_POINTWISE[name], *args, keywords=keywords), True)
    if name in _OTHERS:
        return OutForm(_call(name, *args, keywords=keywords), False)
    match name, args:
        case "dense", [_, _] if not keywords:  # with a bias, torch's oneDNN takes no memory
            return OutForm(_call(name, *args), False)
        case "torch.sum", [x]:
            return OutForm(_call(name, x, ast.Constant(None)), False)
        case "torch.sum", _:
            return OutForm(_call(name, *args), False)
        case "torch.pow", _:
            return OutForm(_call(name, *args), True)
        case "torch.relu", [x]:
            return OutForm(_call("torch.clamp_min", x, ast.Constant(0.0)), True)
        case "torch.where", _ if not any(numbers):
            return OutForm(_call(name, *args), True)
        case "torch.nn.functional.softplus", [x]:
            (threshold,) = keywords
            return OutForm(
                _call("torch._C._nn.softplus", x, ast.Constant(1), threshold.value), True
            )
        case _:
            return None


def _arithmetic(kind: str, a: ast.expr, b: ast.expr, numbers: Sequence[bool]) -> OutForm:
    """An operator. Torch's functions take a number in the second place only; the other forms are
    what its operators do with a number in the first place, or give the same bits."""
    first, _ = numbers
    if not first:
        return OutForm(_call(f"torch.{kind}", a, b), True)
    match kind:
        case "add" | "mul":
            return OutForm(_call(f"torch.{kind}", b, a), True)
        case "sub":  # a - b is a + (-b), to the bit
            return OutForm(_call("torch.neg", b), True, ("add_", a))
        case _:
            return OutForm(_call("torch.reciprocal", b), True, ("mul_", a))
