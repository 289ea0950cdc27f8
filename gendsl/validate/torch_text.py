"""Executes the source that a torch target wrote: straight-line assignments over symbolic tensors.

In: the text of a function and what its containers hold. Out: `Machine.run` yields every assignment,
update in place and returned value as it happens, for `check_torch` to compare. Always: a syntax or
a call that is not in the tables raises `Unmodelled`; a name whose memory was overwritten is not
read.

A step comes in two stages: a function that binds names to places of the arena and to views, and
`run` inside it. A bound view is a real view, never a copy, so reading it means evaluating it anew.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from gendsl.validate import value as v
from gendsl.validate import whole as w
from gendsl.validate.optimizers import OPTIONS
from gendsl.validate.simplify import named_number
from gendsl.validate.torch_calls import CALLS, ENTRYWISE, IN_PLACE, METHODS, OVERWRITING, VIEWS
from gendsl.validate.torch_memory import Memories, place
from gendsl.validate.torch_values import (
    Anything,
    Tensor,
    arithmetic,
    comparison,
    of_op,
    reshaped,
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
    """`name = value`, or a result left in the place that `name` shows; in `cell` ("ema:PATH") if
    that is a carried tensor."""

    name: str
    value: Anything
    line: int
    cell: str = ""


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
    memory: Memories
    names: dict[str, Anything] = field(default_factory=dict)
    views: dict[str, ast.expr] = field(default_factory=dict)
    shown: dict[str, Tensor] = field(default_factory=dict)  # what views are known to hold
    updates: dict[str, ast.Call] = field(default_factory=dict)  # optimizers bound to gradients

    @property
    def cells(self) -> dict[str, Anything]:
        return self.memory.cells

    @property
    def overwritten(self) -> set[str]:
        return self.memory.overwritten

    def run(self, text: str, function: str) -> Iterator[Event]:
        """Execute the module's constants, then the body of `function`."""
        module = ast.parse(text)
        for statement in module.body:
            if isinstance(statement, ast.FunctionDef) and statement.name == function:
                yield from self._stages(statement.body)
            elif not isinstance(statement, ast.Expr):
                yield from self._statement(statement)

    def _stages(self, body: list[ast.stmt]) -> Iterator[Event]:
        """A function, or what is bound and then `run`."""
        match body:
            case [*bound, ast.FunctionDef(name="run") as run, ast.Return(value=ast.Name("run"))]:
                for statement in bound:
                    yield from self._statement(statement, binds=True)
                yield from self._block(run.body)
            case _:
                yield from self._block(body)

    def _root(self, name: str) -> str:
        """The name that a bound view shows in the end."""
        while name in self.views:
            e = self.views[name]
            while not isinstance(e, ast.Name):
                match e:
                    case ast.Call(func=ast.Attribute(value=x)) | ast.Subscript(value=x):
                        e = x
                    case _:
                        return name
            name = e.id
        return name

    def _bound(self, statement: ast.stmt) -> Event | None:
        """A line of the first stage."""
        match statement:
            case ast.Assign(targets=[ast.Name(name)]) if name in (
                self.names | self.views | self.updates
            ):
                raise Unmodelled(f"{name} is bound twice")
            case ast.Assign(
                targets=[ast.Name(name)],
                value=ast.Call(func=ast.Name(rule), args=[_, _, _]) as call,
            ) if rule in OPTIONS:
                self.updates[name] = call
                return None
            case ast.Assign(
                targets=[ast.Name(name)],
                value=ast.Call(func=ast.Name("at"), args=[offset, shape], keywords=keywords),
            ):
                options = {k.arg: k.value for k in keywords}
                dtype, strides = options.pop("dtype", None), options.pop("strides", None)
                if options or name in self.memory.places:
                    raise Unmodelled(f"the place of {name}")
                self.memory.places[name] = place(
                    self.value(offset),
                    self.value(shape),
                    None if strides is None else self.value(strides),
                    "real" if dtype is None else ast.unparse(dtype),
                )
                return None
            case ast.Assign(targets=[ast.Name(name)], value=e) if _shows(e):
                self.views[name] = e
                entry = _joins(e) or (
                    isinstance(e, ast.Subscript) and isinstance(e.slice, ast.Constant)
                )
                return Assigned(name, self.value(e), statement.lineno) if entry else None
            case ast.Assign(targets=[ast.Name()], value=e) if not isinstance(self.value(e), Tensor):
                return self._execute(statement)
            case _:
                raise Unmodelled(f"`{ast.unparse(statement)[:60]}` before the first step")

    def _block(self, body: list[ast.stmt]) -> Iterator[Event]:
        for statement in body:
            yield from self._statement(statement)

    def _statement(self, statement: ast.stmt, *, binds: bool = False) -> Iterator[Event]:
        try:
            event = self._bound(statement) if binds else self._execute(statement)
        except (Unmodelled, KeyError, TypeError, ValueError, IndexError) as problem:
            reason = str(problem) if isinstance(problem, Unmodelled) else repr(problem)
            target = statement.targets[0] if isinstance(statement, ast.Assign) else None
            name = "" if target is None else ast.unparse(target)
            yield Trouble(reason, statement.lineno, name)
            return
        if event is not None:
            yield event
        if isinstance(event, Assigned) and event.name in self.memory.contents:
            for name in [n for n in self.views if self._root(n) == event.name]:
                yield Assigned(name, self._name(name), event.line)

    def _execute(self, statement: ast.stmt) -> Event | None:
        match statement:
            case ast.Assign(targets=[ast.Name(name)], value=expression):
                made = self.value(expression)
                if name in self.views or name in self.memory.places:
                    raise Unmodelled(f"{name} is bound already")
                self.names[name] = made
                return Assigned(name, made, statement.lineno)
            case ast.Assign(
                targets=[ast.Subscript(ast.Name(container), ast.Constant(str() as key))],
                value=expression,
            ):
                cell = f"{self.containers[container]}:{key}"
                made = self.value(expression)
                self.cells[cell] = made
                return Assigned(cell, made, statement.lineno, cell=cell)
            case ast.Delete(targets=targets):
                for target in targets:
                    assert isinstance(target, ast.Name)
                    del self.names[target.id]
                return None
            case ast.Expr(value=ast.Call(func=ast.Name(name), args=[], keywords=keywords)) if (
                name in self.updates
            ):
                bound = self.updates[name]
                rule = ast.unparse(bound.func)
                options = [*bound.keywords, *keywords]
                return self._update(rule, bound.args, options, statement.lineno)
            case ast.Expr(value=ast.Call(func=ast.Name(name), args=args, keywords=keywords)) if (
                name.endswith("_") and name not in OVERWRITING
            ):
                return self._update(name, args, keywords, statement.lineno)
            case ast.Expr(value=ast.Call() as call):
                return self._left(call)
            case ast.Return(value=ast.Dict(keys=keys, values=values)):
                found = {}
                for given, expression in zip(keys, values, strict=True):
                    if not isinstance(given, ast.Constant):
                        raise Unmodelled("an output without a name")
                    found[str(given.value)] = self.value(expression)
                self.memory.current(found.values())
                return Returned(found, statement.lineno)
            case _:
                raise Unmodelled(f"the statement `{ast.unparse(statement)[:60]}`")

    def _left(self, call: ast.Call) -> Assigned:
        """A call for what it leaves in a place or a cell, which its text names last."""
        made = self.value(call)
        holder = self.memory.holder(made.base or made) if isinstance(made, Tensor) else None
        if holder is None:
            raise Unmodelled("a call whose result nothing keeps")
        target, cell = holder
        name = _named(call)
        if self._target(ast.Name(name)) != holder:
            raise Unmodelled(f"{name} is not the place of its call's result")
        made = made.base or made
        return Assigned(name, made, call.lineno, cell=target if cell else "")

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
        if len(options) < len(keywords):
            raise Unmodelled(f"an option of {name} is given twice")
        return Updated(name.removesuffix("_"), gradients, options, line)

    def overwrite(self, cell: str, new: Tensor) -> None:
        """The memory of a cell now holds `new`: what shows it otherwise must not be read."""
        old = self.cells[cell]
        self.memory.overwritten |= old.memory
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
                return self._binary(op, *self._both(a, b))
            case ast.BoolOp(op=op, values=values):
                combine = v.both if isinstance(op, ast.And) else v.either
                found = [self.value(x) for x in values]
                return _logical(combine, *found)
            case ast.Compare(left=a, ops=[op], comparators=[b]):
                kind, swapped = _COMPARE[type(op)]
                x, y = self._both(a, b)
                return comparison(kind, y, x) if swapped else comparison(kind, x, y)
            case ast.IfExp(test=test, body=yes, orelse=no):
                return CALLS["torch.where"](self.value(test), self.value(yes), self.value(no))
            case ast.Subscript(value=ast.Name(container), slice=ast.Constant(str() as key)):
                return self.cells[f"{self.containers[container]}:{key}"]
            case ast.Subscript(value=x, slice=index):
                table, places = self._both(x, index)
                if not isinstance(table, Tensor):
                    raise Unmodelled("an index of something that is no tensor")
                return subscripted(table, places)
            case ast.Call():
                return self._call(e)
            case _:
                raise Unmodelled(f"the expression `{ast.unparse(e)[:60]}`")

    def _both(self, a: ast.expr, b: ast.expr) -> tuple[Anything, Anything]:
        """Two operands, of which the second's evaluation must leave the first as it is."""
        found = self.value(a), self.value(b)
        self.memory.current(found)
        return found

    def _name(self, name: str) -> Anything:
        if name == REAL:
            return REAL
        if name in self.shown and not self.shown[name].memory & self.overwritten:
            found = self.shown[name]
        elif name in self.views:
            found = self.value(self.views[name])
        elif name in self.memory.places:
            found = self.memory.read(name)
        else:
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
        out = next((k.value for k in e.keywords if k.arg == "out"), None)
        keywords = {k.arg: self.value(k.value) for k in e.keywords if k.arg not in (None, "out")}
        match e.func:
            case ast.Name(id="draw"):
                return _drawn(*(self.value(a) for a in e.args), **keywords)
            case ast.Name() | ast.Attribute():
                name = ast.unparse(e.func)
            case _:
                raise Unmodelled(f"the call `{ast.unparse(e)[:60]}`")
        if isinstance(e.func, ast.Attribute) and not _of_module(e.func):
            return self._method(e.func, e.args, keywords)
        args = [self.value(a) for a in e.args]
        given = [*args, *keywords.values()]
        self.memory.current(given)
        if out is not None:
            return self._into(out, name, args, keywords)
        if name in OVERWRITING:
            place, meaning = OVERWRITING[name]
            return self._in_place(args[place], meaning(*args, **keywords), given)
        if name in CALLS:
            return CALLS[name](*args, **keywords)
        if name.startswith("num."):
            return of_op(name.removeprefix("num."))(*args)
        raise Unmodelled(f"the call `{name}`")

    def _into(
        self, out: ast.expr, name: str, args: list[Anything], keywords: dict[Any, Anything]
    ) -> Tensor:
        """A call that leaves its result in a place."""
        target, cell = self._target(out)
        given = [*args, *keywords.values()]
        if name == "by_rows":
            made = reshaped(args[0], tuple(map(w.number, self.memory.places[target].shape)))
        elif name in CALLS:
            made = CALLS[name](*args, **keywords)
        else:
            raise Unmodelled(f"the call `{name}` with out=")
        return self.memory.write(target, cell, made, given, pointwise=name in ENTRYWISE)

    def _target(self, e: ast.expr) -> tuple[str, bool]:
        """The place, or the cell (True), that a name is bound to as a whole."""
        match e:
            case ast.Name(id=name) if name in self.memory.places:
                return name, False
            case ast.Name(id=name) if name in self.views:
                return self._target(self.views[name])
            case ast.Subscript(value=ast.Name(container), slice=ast.Constant(str() as key)):
                return f"{self.containers[container]}:{key}", True
            case _:
                raise Unmodelled(f"a result left in `{ast.unparse(e)}`")

    def _method(
        self, func: ast.Attribute, given: list[ast.expr], keywords: dict[Any, Anything]
    ) -> Anything:
        """A method of a tensor. `x.copy_(y)` needs no `x` that can be read."""
        if func.attr == "copy_":
            (value,) = [self.value(a) for a in given]
            target, cell = self._target(func.value)
            return self.memory.write(target, cell, value, [value], pointwise=True)
        x = self.value(func.value)
        args = [self.value(a) for a in given]
        self.memory.current([x, *args, *keywords.values()])
        if func.attr == "to":
            if args == [REAL]:
                made = to_real(x)  # which is x itself if that has reals
                return replace(made, memory=x.memory) if isinstance(made, Tensor) else made
            raise Unmodelled("a conversion to another type")
        if func.attr in IN_PLACE and isinstance(x, Tensor):
            made = IN_PLACE[func.attr](x, *args, **keywords)
            return self._in_place(x, made, [x, *args, *keywords.values()])
        if func.attr in METHODS and isinstance(x, Tensor):
            return METHODS[func.attr](x, *args, **keywords)
        raise Unmodelled(f"the method `{func.attr}`")

    def _in_place(self, x: Tensor, made: Anything, given: list[Anything]) -> Tensor:
        """torch.relu_, add_ and so on: of a place's whole content, or of a value that nothing else
        shows, with its result."""
        holder = self.memory.holder(x)
        if holder is not None:
            return self.memory.write(*holder, made, given, pointwise=True)
        if x.base is not None and (holder := self.memory.holder(x.base)) is not None:
            return self.memory.write_view(*holder, x, made, given)
        kept = (*self.names.values(), *self.cells.values(), *self.memory.contents.values())
        held = [y for y in kept if isinstance(y, Tensor)]
        if any(x.memory & y.memory for y in held):
            raise Unmodelled("an update in place of a value that has a name")
        if not isinstance(made, Tensor) or made.shape != x.shape:
            raise Unmodelled("an update in place that changes the shape")
        return made


def _shows(e: ast.expr) -> bool:
    """Whether an expression is a name, an entry of a container, or a view of one: never a copy."""
    match e:
        case ast.Name() | ast.Subscript(value=ast.Name(), slice=ast.Constant(value=str())):
            return True
        case ast.Subscript(value=x, slice=index):
            parts = index.elts if isinstance(index, ast.Tuple) else [index]
            return _shows(x) and all(
                isinstance(i, ast.Slice) or (isinstance(i, ast.Constant) and i.value is None)
                for i in parts
            )
        case ast.Call(func=ast.Attribute(value=x, attr=name), keywords=[]):
            return name in VIEWS and _shows(x)
        case _:
            return _joins(e)


def _joins(e: ast.expr) -> bool:
    """Whether an expression shows several carried tensors side by side."""
    match e:
        case ast.Call(func=ast.Name("beside"), args=[ast.Tuple(elts=parts), _], keywords=[]):
            return all(isinstance(x, ast.Name) for x in parts)
        case _:
            return False


def _named(call: ast.Call) -> str:
    """The name of the place that a call leaves its result in."""
    for keyword in call.keywords:
        if keyword.arg == "out":
            return ast.unparse(keyword.value)
    match call:
        case ast.Call(func=ast.Name(name), args=args) if name in OVERWRITING:
            inner = args[OVERWRITING[name][0]]
        case ast.Call(func=ast.Attribute(value=ast.Name("torch")), args=[inner]):
            pass
        case ast.Call(func=ast.Attribute(value=inner)):
            pass
        case _:
            raise Unmodelled(f"the place of `{ast.unparse(call)[:60]}`")
    return _named(inner) if isinstance(inner, ast.Call) else ast.unparse(inner)


def _of_module(e: ast.expr) -> bool:
    """Whether this is a function of a module, not a method of a tensor."""
    while isinstance(e, ast.Attribute):
        e = e.value
    return isinstance(e, ast.Name) and e.id in ("torch", "num")


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
