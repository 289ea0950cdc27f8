"""Reads the text form of a graph back (see `gendsl.ir.text`).

The text is a list of lines, each with a fixed order of words, so this is a reader by hand: a cursor
that takes words, names and values off a line. Attribute values are read by the type of the op's
field. Every node's written type is compared with the inferred one.
"""

from __future__ import annotations

import json
import re
import types
import typing
from collections.abc import Callable
from dataclasses import MISSING, dataclass, field, fields, replace
from fractions import Fraction
from functools import cache
from typing import Any

import gendsl.ops
from gendsl.ir.graph import Builder, Graph, Node, ObjectiveGraph, ParamInfo, SamplerGraph, Show
from gendsl.ir.op import REGISTRY, NodeType, Op, TypingError
from gendsl.ops.loop import Instruction, LoopBody
from gendsl.shape.dim import Dim
from gendsl.shape.tensor_type import Bool, Elem, Fin, Range, Real

VERSION = 1  # of the text form

assert gendsl.ops  # imported so that every op is in the registry

_SPACE = re.compile(r" *")
_WORD = re.compile(r"[^\W\d][\w./]*")
_NUMBER = re.compile(r"-?\d+(?:/\d+)?")
_STRING = re.compile(r'"(?:[^"\\]|\\.)*"')
_DIM_TOKEN = re.compile(r"\d+|[^\W\d]\w*|[*/^+-]")


class Cursor:
    """A place in one line."""

    def __init__(self, line: str) -> None:
        self.line = line
        self.at = 0
        self.match(_SPACE)

    def match(self, pattern: re.Pattern[str]) -> str | None:
        """The text that matches here, taken, with the spaces after it."""
        found = pattern.match(self.line, self.at)
        if found is None:
            return None
        space = _SPACE.match(self.line, found.end())
        assert space is not None
        self.at = space.end()
        return found.group()

    def take(self, pattern: re.Pattern[str], what: str) -> str:
        found = self.match(pattern)
        if found is None:
            raise ValueError(f"{what} expected at `{self.line[self.at :]}`")
        return found

    def skip(self, text: str) -> bool:
        """Whether `text` stands here; if so it is taken."""
        return self.match(re.compile(re.escape(text))) is not None

    def expect(self, text: str) -> None:
        if not self.skip(text):
            raise ValueError(f"`{text}` expected at `{self.line[self.at :]}`")

    @property
    def ended(self) -> bool:
        return self.at >= len(self.line)

    def end(self) -> None:
        if not self.ended:
            raise ValueError(f"unexpected `{self.line[self.at :]}`")

    def word(self) -> str:
        return self.take(_WORD, "a word")

    def string(self) -> str:
        return str(json.loads(self.take(_STRING, "a string")))

    def name(self) -> str:
        return self.string() if self.line.startswith('"', self.at) else self.word()

    def integer(self) -> int:
        return int(self.take(_NUMBER, "a number"))

    def fraction(self) -> Fraction:
        return Fraction(self.take(_NUMBER, "a number"))

    def number_after(self, sign: str) -> int:
        self.expect(sign)
        return self.integer()

    def sequence(self, item: Callable[[], Any]) -> tuple[Any, ...]:
        """`[a, b, c]`."""
        self.expect("[")
        items: list[Any] = []
        while not self.skip("]"):
            if items:
                self.expect(",")
            items.append(item())
        return tuple(items)

    # -- sizes and types --------------------------------------------------------------------
    def dim(self) -> Dim:
        """A size as `Dim.__str__` writes it: signed terms of factors and divisors."""
        total, sign = Dim.of(0), -1 if self.skip("-") else 1
        while True:
            total = total + self._term() * sign
            if self.skip("+"):
                sign = 1
            elif self.skip("-"):
                sign = -1
            else:
                return total

    def _term(self) -> Dim:
        product = self._factor()
        while True:
            if self.skip("*"):
                product = product * self._factor()
            elif self.skip("/"):
                quotient = product.divide(self._factor())
                if quotient is None:
                    raise ValueError(f"a size that does not divide in `{self.line}`")
                product = quotient
            else:
                return product

    def _factor(self) -> Dim:
        text = self.take(_DIM_TOKEN, "a size")
        base = Dim.of(int(text)) if text.isdigit() else Dim.name(text)
        power = self.integer() if self.skip("^") else 1
        return Dim.product([base] * power)

    def shape(self) -> tuple[Dim, ...]:
        return self.sequence(self.dim)

    def elem(self) -> Elem:
        match self.word():
            case "real":
                return Real()
            case "bool":
                return Bool()
            case "fin":
                self.expect("[")
                bound = self.dim()
                self.expect("]")
                return Fin(bound)
            case other:
                raise ValueError(f"no element type {other}")

    def node_type(self) -> NodeType:
        elem = self.elem()
        return NodeType(self.shape(), elem)

    def range(self) -> Range:
        low = None if self.skip("-inf") else self.fraction()
        self.expect("..")
        return Range(low, None if self.skip("inf") else self.fraction())

    # -- attributes -------------------------------------------------------------------------
    def value(self, kind: Any, bodies: dict[int, LoopBody]) -> Any:
        """A value of the declared type `kind`."""
        readers: dict[Any, Callable[[], Any]] = {
            int: self.integer,
            str: self.string,
            Fraction: self.fraction,
            Dim: self.dim,
            Elem: self.elem,
            bool: lambda: self.word() == "true",
            LoopBody: lambda: bodies[self.number_after("@")],
        }
        if kind in readers:
            return readers[kind]()
        arguments = typing.get_args(kind)
        if typing.get_origin(kind) in (typing.Union, types.UnionType):
            if self.skip("none"):
                return None
            (present,) = (a for a in arguments if a is not type(None))
            return self.value(present, bodies)
        if typing.get_origin(kind) is tuple:
            return self.sequence(lambda: self.value(arguments[0], bodies))
        raise ValueError(f"an attribute of type {kind} cannot be read")

    def op(self, bodies: dict[int, LoopBody]) -> Op:
        cls = REGISTRY.get(name := self.word())
        if cls is None:
            raise ValueError(f"no op is named {name}")
        kinds, required = _fields(cls)
        values: dict[str, Any] = {}
        self.expect("(")
        while not self.skip(")"):
            if values:
                self.expect(",")
            key = self.word()
            if key not in kinds:
                raise ValueError(f"{name} has no attribute {key}")
            self.expect("=")
            values[key] = self.value(kinds[key], bodies)
        if missing := required - values.keys():
            raise ValueError(f"{name} lacks {', '.join(sorted(missing))}")
        return cls(**values)


@cache
def _fields(cls: type[Op]) -> tuple[dict[str, Any], set[str]]:
    """The declared types of an op's attributes, and which of them have no default."""
    hints = typing.get_type_hints(cls)
    declared = fields(cls)  # type: ignore[arg-type]
    required = {f.name for f in declared if f.default is MISSING}
    return {f.name: hints[f.name] for f in declared}, required


@dataclass
class _Objective:
    name: str
    sense: str
    loss: Node
    terms: dict[str, Node] = field(default_factory=dict)
    scope: dict[str, Node] = field(default_factory=dict)
    shows: dict[str, Show] = field(default_factory=dict)
    updates: dict[str, Node] = field(default_factory=dict)

    def done(self) -> ObjectiveGraph:
        return ObjectiveGraph(
            self.name, self.loss, self.sense, self.terms, self.scope, self.shows, self.updates
        )


@dataclass
class _Sampler:
    name: str
    size: str
    default_size: int
    inputs: dict[str, Node] = field(default_factory=dict)
    outputs: dict[str, Show] = field(default_factory=dict)
    defaults: dict[str, Fraction | str] = field(default_factory=dict)
    sizes: dict[str, Dim] = field(default_factory=dict)
    ranges: dict[str, Range] = field(default_factory=dict)

    def done(self) -> SamplerGraph:
        return SamplerGraph(
            self.name,
            self.size,
            self.default_size,
            self.inputs,
            self.outputs,
            self.defaults,
            self.sizes,
            self.ranges,
        )


class _Reader:
    """What has been read so far; `line` takes one more line."""

    def __init__(self) -> None:
        self.build = Builder()
        self.nodes: dict[int, Node] = {}
        self.bodies: dict[int, LoopBody] = {}
        self.body: tuple[int, LoopBody] | None = None  # the body being read, without results
        self.params: dict[str, ParamInfo] = {}
        self.tables: dict[str, dict[str, Node]] = {
            word: {} for word in ("state", "schedule", "constant", "init")
        }
        self.objectives: list[_Objective] = []
        self.samplers: list[_Sampler] = []
        self.entry: _Objective | _Sampler | None = None

    def line(self, text: str) -> None:
        cursor = Cursor(text)
        if text.startswith("%"):
            self._node(cursor)
        elif text.lstrip().startswith("%"):
            self._instruction(cursor)
        else:
            word = cursor.word()
            method = getattr(self, f"_read_{word}", None)
            if method is not None:
                method(cursor)
            elif word in self.tables:
                self._put(self.tables[word], cursor)
            else:
                raise ValueError(f"no line starts with {word}")
        cursor.end()

    # -- nodes and bodies -------------------------------------------------------------------
    def _ref(self, cursor: Cursor) -> Node:
        number = cursor.number_after("%")
        if number not in self.nodes:
            raise ValueError(f"%{number} is not defined above")
        return self.nodes[number]

    def _bound(self, cursor: Cursor) -> Node:
        cursor.expect("=")
        return self._ref(cursor)

    def _put(self, table: dict[str, Node], cursor: Cursor) -> None:
        """`name = %n`."""
        name = cursor.name()
        table[name] = self._bound(cursor)

    def _node(self, cursor: Cursor) -> None:
        number = cursor.number_after("%")
        cursor.expect("=")
        op = cursor.op(self.bodies)
        operands = []
        while not cursor.skip(":"):
            operands.append(self._ref(cursor))
        written = cursor.node_type()
        try:
            node = self.build.apply(op, *operands)
        except TypingError as problem:
            raise ValueError(str(problem)) from problem
        if node.type != written:
            raise ValueError(f"%{number} has type {node.type}")
        self.nodes[number] = node

    def _read_nodes(self, cursor: Cursor) -> None:
        self.body = None

    def _read_body(self, cursor: Cursor) -> None:
        number = cursor.number_after("@")
        cursor.expect("(count =")
        count = cursor.dim()
        cursor.expect(", carry =")
        carries = cursor.sequence(cursor.node_type)
        cursor.expect(", capture =")
        captures = cursor.sequence(cursor.node_type)
        cursor.expect(")")
        self.body = (number, LoopBody(count, carries, captures, (), ()))

    def _instruction(self, cursor: Cursor) -> None:
        if self.body is None:
            raise ValueError("an instruction outside of a body")
        number, body = self.body
        value = cursor.number_after("%")
        if value != 1 + len(body.carries + body.captures) + len(body.instructions):
            raise ValueError(f"%{value} out of order")
        cursor.expect("=")
        op = cursor.op(self.bodies)
        operands = self._numbers(cursor, below=value)
        instructions = (*body.instructions, Instruction(op, operands))
        self.body = (number, replace(body, instructions=instructions))

    def _read_result(self, cursor: Cursor) -> None:
        if self.body is None:
            raise ValueError("a result outside of a body")
        number, body = self.body
        values = 1 + len(body.carries + body.captures) + len(body.instructions)
        self.bodies[number] = replace(body, results=self._numbers(cursor, below=values))
        self.body = None

    def _numbers(self, cursor: Cursor, *, below: int) -> tuple[int, ...]:
        numbers = []
        while not cursor.ended:
            numbers.append(cursor.number_after("%"))
            if numbers[-1] >= below:
                raise ValueError(f"%{numbers[-1]} is not defined above")
        return tuple(numbers)

    # -- entries ----------------------------------------------------------------------------
    def _read_graph(self, cursor: Cursor) -> None:
        version = cursor.integer()
        if version != VERSION:
            raise ValueError(f"graph text of version {version}; this reads version {VERSION}")

    def _read_param(self, cursor: Cursor) -> None:
        path = cursor.name()
        cursor.expect("group")
        group = cursor.name()
        cursor.expect("shape")
        shape = cursor.shape()
        self.params[path] = ParamInfo(path, group, shape, cursor.skip("stored log"))
        if cursor.skip("init"):
            self.tables["init"][path] = self._ref(cursor)

    def _read_objective(self, cursor: Cursor) -> None:
        name, sense = cursor.name(), cursor.word()
        self.entry = _Objective(name, sense, self._ref(cursor))
        self.objectives.append(self.entry)

    def _read_sampler(self, cursor: Cursor) -> None:
        name = cursor.name()
        cursor.expect("size")
        size = cursor.name()
        default = cursor.integer() if cursor.skip("default") else 1
        self.entry = _Sampler(name, size, default)
        self.samplers.append(self.entry)

    def _objective(self) -> _Objective:
        if not isinstance(self.entry, _Objective):
            raise ValueError("this line belongs to an objective")
        return self.entry

    def _sampler(self) -> _Sampler:
        if not isinstance(self.entry, _Sampler):
            raise ValueError("this line belongs to a sampler")
        return self.entry

    def _read_term(self, cursor: Cursor) -> None:
        self._put(self._objective().terms, cursor)

    def _read_update(self, cursor: Cursor) -> None:
        self._put(self._objective().updates, cursor)

    def _read_scope(self, cursor: Cursor) -> None:
        self._put(self._objective().scope, cursor)

    def _read_show(self, cursor: Cursor) -> None:
        name = cursor.name()
        self._objective().shows[name] = self._show(cursor)

    def _read_input(self, cursor: Cursor) -> None:
        name = cursor.name()
        sampler = self._sampler()
        sampler.inputs[name] = self._bound(cursor)
        if cursor.skip("default"):
            cycle = cursor.skip("cycle")
            sampler.defaults[name] = "cycle" if cycle else cursor.fraction()
        if cursor.skip("range"):
            sampler.ranges[name] = cursor.range()

    def _read_size(self, cursor: Cursor) -> None:
        name = cursor.name()
        cursor.expect("=")
        self._sampler().sizes[name] = cursor.dim()

    def _read_output(self, cursor: Cursor) -> None:
        name = cursor.name()
        self._sampler().outputs[name] = self._show(cursor)

    def _show(self, cursor: Cursor) -> Show:
        node = self._bound(cursor)
        shown = cursor.range() if cursor.skip("range") else None
        image = cursor.shape() if cursor.skip("image") else None
        if image is not None and len(image) != 3:
            raise ValueError("an image has three sizes")
        return Show(node, shown, None if image is None else (image[0], image[1], image[2]))

    def graph(self) -> Graph:
        return Graph(
            builder=self.build,
            objectives={o.name: o.done() for o in self.objectives},
            samplers={s.name: s.done() for s in self.samplers},
            params=self.params,
            inits=self.tables["init"],
            states=self.tables["state"],
            schedules=self.tables["schedule"],
            constants=self.tables["constant"],
        )


def read_graph(text: str) -> Graph:
    """The graph that the text describes; raises `ValueError` naming the line."""
    reader = _Reader()
    for number, line in enumerate(text.splitlines(), start=1):
        if line.strip():
            try:
                reader.line(line)
            except ValueError as problem:
                raise ValueError(f"line {number}: {problem}") from problem
    return reader.graph()
