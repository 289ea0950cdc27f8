"""Executes the source that a torch target wrote: straight-line assignments over symbolic tensors.

In: the text of a function and what its containers hold. Out: `Machine.run` yields every assignment,
update in place and returned value as it happens, for `check_torch` to compare. Always: a syntax or
a call that is not in the tables raises `Unmodelled`; a name whose memory was overwritten is not
read.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from gendsl.validate import value as v
from gendsl.validate import whole as w
from gendsl.validate.simplify import named_number
from gendsl.validate.torch_calls import CALLS, IN_PLACE, METHODS
from gendsl.validate.torch_values import (
    Anything,
    Tensor,
    arithmetic,
    comparison,
    of_op,
    subscripted,
    to_real,
)
from gendsl.validate.value import Value
from gendsl.validate.whole import Unmodelled, Whole

_BINARY = {ast.Add: "add", ast.Sub: "sub", ast.Mult: "mul", ast.Div: "div"}
_COMPARE = {
    ast.Lt: ("less", False),
    ast.LtE: ("less_equal", False),
    ast.Gt: ("less", True),
    ast.GtE: ("less_equal", True),
    ast.Eq: ("equal", False),
    ast.NotEq: ("not_equal", False),
}
REAL, DTYPE = "REAL", "dtype"


@dataclass(frozen=True)
class Assigned:
    """`name = value` (a container's entry as "ema:PATH")."""

    name: str
    value: Anything
    line: int
    stored: bool = False


@dataclass(frozen=True)
class Updated:
    """An optimizer's update in place: rule, gradients by path, options."""

    rule: str
    gradients: Mapping[str, Anything]
    options: Mapping[str, Anything]
    line: int


@dataclass(frozen=True)
class Returned:
    values: Mapping[str, Anything]
    line: int


@dataclass(frozen=True)
class Trouble:
    """A statement that is not understood."""

    reason: str
    line: int
    name: str = ""


Event = Assigned | Updated | Returned | Trouble


@dataclass
class Machine:
    """`containers` maps a container's name ("p") to its kind ("param"); `cells` are what containers
    hold, by "param:PATH"."""

    containers: Mapping[str, str]
    cells: dict[str, Anything]
    names: dict[str, Anything] = field(default_factory=dict)
    overwritten: set[str] = field(default_factory=set)

    def run(self, text: str, function: str) -> Iterator[Event]:
        """Execute the module's constants, then the body of `function`."""
        module = ast.parse(text)
        for statement in module.body:
            if isinstance(statement, ast.FunctionDef) and statement.name == function:
                yield from self._block(statement.body)
            elif not isinstance(statement, ast.Expr):
                yield from self._statement(statement)

    def _block(self, body: list[ast.stmt]) -> Iterator[Event]:
        for statement in body:
            yield from self._statement(statement)

    def _statement(self, statement: ast.stmt) -> Iterator[Event]:
        try:
            event = self._execute(statement)
        except (Unmodelled, KeyError, TypeError, ValueError, IndexError) as problem:
            reason = str(problem) if isinstance(problem, Unmodelled) else repr(problem)
            target = statement.targets[0] if isinstance(statement, ast.Assign) else None
            name = "" if target is None else ast.unparse(target)
            yield Trouble(reason, statement.lineno, name)
            return
        if event is not None:
            yield event

    def _execute(self, statement: ast.stmt) -> Event | None:
        match statement:
            case ast.Assign(targets=[ast.Name(name)], value=expression):
                made = self.value(expression)
                self.names[name] = made
                return Assigned(name, made, statement.lineno)
            case ast.Assign(
                targets=[ast.Subscript(ast.Name(container), ast.Constant(str() as key))],
                value=expression,
            ):
                cell = f"{self.containers[container]}:{key}"
                made = self.value(expression)
                self.cells[cell] = made
                return Assigned(cell, made, statement.lineno, stored=True)
            case ast.Delete(targets=targets):
                for target in targets:
                    assert isinstance(target, ast.Name)
                    del self.names[target.id]
                return None
            case ast.Expr(value=ast.Call(func=ast.Name(name), args=args, keywords=keywords)) if (
                name.endswith("_")
            ):
                return self._update(name, args, keywords, statement.lineno)
            case ast.Return(value=ast.Dict(keys=keys, values=values)):
                found = {}
                for given, expression in zip(keys, values, strict=True):
                    if not isinstance(given, ast.Constant):
                        raise Unmodelled("an output without a name")
                    found[str(given.value)] = self.value(expression)
                return Returned(found, statement.lineno)
            case _:
                raise Unmodelled(f"the statement `{ast.unparse(statement)[:60]}`")

    def _update(
        self, name: str, args: list[ast.expr], keywords: list[ast.keyword], line: int
    ) -> Updated:
        match args:
            case [ast.Name(), ast.Name(), ast.Dict(keys=keys, values=values)]:
                pass
            case _:
                raise Unmodelled(f"the arguments of {name}")
        gradients = {}
        for key, expression in zip(keys, values, strict=True):
            if not isinstance(key, ast.Constant):
                raise Unmodelled("a parameter without a name")
            gradients[str(key.value)] = self.value(expression)
        options = {k.arg: self.value(k.value) for k in keywords if k.arg is not None}
        return Updated(name.removesuffix("_"), gradients, options, line)

    def overwrite(self, cell: str, new: Tensor) -> None:
        """The memory of a cell now holds `new`: what shows it otherwise must not be read."""
        old = self.cells[cell]
        self.overwritten |= old.memory
        self.cells[cell] = new
        for name, value in self.names.items():
            if value is old:
                self.names[name] = new

    # ---- expressions ------------------------------------------------------------------------

    def value(self, e: ast.expr) -> Anything:
        match e:
            case ast.Constant(value=x):
                return _literal(x)
            case ast.Name(id=name):
                return self._name(name)
            case ast.Attribute():
                return DTYPE
            case ast.Tuple(elts=items):
                return tuple(self.value(x) for x in items)
            case ast.Slice(lower=a, upper=b, step=c):
                return slice(*(None if x is None else self.value(x) for x in (a, b, c)))
            case ast.UnaryOp(op=ast.USub(), operand=x):
                inner = self.value(x)
                return -inner if isinstance(inner, Whole) else of_op("neg")(inner)
            case ast.UnaryOp(op=ast.Not() | ast.Invert(), operand=x):
                return _logical(v.negate, self.value(x))
            case ast.BinOp(left=a, op=op, right=b):
                return self._binary(op, self.value(a), self.value(b))
            case ast.BoolOp(op=op, values=values):
                combine = v.both if isinstance(op, ast.And) else v.either
                found = [self.value(x) for x in values]
                return _logical(combine, *found)
            case ast.Compare(left=a, ops=[op], comparators=[b]):
                kind, swapped = _COMPARE[type(op)]
                x, y = self.value(a), self.value(b)
                return comparison(kind, y, x) if swapped else comparison(kind, x, y)
            case ast.IfExp(test=test, body=yes, orelse=no):
                return CALLS["torch.where"](self.value(test), self.value(yes), self.value(no))
            case ast.Subscript(value=ast.Name(container), slice=ast.Constant(str() as key)):
                return self.cells[f"{self.containers[container]}:{key}"]
            case ast.Subscript(value=x, slice=index):
                table = self.value(x)
                if not isinstance(table, Tensor):
                    raise Unmodelled("an index of something that is no tensor")
                return subscripted(table, self.value(index))
            case ast.Call():
                return self._call(e)
            case _:
                raise Unmodelled(f"the expression `{ast.unparse(e)[:60]}`")

    def _name(self, name: str) -> Anything:
        if name == REAL:
            return REAL
        found = self.names[name]
        if isinstance(found, Tensor) and found.memory & self.overwritten:
            raise Unmodelled(f"{name} shows memory that was overwritten")
        return found

    def _binary(self, op: ast.operator, a: Anything, b: Anything) -> Anything:
        if type(op) in _BINARY:
            return arithmetic(_BINARY[type(op)], a, b)
        match op:
            case ast.FloorDiv():
                return _whole_op(w.floordiv, a, b)
            case ast.BitAnd():
                return _logical(v.both, a, b)
            case ast.BitOr():
                return _logical(v.either, a, b)
            case _:
                raise Unmodelled(f"the operator {type(op).__name__}")

    def _call(self, e: ast.Call) -> Anything:
        keywords = {k.arg: self.value(k.value) for k in e.keywords if k.arg is not None}
        match e.func:
            case ast.Name(id="draw"):
                return _drawn(*(self.value(a) for a in e.args), **keywords)
            case ast.Name() | ast.Attribute():
                name = ast.unparse(e.func)
            case _:
                raise Unmodelled(f"the call `{ast.unparse(e)[:60]}`")
        args = [self.value(a) for a in e.args]
        if name in CALLS:
            return CALLS[name](*args, **keywords)
        if name == "torch.relu_":
            return self._in_place(args[0], of_op("relu")(args[0]))
        if name.startswith("num."):
            return of_op(name.removeprefix("num."))(*args)
        if isinstance(e.func, ast.Attribute):
            x = self.value(e.func.value)
            if e.func.attr == "to":
                if args == [REAL]:
                    return to_real(x)
                raise Unmodelled("a conversion to another type")
            if e.func.attr in IN_PLACE and isinstance(x, Tensor):
                return self._in_place(x, IN_PLACE[e.func.attr](x, *args, **keywords))
            if e.func.attr in METHODS and isinstance(x, Tensor):
                return METHODS[e.func.attr](x, *args, **keywords)
        raise Unmodelled(f"the call `{name}`")

    def _in_place(self, x: Tensor, made: Anything) -> Tensor:
        """torch.relu_, add_ and so on of a value that nothing else shows, with its result."""
        held = [y for y in (*self.names.values(), *self.cells.values()) if isinstance(y, Tensor)]
        if any(x.memory & y.memory for y in held):
            raise Unmodelled("an update in place of a value that has a name")
        if not isinstance(made, Tensor) or made.shape != x.shape:
            raise Unmodelled("an update in place that changes the shape")
        return made


def _literal(x: Any) -> Anything:
    if isinstance(x, bool):
        return v.truth(x)
    if isinstance(x, int):
        return w.number(x)
    if isinstance(x, float):
        return named_number(x)
    return x


def _logical(f: Any, *xs: Anything) -> Anything:
    from gendsl.validate.torch_values import pointwise

    return pointwise(f, *xs)


def _whole_op(f: Any, a: Anything, b: Anything) -> Anything:
    from gendsl.validate.torch_values import pointwise

    def apply(x: Value | Whole, y: Value | Whole) -> Whole:
        if not isinstance(x, Whole) or not isinstance(y, Whole):
            raise Unmodelled("a floor division of reals")
        result: Whole = f(x, y)
        return result

    return pointwise(apply, a, b)


def _drawn(
    path: str,
    dist: str,
    shape: tuple[Whole, ...],
    example_axis: Whole | None = None,
    loop: tuple[Whole, ...] = (),
    bound: Whole | None = None,
) -> Tensor:
    """The noise source's draw: a function of path, example, element within it, and loop indices."""
    from gendsl.validate.meaning import offset
    from gendsl.validate.torch_values import integers

    extents = integers(shape)
    axis = None if example_axis is None else example_axis.constant

    def entry(at: tuple[Whole, ...]) -> Value | Whole:
        rest = [k for k in range(len(extents)) if k != axis]
        element = offset(tuple(at[k] for k in rest), tuple(w.number(extents[k]) for k in rest))
        example = w.ZERO if axis is None else at[axis]
        key = v.value("draw", dist, path, (example, element), tuple(loop))
        return key if bound is None else v.index_of(key, bound)

    return Tensor(extents, entry)
