"""Executes Triton source symbolically: one generic program of one task, in all its lanes.

In: the functions of a module, by name, and what the parameters of a kernel are. Out: `Machine.run`
gives the loads and stores of the program. Always: loops over tiles are executed once, for a generic
iteration; what they carry must be a running sum (or maximum) of terms that do not read it, or an
address that moves by equal steps. Anything else raises `Unmodelled`, with its line.
"""

from __future__ import annotations

import ast
import itertools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from gendsl.validate import triton_values as tv
from gendsl.validate import value as v
from gendsl.validate import whole as w
from gendsl.validate.simplify import named_number
from gendsl.validate.triton_loops import accumulated, holds, least_pair, whole_in
from gendsl.validate.triton_values import Anything, Block, Pointer, lift, single
from gendsl.validate.value import Value
from gendsl.validate.whole import Unit, Unmodelled, Whole

_COMPARE = {
    ast.Lt: ("less", False),
    ast.LtE: ("less_equal", False),
    ast.Gt: ("less", True),
    ast.GtE: ("less_equal", True),
    ast.Eq: ("equal", False),
    ast.NotEq: ("not_equal", False),
}
_loops = itertools.count()
WORDS = w.number(1 << 32)


@dataclass(frozen=True)
class Access:
    """A load or a store: `lanes` and `around` (of programs and loops) are all its variables."""

    memory: str
    offset: Whole
    mask: Value
    line: int
    value: Value | Whole | None = None
    shape: tuple[Whole, ...] = ()
    lanes: tuple[Unit | None, ...] = ()
    around: tuple[Unit, ...] = ()


@dataclass(frozen=True)
class Entry:
    """What a memory holds: elements, and (for indices) below what they are."""

    elem: str
    bound: Whole | None = None


class At(Unmodelled):
    """`Unmodelled`, with the line it is on."""

    def __init__(self, reason: str, line: int) -> None:
        super().__init__(reason)
        self.line = line


@dataclass
class Machine:
    """`functions` are the module's; `entries` say what a memory's elements are; `draws` which
    memory holds the key words of which draw; `steps` the memory of the step words."""

    functions: Mapping[str, ast.FunctionDef]
    entries: Mapping[str, Entry]
    draws: Mapping[str, str] = field(default_factory=dict)
    steps: str = ""
    program: Whole = w.ZERO
    loads: list[Access] = field(default_factory=list)
    stores: list[Access] = field(default_factory=list)
    around: list[Unit] = field(default_factory=list)
    depth: int = 0
    finished: bool = False  # everything was executed: no access is missing

    def call(self, name: str, arguments: Mapping[str, Anything]) -> Anything:
        """Run a function with these arguments by name; its returned value."""
        return _Frame(self, dict(arguments)).run(self.functions[name].body)

    def execute(self, names: Mapping[str, Anything], body: list[ast.stmt]) -> None:
        """Run statements with these names."""
        _Frame(self, dict(names)).run(body)

    def number(self, names: Mapping[str, Anything], before: list[ast.stmt], e: ast.expr) -> Whole:
        """The value of an integer after these statements."""
        frame = _Frame(self, dict(names))
        frame.run(before)
        return tv.whole_of(frame.value(e))


class _Return(Exception):
    def __init__(self, value: Anything) -> None:
        self.value = value


@dataclass
class _Frame:
    machine: Machine
    names: dict[str, Anything]

    def run(self, body: list[ast.stmt]) -> Anything:
        try:
            self.block(body)
        except _Return as done:
            return done.value
        return None

    def block(self, body: Iterable[ast.stmt]) -> None:
        for statement in body:
            try:
                self.statement(statement)
            except At:
                raise
            except (Unmodelled, KeyError, TypeError, ValueError, IndexError) as problem:
                reason = str(problem) if isinstance(problem, Unmodelled) else repr(problem)
                raise At(reason, statement.lineno) from problem

    def statement(self, s: ast.stmt) -> None:
        match s:
            case ast.Assign(targets=[target], value=expression):
                self.assign(target, self.value(expression))
            case ast.AnnAssign(target=target, value=ast.expr() as expression):
                self.assign(target, self.value(expression))
            case ast.AugAssign(target=ast.Name(name), op=op, value=expression):
                self.names[name] = self.binary(op, self.names[name], self.value(expression))
            case ast.Expr(value=ast.Constant()) | ast.Pass():
                pass
            case ast.Expr(value=expression):
                self.value(expression)
            case ast.For(target=ast.Name(name), iter=ast.Call() as over, body=body, orelse=[]):
                self.loop(name, over, body)
            case ast.If(test=test, body=yes, orelse=no):
                self.block(yes if self.decided(test) else no)
            case ast.Return(value=expression):
                raise _Return(None if expression is None else self.value(expression))
            case _:
                raise Unmodelled(f"the statement `{ast.unparse(s)[:60]}`")

    def assign(self, target: ast.expr, made: Anything) -> None:
        match target:
            case ast.Name(id=name):
                self.names[name] = made
            case ast.Tuple(elts=items) if isinstance(made, tuple) and len(made) == len(items):
                for item, part in zip(items, made, strict=True):
                    self.assign(item, part)
            case _:
                raise Unmodelled(f"an assignment to `{ast.unparse(target)}`")

    def decided(self, test: ast.expr) -> bool:
        """A condition that is the same for all programs."""
        made = self.value(test)
        if isinstance(made, bool):
            return made
        if isinstance(made, Block):
            body = made.body
            if isinstance(body, Whole) and body.constant is not None:
                return bool(body.constant)
            if isinstance(body, Value) and body.kind == "truth":
                return bool(body.args[0])
        raise Unmodelled(f"a branch on `{ast.unparse(test)}`")

    # ---- loops --------------------------------------------------------------------------------

    def loop(self, name: str, over: ast.Call, body: list[ast.stmt]) -> None:
        kind = ast.unparse(over.func)
        if kind not in ("range", "tl.range", "tl.static_range"):
            raise Unmodelled(f"a loop over `{kind}`")
        given = [tv.whole_of(self.value(a)) for a in over.args]
        start, stop = (w.ZERO, given[0]) if len(given) == 1 else (given[0], given[1])
        step = given[2] if len(given) == 3 else w.ONE
        if not w.positive(step):
            raise Unmodelled("a loop with a step that may not be positive")
        if start.constant is not None and stop.constant is not None and step.constant:
            for turn in range(start.constant, stop.constant, step.constant):
                self.names[name] = single(w.number(turn))
                self.block(body)
            return
        t = w.variable(w.cdiv(stop - start, step), "t")
        self.names[name] = single(start + w.of_unit(t) * step)
        assigned = {
            y.id
            for x in body
            for y in ast.walk(x)
            if isinstance(y, ast.Name) and isinstance(y.ctx, ast.Store)
        }
        before = {k: x for k, x in self.names.items() if k in assigned}
        lowest = least_pair(body)
        if lowest is not None:
            self._least(lowest, before, body, t)
            return
        self.names.update(self._moving(name, body, before, t))
        tag = next(_loops)
        running: dict[str, Block] = {
            k: x for k, x in before.items() if isinstance(x, Block) and isinstance(x.body, Value)
        }
        for k, b in running.items():
            mark = v.value("carry", f"{tag}:{k}")
            self.names[k] = Block(b.shape, (None,) * len(b.shape), mark)
        moving: dict[str, Block] = {k: self.names[k] for k in before if k not in running}
        self.machine.around.append(t)
        self.block(body)
        self.machine.around.pop()
        after = dict(self.names)
        for gone in assigned:
            self.names.pop(gone, None)
        for k, b in running.items():
            self.names[k] = accumulated(b, after[k], v.value("carry", f"{tag}:{k}"), t)
        for k, b in moving.items():
            self.names[k] = _shifted(b, {t: t.args[1]})
        self.names.pop(name, None)
        escaped = [k for k, x in self.names.items() if isinstance(x, Block) and holds(x.body, tag)]
        if escaped:
            raise Unmodelled(f"{', '.join(escaped)} reads what a loop carries")

    def _least(
        self, pair: tuple[str, str, ast.expr, ast.expr], before: Mapping[str, Anything],
        body: list[ast.stmt], t: Unit,
    ) -> None:  # fmt: skip
        """A loop that keeps the least entry so far, and its place."""
        best, place, low, first = pair
        start = before[best]
        if not isinstance(start, Block) or start.body is not v.value("inf", 1):
            raise Unmodelled("a running least entry that does not start at infinity")
        if set(before) != {best, place}:
            raise Unmodelled("a loop that carries more than the least entry")
        del self.names[best], self.names[place]
        self.machine.around.append(t)
        self.block(body[:-2])
        self.machine.around.pop()

        def combine(x: tv.Body, y: tv.Body) -> tv.Body:
            if not isinstance(y, Whole):
                raise Unmodelled("a place that is no integer")
            return tv.least(tv.real(x), y, t)[1]

        values = [tv.block(self.value(e)) for e in (low, first)]
        self.names[place] = lift(combine, *values)
        self.names[best] = lift(lambda x, y: tv.least(tv.real(x), whole_in(y), t)[0], *values)

    def _moving(
        self, name: str, body: list[ast.stmt], before: Mapping[str, Anything], t: Unit
    ) -> dict[str, Anything]:
        """Addresses and integers that a loop moves by equal steps, at iteration t."""
        moving = {
            k: x
            for k, x in before.items()
            if isinstance(x, Block) and isinstance(x.body, Whole | Pointer)
        }
        if not moving:
            return {}
        trial = _Frame(_silent(self.machine), dict(self.names))
        marks = {k: w.of_unit(w.unit("opaque", f"{k}#{next(_loops)}")) for k in moving}
        for k, x in moving.items():
            trial.names[k] = _moved(x, marks[k])
        for k, x in before.items():
            if k not in moving and isinstance(x, Block):
                trial.names[k] = Block(x.shape, (None,) * len(x.shape), v.value("carry", k))
        trial.block(body)
        made: dict[str, Anything] = {}
        for k, x in moving.items():
            step = _offset(trial.names[k].body) - _offset(_moved(x, marks[k]).body)
            if w.units_of(step) & ({t} | {u for m in marks.values() for u in m.atoms}):
                raise Unmodelled(f"{k} does not move by equal steps")
            made[k] = _moved(x, w.of_unit(t) * step)
        return made

    # ---- expressions --------------------------------------------------------------------------

    def value(self, e: ast.expr) -> Anything:
        match e:
            case ast.Constant(value=bool() as x):
                return single(v.truth(x))
            case ast.Constant(value=int() as x):
                return single(w.number(x))
            case ast.Constant(value=float() as x):
                return single(named_number(x))
            case ast.Constant(value=x):
                return x
            case ast.Name(id=name):
                return self.names[name]
            case ast.Attribute():
                return ast.unparse(e)
            case ast.Tuple(elts=items):
                return tuple(self.value(x) for x in items)
            case ast.UnaryOp(op=ast.USub(), operand=x):
                return lift(tv.negated, self.value(x))
            case ast.UnaryOp(op=ast.Invert() | ast.Not(), operand=x):
                return lift(tv.inverted, self.value(x))
            case ast.BinOp(left=a, op=op, right=b):
                return self.binary(op, self.value(a), self.value(b))
            case ast.BoolOp(op=op, values=values):
                f = tv.BINARY["BitAnd" if isinstance(op, ast.And) else "BitOr"]
                made = self.value(values[0])
                for x in values[1:]:
                    made = lift(f, made, self.value(x))
                return made
            case ast.Compare(left=a, ops=[op], comparators=[b]):
                return self.compare(op, self.value(a), self.value(b))
            case ast.IfExp(test=test, body=yes, orelse=no):
                return self.value(yes if self.decided(test) else no)
            case ast.Subscript(value=x, slice=index):
                items = index.elts if isinstance(index, ast.Tuple) else [index]
                return tv.subscripted(tv.block(self.value(x)), [_item(i) for i in items])
            case ast.Call():
                return self.called(e)
            case _:
                raise Unmodelled(f"the expression `{ast.unparse(e)[:60]}`")

    def binary(self, op: ast.operator, a: Anything, b: Anything) -> Anything:
        name = type(op).__name__
        if name not in tv.BINARY:
            raise Unmodelled(f"the operator {name}")
        return lift(tv.BINARY[name], a, b)

    def compare(self, op: ast.cmpop, a: Anything, b: Anything) -> Anything:
        if isinstance(a, str) or isinstance(b, str):
            return (a == b) is isinstance(op, ast.Eq)
        kind, swapped = _COMPARE[type(op)]
        return lift(tv.comparison(kind), *((b, a) if swapped else (a, b)))

    def called(self, e: ast.Call) -> Anything:
        name = ast.unparse(e.func)
        keywords = {k.arg: self.value(k.value) for k in e.keywords if k.arg is not None}
        if name == "float":
            text = e.args[0].value if isinstance(e.args[0], ast.Constant) else ""
            if text in ("inf", "-inf"):
                return single(v.value("inf", 1 if text == "inf" else -1))
        args = [self.value(a) for a in e.args]
        match name:
            case "tl.program_id":
                return single(self.machine.program)
            case "tl.load":
                return self.load(e.lineno, *args, **keywords)
            case "tl.store":
                self.store(e.lineno, *args, **keywords)
                return None
            case _ if name in tv.DRAWS:
                return self.drawn(tv.DRAWS[name], args)
            case _ if name in tv.CALLS:
                return tv.CALLS[name](*args, **keywords)
            case _ if name in self.machine.functions:
                return self.inlined(name, args, keywords)
            case _ if isinstance(e.func, ast.Attribute):
                return self.method(e.func, args)
            case _:
                raise Unmodelled(f"the call `{name}`")

    def method(self, func: ast.Attribute, args: list[Anything]) -> Anything:
        x = self.value(func.value)
        if func.attr == "to" and isinstance(x, Block) and len(args) == 1:
            return tv.converted(x, str(args[0]).removeprefix("tl."))
        if func.attr == "T" or (func.attr == "trans" and isinstance(x, Block)):
            return tv.transposed(x)
        raise Unmodelled(f"the method `{func.attr}`")

    def inlined(self, name: str, args: list[Anything], keywords: dict[str, Anything]) -> Anything:
        """A function of the module: its body is executed."""
        machine = self.machine
        if machine.depth > 8:
            raise Unmodelled("calls that go too deep")
        formals = [a.arg for a in machine.functions[name].args.args]
        given = dict(zip(formals, args, strict=False)) | keywords
        if set(given) != set(formals):
            raise Unmodelled(f"the arguments of `{name}`")
        machine.depth += 1
        try:
            return machine.call(name, given)
        finally:
            machine.depth -= 1

    # ---- memory -------------------------------------------------------------------------------

    def load(
        self, line: int, pointer: Anything, mask: Anything = None, other: Anything = None, **_: Any
    ) -> Block:
        condition = single(v.TRUE) if mask is None else mask
        filler = single(w.ZERO) if other is None else other

        def entry(p: tv.Body, m: tv.Body, o: tv.Body) -> tv.Body:
            if not isinstance(p, Pointer):
                raise Unmodelled("a load from something that is no address")
            inside = tv.truth(m)
            self.machine.loads.append(Access(p.memory, p.offset, inside, line))
            what = self.machine.entries[p.memory]
            if what.elem == "fin":
                assert what.bound is not None
                found = v.index_of(v.get(p.memory, p.offset, "fin"), what.bound)
                if not isinstance(o, Whole):
                    raise Unmodelled("padding of an index that is no integer")
                return v.choice(inside, found, o)
            if what.elem == "bool":
                return v.both(inside, v.get(p.memory, p.offset, "bool"))
            return v.where(inside, v.get(p.memory, p.offset), tv.real(o))

        return lift(entry, pointer, condition, filler)

    def store(
        self, line: int, pointer: Anything, value: Anything, mask: Anything = None, **_: Any
    ) -> None:
        condition = single(v.TRUE) if mask is None else mask
        shape, lanes, bodies = tv.together([tv.block(x) for x in (pointer, value, condition)])
        p, x, m = bodies
        if not isinstance(p, Pointer) or not isinstance(x, Value | Whole):
            raise Unmodelled("a store to something that is no address")
        self.machine.stores.append(
            Access(
                p.memory, p.offset, tv.truth(m), line, x, shape, lanes, tuple(self.machine.around)
            )
        )

    def drawn(self, dist: str, args: list[Anything]) -> Block:
        """A draw of the prelude: the words must be those of one draw's key and of the step."""

        def entry(*bodies: tv.Body) -> tv.Body:
            words = [_word(b) for b in bodies[:4]]
            memory, first = words[0]
            path = self.machine.draws.get(memory)
            steps = [(self.machine.steps, w.ZERO), (self.machine.steps, w.ONE)]
            if path is None or words[1] != (memory, first + 1) or words[2:] != steps:
                raise Unmodelled("a draw whose key and step words are not those of a draw")
            example, element = bodies[4], bodies[5]
            if not isinstance(example, Whole) or not isinstance(element, Whole):
                raise Unmodelled("a draw at something that is no index")
            base = v.index_of(v.get(self.machine.steps, w.number(2), "fin"), WORDS)
            if example is not w.ZERO:
                example = example - base  # the place in the batch
            row = w.exact(first, w.number(2))
            if row is None:
                raise Unmodelled("a draw whose key is not a pair of words")
            key = v.value("draw", dist, path, (example, element), (row,) if row.terms else ())
            if dist != "bits":
                return key
            if not isinstance(bodies[6], Whole):
                raise Unmodelled("a bound that is no integer")
            return v.index_of(key, bodies[6])

        return lift(entry, *args)


def _word(x: tv.Body) -> tuple[str, Whole]:
    """(memory, offset) of a loaded word."""
    if isinstance(x, Whole) and len(x.atoms) == 1 and x is w.of_unit(next(iter(x.atoms))):
        (u,) = x.atoms
        if u.kind == "get" and u.args[0].kind == "get":
            memory, offset, _ = u.args[0].args
            return memory, offset
    raise Unmodelled("a key that is no loaded word")


def _item(e: ast.expr) -> Any:
    match e:
        case ast.Constant(value=None):
            return None
        case ast.Slice(lower=None, upper=None, step=None):
            return slice(None, None, None)
        case _:
            raise Unmodelled(f"the index `{ast.unparse(e)}`")


def _silent(machine: Machine) -> Machine:
    """A machine whose loads and stores do not count."""
    return Machine(
        machine.functions, machine.entries, machine.draws, machine.steps, machine.program
    )


def _offset(x: tv.Body) -> Whole:
    if isinstance(x, Pointer):
        return x.offset
    if isinstance(x, Whole):
        return x
    raise Unmodelled("an integer that a loop turns into a real")


def _moved(x: Block, by: Whole) -> Block:
    body = x.body
    if isinstance(body, Pointer):
        return Block(x.shape, x.lanes, Pointer(body.memory, body.offset + by))
    assert isinstance(body, Whole)
    return Block(x.shape, x.lanes, body + by)


def _shifted(x: Block, to: w.Renaming) -> Block:
    return Block(x.shape, x.lanes, tv.renamed(x.body, to))


def functions_of(text: str) -> dict[str, ast.FunctionDef]:
    """The functions of a module by name."""
    return {s.name: s for s in ast.parse(text).body if isinstance(s, ast.FunctionDef)}
