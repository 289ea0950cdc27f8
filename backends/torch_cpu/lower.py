"""From the plain source of a step to one that allocates what it can ahead: with `out=`, on memory
and views that are made once.

In: the statements of a plain source, and what their expressions give (`Seen`). Out: a `Lowered`:
what is bound before the first step, in order, the temporaries with their lifetimes, and the
statements of each step. Always: the same operations in the same order on the same operands; a name
that is bound shows its memory as it is when it is read, so it may stand for every later use of it.

Time counts operations that read or write tensors, in the order in which Python evaluates them. A
temporary lives from the first operation that writes it to the last that reads it.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from math import prod
from types import MappingProxyType
from typing import Any

from backends.torch_cpu.emit import CONTAINERS
from backends.torch_cpu.lowered import (
    Bound,
    Gathered,
    Held,
    Lowered,
    Memory,
    Statement,
    Store,
    by_rows,
    carried,
    nameless,
)
from backends.torch_cpu.observe import Seen, operands
from backends.torch_cpu.outforms import out_form
from backends.torch_cpu.use import Block, Unit

END = 1 << 30
CARRIED = ("p", "slot", "state", "ema")
# Given to each step; all else that a plain source reads is there before the first.
EACH_STEP = frozenset(("data", "hyper", "number", "draw"))
# What shows its operand's memory, whatever that is.
_VIEWS = frozenset(("t", "permute", "expand", "unsqueeze", "squeeze", "reshape"))
# What returns its operand if that has the order of memory that is asked for, else a copy.
_ORDERS = frozenset(("channels_last", "in_order", "contiguous", "to"))


class Lowering:
    def __init__(
        self,
        seen: Mapping[ast.expr, Seen],
        constants: Iterable[ast.stmt],
        blocks: Sequence[Block] = (),
        joined: Mapping[ast.expr, Unit] = MappingProxyType({}),
    ) -> None:
        self.seen, self.blocks, self.joined = seen, blocks, joined
        self.made = Lowered()
        self.time = 0
        self.line = 0
        self.names: dict[str, Held] = {}
        self.given: set[str] = set()  # names that something has already
        self.looped: set[str] = set()
        self.cells: dict[str, Memory] = {}
        self.updates: dict[str, int] = {}  # when a path's parameter and slots last changed
        self._views: dict[str, ast.Name] = {}
        for statement in constants:
            match statement:
                case ast.Assign(targets=[ast.Name(name)], value=value):
                    self.made.taken.add(name)
                    node = ast.Name(name)
                    self.names[name] = Held(node, node, seen=seen.get(value))
                case _:
                    raise AssertionError(ast.unparse(statement))

    # ---- statements -----------------------------------------------------------------------

    def run(self, body: Sequence[ast.stmt]) -> Lowered:
        self.made.taken |= {n.id for s in body for n in ast.walk(s) if isinstance(n, ast.Name)}
        for statement in body:
            if isinstance(statement, ast.For):
                self.looped |= {n.id for n in ast.walk(statement.target) if isinstance(n, ast.Name)}
                inner = [t for s in statement.body for t in getattr(s, "targets", ())]
                self.looped |= {n.id for t in inner for n in ast.walk(t) if isinstance(n, ast.Name)}
        stores: list[tuple[str, Held]] = []
        for statement in body:
            self.line = statement.lineno
            match statement:
                case ast.Assign(targets=[ast.Name(name)], value=value):
                    self._assign(name, value)
                case ast.Assign(targets=[ast.Subscript() as target], value=value):
                    stores.append((ast.unparse(target), self._kept(self.lower(value), "new")))
                case ast.Delete(targets=targets):
                    self._delete(targets)
                case ast.Expr(value=value):
                    self._put(ast.Expr(self._update(value)))
                case ast.FunctionDef():
                    self._put(statement)
                case ast.For():
                    self._put(self._loop(statement))
                case ast.Return(value=ast.Dict() as value):
                    self._finish(value, stores)
                case _:
                    raise AssertionError(ast.unparse(statement))
        return self.made

    def _put(self, syntax: ast.stmt) -> Statement:
        made = Statement(syntax, self.line)
        self.made.body.append(made)
        return made

    def _assign(self, name: str, value: ast.expr) -> None:
        held = self.lower(value)
        if name in self.looped:
            self._put(ast.Assign([ast.Name(name)], held.text))
            self._use(held, END)
            self.names[name] = Held(ast.Name(name), memory=held.memory, seen=held.seen)
            return
        if held.compute is not None:
            self._put(ast.Expr(held.compute))
        if held.after is None:
            own = ast.Name(self._own(name))
            self._put(ast.Assign([own], held.text))
            self.names[name] = Held(own, None, None, held.memory, held.whole, held.seen)
        else:
            self.names[name] = self._named(name, held)

    def _named(self, name: str, held: Held) -> Held:
        """What shows a computed or bound value, under a name of the plain source."""
        memory, after = held.memory, held.after
        assert after is not None
        own = self._own(name)
        if memory is not None and after is memory.name and nameless(memory.name):
            memory.name.id = own
            return Held(after, after, None, memory, held.whole, held.seen)
        node = ast.Name(own)
        self.made.bound.append(Bound(node, after, self.line))
        return Held(node, node, None, memory, held.whole, held.seen)

    def _own(self, name: str) -> str:
        """The name, or another if something has it already."""
        own = self._free(name) if name in self.given else name
        self.given.add(own)
        return own

    def _free(self, wish: str) -> str:
        """A name that no other has."""
        name, count = wish, 1
        while name in self.made.taken:
            count += 1
            name = f"{wish}_{count}"
        self.made.taken.add(name)
        return name

    def _delete(self, targets: Sequence[ast.expr]) -> None:
        """Only what torch allocated is freed by it."""
        names = [t.id for t in targets if isinstance(t, ast.Name)]
        kept = [self.names[n].text for n in names if self.names[n].after is None]
        if kept:
            self._put(ast.Delete(kept))

    def _update(self, e: ast.expr) -> ast.expr:
        """An optimizer: it reads gradients and numbers, and changes the cells. It is bound to
        gradients that stay in their places."""
        assert isinstance(e, ast.Call) and isinstance(e.func, ast.Name)
        self.time += 1
        *cells, given = e.args
        assert isinstance(given, ast.Dict)
        found = [self.lower(x) for x in given.values]
        self.time += 1
        for held in found:
            self._use(held, self.time)
        paths = [k.value for k in given.keys if isinstance(k, ast.Constant)]
        self._changed(paths)
        fixed = all(held.fixed for held in found)
        self._gather(dict(zip(map(str, paths), found, strict=True)), fixed)
        gradients = ast.Dict(given.keys, [self._settled(x) for x in found])
        numbers = [ast.keyword(k.arg, self._settled(self.lower(k.value))) for k in e.keywords]
        if not fixed:
            return ast.Call(e.func, [*cells, gradients], numbers)
        known = [k for k in numbers if isinstance(k.value, ast.Constant | ast.Tuple)]
        rule = ast.Name(e.func.id.removesuffix("_"))
        name = ast.Name(self._free("update"))
        self.made.bound.append(Bound(name, ast.Call(rule, [*cells, gradients], known), self.line))
        return ast.Call(name, [], [k for k in numbers if k not in known])

    def _gather(self, found: Mapping[str, Held], fixed: bool) -> None:
        """Note where the gradients of a block are."""
        for block in self.blocks:
            if set(block.paths) == found.keys():
                held = [found[path] for path in block.paths]
                memories = dict.fromkeys(h.memory for h in held if h.memory is not None)
                entries = sum(prod(h.seen.shape) for h in held if h.seen is not None)
                self.made.blocks.append(Gathered(block, tuple(memories), entries, self.time, fixed))

    def _changed(self, paths: Iterable[Any]) -> None:
        """An optimizer reads and writes the parameters at these paths, and their slots."""
        self.updates.update((path, self.time) for path in paths)
        for text, cell in self.cells.items():
            cell.last = max(cell.last, self.updates.get(_path(text), -1))

    def _loop(self, loop: ast.For) -> ast.For:
        """What a loop reads lives on, since its results may show it."""
        body: list[ast.stmt] = []
        for statement in loop.body:
            assert isinstance(statement, ast.Assign) and isinstance(statement.value, ast.Call)
            call = statement.value
            found = [
                Held(x) if isinstance(x, ast.Name) and x.id == "_i" else self.lower(x)
                for x in call.args
            ]
            given = [self._settled(x) for x in found]
            body.append(ast.Assign(statement.targets, ast.Call(call.func, given, call.keywords)))
            for held in found:
                self._use(held, END)
        for name in self.looped:
            self.names[name] = Held(ast.Name(name))
        return ast.For(loop.target, loop.iter, body, loop.orelse)

    def _finish(self, value: ast.Dict, stores: list[tuple[str, Held]]) -> None:
        found = [self.lower(x) for x in value.values]
        if stores:  # what is returned is computed before cells change
            found = [self._kept(x, "out") for x in found]
        for held in found:
            self._use(held, END)
        for target, held in stores:
            self.time += 1
            self._store(target, held)
        for _, held in stores:
            self._use(held, self.time)
        self._put(ast.Return(ast.Dict(value.keys, [self._settled(x) for x in found])))

    def _kept(self, held: Held, wish: str) -> Held:
        """The value, computed on a line of its own if it is none that is bound or named."""
        if held.compute is not None:
            self._put(ast.Expr(held.compute))
            return replace(held, text=held.after or held.text, compute=None)
        if held.after is None and not isinstance(held.text, ast.Name):
            name = ast.Name(self._free(f"_{wish}"))
            self._put(ast.Assign([name], held.text))
            return Held(name, None, None, held.memory, held.whole, held.seen)
        return held

    def _store(self, target: str, held: Held) -> None:
        """Leave a value in a cell: a copy, unless it can be computed there; see `placed`."""
        assert held.seen is not None
        cell, source = self._cell(target, carried(held.seen)), held.memory
        statement = self._put(_copy(cell.name, self._settled(held)))
        if source is not None and source.cell is None and held.after is source.name:
            if source.seen.alike(cell.seen):
                self.made.stores.append(Store(cell, source, statement))

    # ---- expressions ----------------------------------------------------------------------

    def lower(self, e: ast.expr) -> Held:
        match e:
            case ast.Name(id=name):
                if name in self.names:
                    held = self.names[name]
                    return held if held.seen else replace(held, seen=self.seen.get(e))
                return Held(e) if name in EACH_STEP else Held(e, e)
            case ast.Constant():
                return Held(e, e)
            case ast.Subscript(value=ast.Name(name)) if name in CONTAINERS.values():
                return self._entry(name, e)
            case _ if e in self.joined:
                return self._beside(e, self.joined[e])
            case _:
                return self._composed(e)

    def _entry(self, container: str, e: ast.Subscript) -> Held:
        seen = self.seen.get(e)
        if container not in CARRIED:
            return Held(e, seen=seen)
        cell = self._cell(ast.unparse(e), seen)
        return Held(cell.name, cell.name, None, cell, True, seen)

    def _cell(self, text: str, seen: Seen | None = None) -> Memory:
        found = self.cells.get(text)
        if found is None:
            assert seen is not None, text
            last = self.updates.get(_path(text), -1)
            found = self.cells[text] = Memory(ast.Name("#"), seen, -1, last, cell=text)
            self.made.bound.append(Bound(found.name, found, self.line))
        return found

    def _beside(self, e: ast.expr, unit: Unit) -> Held:
        """Parameters that lie side by side, as the one tensor that they are."""
        assert isinstance(e, ast.Call)
        parts, axis = e.args
        assert isinstance(parts, ast.Tuple)
        names = ast.Tuple([self.lower(part).text for part in parts.elts])
        memory = Memory(ast.Name("#"), self.seen[e], -1, -1, cell="beside")
        self.made.bound.append(
            Bound(memory.name, ast.Call(ast.Name("beside"), [names, axis], []), self.line)
        )
        self.made.joined.append((unit, memory))
        return Held(memory.name, memory.name, None, memory, True, self.seen[e])

    def _composed(self, e: ast.expr) -> Held:
        """A call, an operator, or a group of expressions."""
        found: dict[ast.expr, Held] = {}
        seen = self.seen.get(e)
        view = seen.shows if seen is not None and not _in_place(e) else None
        built = self._rebuilt(e, found, view)
        fixed = all(h.fixed for h in found.values()) and not _draws(e)
        if seen is None:
            return Held(built, built if fixed else None)
        if seen.shows is not None and seen.shows in found:
            if view is None:
                return self._overwritten(built, seen, found)
            return self._shown(e, built, seen, found)
        return self._fresh(e, built, seen, found)

    def _rebuilt(
        self, e: ast.expr, found: dict[ast.expr, Held], view: ast.expr | None = None
    ) -> ast.expr:
        """The expression with its parts lowered, in the order of their evaluation; what is bound is
        named, save for the part `view`."""

        def part(x: ast.expr) -> ast.expr:
            if isinstance(x, ast.Tuple | ast.Slice):
                return self._rebuilt(x, found)
            held = found[x] = self.lower(x)
            return held.text if x is view else self._settled(held)

        match e:
            case ast.Call(func=f, args=args, keywords=keywords):
                if isinstance(f, ast.Attribute) and f.value in self.seen:
                    f = ast.Attribute(part(f.value), f.attr)
                made = [part(x) for x in args]
                return ast.Call(f, made, [ast.keyword(k.arg, part(k.value)) for k in keywords])
            case ast.Attribute():
                return e
            case ast.Tuple(elts=items):
                return ast.Tuple([part(x) for x in items])
            case ast.Slice(lower=a, upper=b, step=c):
                return ast.Slice(*(None if x is None else part(x) for x in (a, b, c)))
            case ast.Subscript(value=x, slice=index):
                return ast.Subscript(part(x), part(index))
            case ast.BinOp(left=a, op=op, right=b):
                return ast.BinOp(part(a), op, part(b))
            case ast.UnaryOp(op=op, operand=x):
                return ast.UnaryOp(op, part(x))
            case ast.Compare(left=a, ops=ops, comparators=[b]):
                return ast.Compare(part(a), ops, [part(b)])
            case ast.BoolOp(op=op, values=values):
                return ast.BoolOp(op, [part(x) for x in values])
            case ast.IfExp(test=test, body=yes, orelse=no):
                return ast.IfExp(part(test), part(yes), part(no))
            case _:
                raise AssertionError(ast.unparse(e))

    def _settled(self, held: Held) -> ast.expr:
        """The expression to use in the middle of another: a name for a view that is bound."""
        after = held.after
        if not held.fixed or after is None or held.seen is None or isinstance(after, ast.Name):
            return held.text
        key = ast.dump(after)
        if key not in self._views:
            name = self._views[key] = ast.Name("#")
            self.made.bound.append(Bound(name, after, self.line))
        return self._views[key]

    def _overwritten(self, built: ast.expr, seen: Seen, found: Mapping[ast.expr, Held]) -> Held:
        """A call that leaves its result in an operand's place."""
        assert seen.shows is not None
        place = found[seen.shows]
        self._read(found)
        if place.after is None:
            return Held(built, memory=place.memory, whole=place.whole, seen=seen)
        return Held(built, place.after, built, place.memory, place.whole, seen)

    def _shown(
        self, e: ast.expr, built: ast.expr, seen: Seen, found: Mapping[ast.expr, Held]
    ) -> Held:
        """A view: of what is bound it is bound too."""
        assert seen.shows is not None
        source, kind = found[seen.shows], _method(e)
        rest = [h for x, h in found.items() if x is not seen.shows]
        after = source.after
        if after is None or not all(h.fixed for h in rest):
            return Held(built, None, None, source.memory, False, seen)
        if kind in _ORDERS and seen.whole:
            return replace(source, seen=seen)
        match built:
            case ast.Call(func=ast.Attribute(attr=attr), args=args) if attr in _VIEWS:
                assert isinstance(built, ast.Call) and isinstance(built.func, ast.Attribute)
                attr = "view" if attr == "reshape" else attr  # never copies
                after = ast.Call(ast.Attribute(after, attr), args, [])
                built = ast.Call(ast.Attribute(built.func.value, attr), args, [])
            case ast.Subscript(slice=index):
                after = ast.Subscript(after, index)
            case _:
                return Held(built, None, None, source.memory, False, seen)
        text = after if source.compute is None else built
        return Held(text, after, source.compute, source.memory, False, seen)

    def _fresh(
        self, e: ast.expr, built: ast.expr, seen: Seen, found: Mapping[ast.expr, Held]
    ) -> Held:
        """What makes a tensor of its own: in the arena if torch can put it there."""
        parts = list(operands(e))
        if isinstance(e, ast.Call):
            parts = list(e.args)
        elems = {self.seen[x].elem for x in parts if x in self.seen}
        numbers = [x not in self.seen for x in parts]
        form = out_form(built, numbers, logical=elems == {"bool"}, made=_method(e))
        self._read(found)
        if form is None or seen.elem not in ("float32", "int64", "bool") or not seen.bytes:
            self.made.library.setdefault(_method(e), []).append(seen.bytes)
            return Held(built, seen=seen)
        seen = seen if seen.dense else replace(seen, strides=by_rows(seen.shape))
        memory = Memory(ast.Name("#"), seen, self.time, self.time)
        self.made.bound.append(Bound(memory.name, memory, self.line))
        if form.pointwise:
            memory.in_place_of += [
                h.memory for h in found.values()
                if h.memory is not None and h.whole and h.memory.seen.alike(seen)
            ]  # fmt: skip
        text = form.into(memory.name)
        return Held(text, memory.name, text, memory, True, seen)

    def _read(self, found: Mapping[ast.expr, Held]) -> None:
        """One operation on these operands."""
        self.time += 1
        for held in found.values():
            self._use(held, self.time)

    def _use(self, held: Held, time: int) -> None:
        if held.memory is not None:
            held.memory.last = max(held.memory.last, time)
            if not held.whole:
                held.memory.viewed = max(held.memory.viewed, time)


def _path(cell: str) -> str:
    """The parameter that an optimizer changes together with this cell: of `slot['m:w']`, w; what
    is neither a parameter nor a slot has none."""
    container, _, rest = cell.partition("[")
    key = rest.strip("]'\"")
    match container:
        case "p":
            return key
        case "slot":
            return key.partition(":")[2]
        case _:
            return ""


def _copy(target: ast.Name, source: ast.expr) -> ast.stmt:
    return ast.Expr(ast.Call(ast.Attribute(target, "copy_"), [source], []))


def _method(e: ast.expr) -> str:
    """What a call calls: the last part of its name; of an operator, its class."""
    match e:
        case ast.Call(func=ast.Attribute(attr=name)) | ast.Call(func=ast.Name(id=name)):
            return name
        case ast.BinOp(op=op) | ast.UnaryOp(op=op):
            return type(op).__name__.lower()
        case ast.Subscript():
            return "index"
        case _:
            return type(e).__name__.lower()


def _in_place(e: ast.expr) -> bool:
    return isinstance(e, ast.Call) and _method(e).endswith("_")


def _draws(e: ast.expr) -> bool:
    return isinstance(e, ast.Call) and isinstance(e.func, ast.Name) and e.func.id in EACH_STEP
