"""What each expression of a plain source gives: found by running it once, on zeros.

In: the plain source of a step and the inputs of its plan. Out: `Seen` for every expression that
gives a tensor: its shape, the order of its entries in memory, and whether it shows an operand's
memory. Torch itself is asked, in place of a model of it that might be wrong: what a call returns
depends on shapes and orders of memory only, not on values. Loops and updates in place are left out.
"""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor

from backends.torch_cpu import runtime
from backends.torch_cpu.emit import CARRIED, CONTAINERS
from backends.torch_cpu.updates import in_order
from gendsl.ir.plan import Buffer, Plan
from gendsl.noise import Ahead, Noise
from gendsl.ops.leaf import Input
from gendsl.shape.tensor_type import Bool, Fin

_BINARY: Mapping[type[ast.operator], Callable[..., Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.BitAnd: operator.and_,
    ast.BitOr: operator.or_,
}
_COMPARE: Mapping[type[ast.cmpop], Callable[..., Any]] = {
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
}
_UNARY: Mapping[type[ast.unaryop], Callable[..., Any]] = {
    ast.USub: operator.neg,
    ast.Invert: operator.invert,
    ast.Not: operator.not_,
}


@dataclass(frozen=True)
class Seen:
    """A tensor: `strides` in entries, `elem` the name of its dtype, `bytes` what its entries take;
    `shows` the operand (an expression) whose memory it shows, `whole` whether all of it, in the
    same order."""

    shape: tuple[int, ...]
    strides: tuple[int, ...]
    elem: str
    bytes: int
    shows: ast.expr | None = None
    whole: bool = False

    @property
    def rank(self) -> int:
        return len(self.shape)

    @property
    def dense(self) -> bool:
        """Whether the entries lie without gaps, each at a place of its own."""
        extent = 1
        for stride, size in sorted(
            (s, d) for s, d in zip(self.strides, self.shape, strict=True) if d != 1
        ):
            if stride != extent:
                return False
            extent *= size
        return 0 not in self.shape

    @property
    def by_rows(self) -> bool:
        """Whether the last axis varies fastest, and so on."""
        extent = 1
        for stride, size in zip(reversed(self.strides), reversed(self.shape), strict=True):
            if size != 1 and stride != extent:
                return False
            extent *= size
        return True

    def alike(self, other: Seen) -> bool:
        """Whether one fits in the other's place."""
        mine, theirs = ((x.shape, x.elem, x.order) for x in (self, other))
        return mine == theirs

    @property
    def order(self) -> tuple[int, ...]:
        """Strides of the axes that have any."""
        pairs = zip(self.strides, self.shape, strict=True)
        return tuple(stride for stride, size in pairs if size != 1)


@dataclass
class Observer:
    """`space` are the names of the source's module; `seen` is filled by `run`."""

    space: dict[str, Any]
    seen: dict[ast.expr, Seen] = field(default_factory=dict)
    _storage: dict[ast.expr, int] = field(default_factory=dict)

    def run(self, body: list[ast.stmt]) -> None:
        for statement in body:
            match statement:
                case ast.Assign(targets=[ast.Name(name)], value=value):
                    self.space[name] = self.value(value)
                case ast.Assign(value=value) | ast.Return(value=ast.expr() as value):
                    self.value(value)
                case ast.Delete(targets=targets):
                    for target in targets:
                        assert isinstance(target, ast.Name)
                        del self.space[target.id]
                case ast.Expr(value=ast.Call(args=args, keywords=keywords)):
                    for given in (*args, *(k.value for k in keywords)):
                        self.value(given)
                case ast.FunctionDef() | ast.For():
                    exec(compile(ast.Module([statement], []), "<loop>", "exec"), self.space)
                case _:
                    raise AssertionError(ast.unparse(statement))

    def value(self, e: ast.expr) -> Any:
        made = self._value(e)
        if isinstance(made, Tensor):
            self._storage[e] = made.untyped_storage().data_ptr()
            self.seen[e] = self._seen(e, made)
        return made

    def _value(self, e: ast.expr) -> Any:
        value = self.value
        match e:
            case ast.Constant(value=x):
                return x
            case ast.Name(id=name):
                return self.space[name]
            case ast.Attribute(value=x, attr=name):
                return getattr(value(x), name)
            case ast.Tuple(elts=items):
                return tuple(map(value, items))
            case ast.Dict(keys=keys, values=values):
                return {value(k): value(x) for k, x in zip(keys, values, strict=True) if k}
            case ast.Slice():
                return slice(*(None if x is None else value(x) for x in (e.lower, e.upper, e.step)))
            case ast.Subscript(value=x, slice=index):
                return value(x)[value(index)]
            case ast.Call(func=f, args=args, keywords=keywords):
                function, given = value(f), [value(x) for x in args]
                return function(*given, **{k.arg or "": value(k.value) for k in keywords})
            case ast.BinOp(left=a, op=op, right=b):
                return _BINARY[type(op)](value(a), value(b))
            case ast.UnaryOp(op=op, operand=x):
                return _UNARY[type(op)](value(x))
            case ast.Compare(left=a, ops=[op], comparators=[b]):
                return _COMPARE[type(op)](value(a), value(b))
            case ast.BoolOp(op=op, values=values):
                found = [bool(value(x)) for x in values]
                return all(found) if isinstance(op, ast.And) else any(found)
            case ast.IfExp(test=test, body=yes, orelse=no):
                value(test)
                value(no)
                return value(yes)
            case _:
                raise AssertionError(ast.unparse(e))

    def _seen(self, e: ast.expr, made: Tensor) -> Seen:
        found = Seen(
            tuple(made.shape),
            tuple(made.stride()),
            str(made.dtype).removeprefix("torch."),
            made.numel() * made.element_size(),
        )
        for operand in operands(e):
            other = self.seen.get(operand)
            if other is not None and self._storage[operand] == self._storage[e]:
                return replace(found, shows=operand, whole=found.alike(other))
        return found


def operands(e: ast.expr) -> Iterator[ast.expr]:
    """The expressions that a call or an operator is applied to, tuples taken apart, in order."""
    match e:
        case ast.Call(func=f, args=args, keywords=keywords):
            owner = [f.value] if isinstance(f, ast.Attribute) else []
            for given in (*owner, *args, *(k.value for k in keywords)):
                yield from given.elts if isinstance(given, ast.Tuple) else (given,)
        case ast.Subscript(value=x, slice=index):
            yield x
            yield index
        case ast.BinOp(left=a, right=b):
            yield from (a, b)
        case ast.UnaryOp(operand=x):
            yield x
        case ast.Compare(left=a, comparators=[b]):
            yield from (a, b)
        case _:
            pass


def observed(
    text: str, plan: Plan
) -> tuple[list[ast.stmt], list[ast.stmt], Mapping[ast.expr, Seen]]:
    """The statements of the module and of the plan's function, and what their expressions give."""
    module = ast.parse(text)
    (function,) = (x for x in module.body if isinstance(x, ast.FunctionDef))
    constants: list[ast.stmt] = [x for x in module.body if isinstance(x, ast.Assign)]
    space = runtime.namespace(torch.float32) | _inputs(plan)
    with torch.inference_mode():
        observer = Observer(space)
        observer.run(constants)
        observer.run(function.body)
    return constants, function.body, observer.seen


def _inputs(plan: Plan) -> dict[str, Any]:
    """What the function is given, by its parameters' names."""
    found: dict[str, Any] = {name: {} for name in CONTAINERS.values()}
    for buffer in plan.inputs:
        op = buffer.node.op
        if isinstance(op, Input) and op.kind != "step":
            number = op.kind == "hyper"
            found[CONTAINERS[op.kind]][op.key] = 1.0 if number else _zeros(buffer, op.kind)
    draw = runtime.drawer(Noise(0, "train"), Ahead(), torch.float32)
    return {**found, "number": 0, "draw": draw, "float": float}


def _zeros(buffer: Buffer, kind: str) -> Tensor:
    match buffer.elem:
        case Fin():
            dtype = torch.int64
        case Bool():
            dtype = torch.bool
        case _:
            dtype = torch.float32
    zeros = torch.zeros(buffer.shape, dtype=dtype)
    return in_order(zeros) if kind in CARRIED else zeros
