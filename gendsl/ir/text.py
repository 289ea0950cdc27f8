"""The canonical text of a graph, and its hash.

In: a `Graph`. Out: text, in which nodes are numbered in the order in which the entries reach them,
so that it depends neither on node ids nor on nodes that no entry reaches. `read` gives back a graph
with the same text. It looks like this:

    graph 1
    body @0 (count = T, carry = [real[N, D]], capture = [])
      %1 = neg() ^0 : real[N, D]
      result %1
    nodes
    %0 = input(kind = "data", key = "x", shape = [B, D]) : real[B, D]
    %1 = sum(axes = [1]) %0 : real[B]
    param encoder.w group "encoder" shape [D, Z] stored log init %7
    objective loss minimize %12
      term recon = %9

Attributes equal to their defaults are left out. Attribute values are read by the field's declared
type. There are no spans and no claims.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import MISSING, fields
from fractions import Fraction

from gendsl.ir.graph import Graph, Node, ObjectiveGraph, SamplerGraph, Show, postorder
from gendsl.ir.op import Op
from gendsl.ir.read import VERSION, read_graph
from gendsl.ops.loop import LoopBody
from gendsl.shape.dim import Dim
from gendsl.shape.tensor_type import Bool, Fin, Real


def graph_text(graph: Graph) -> str:
    """Everything of the graph that is not a place in the source."""
    return _Writer(graph, content=False).text()


def content_text(graph: Graph) -> str:
    """What a run computes: losses, terms, updates, samplers, parameters and initial values; not
    what is drawn, named in scope, scheduled, or a sampler's default size."""
    return _Writer(graph, content=True).text()


def graph_hash(graph: Graph) -> str:
    """SHA-256 of the content, in hexadecimal."""
    return hashlib.sha256(content_text(graph).encode()).hexdigest()


def nodes_text(outputs: Mapping[str, Node]) -> str:
    """Named nodes and all below them."""
    writer = _NodeWriter(list(outputs.values()))
    lines = [*writer.bodies(), "nodes", *writer.nodes()]
    lines += [f"output {name_text(name)} = {writer.ref(node)}" for name, node in outputs.items()]
    return "\n".join(lines) + "\n"


def read(text: str) -> Graph:
    """The graph that the text describes; raises `ValueError` naming the line."""
    return read_graph(text)


# ---- values -------------------------------------------------------------------------------


def value_text(value: object) -> str:
    """An attribute's value. What is not one of these kinds cannot be an attribute."""
    match value:
        case None:
            return "none"
        case bool():
            return "true" if value else "false"
        case int() | Fraction() | Dim() | Real() | Fin() | Bool():
            return str(value)
        case str():
            return json.dumps(value, ensure_ascii=False)
        case tuple():
            return "[" + ", ".join(value_text(v) for v in value) + "]"
        case _:
            raise TypeError(f"no text for an attribute {value!r}")


def name_text(name: str) -> str:
    """A name bare when it can be, else quoted."""
    plain = name.replace(".", "a").replace("/", "a").isidentifier()
    return name if plain and name != "none" else json.dumps(name, ensure_ascii=False)


def shape_text(shape: tuple[Dim, ...]) -> str:
    return "[" + ", ".join(map(str, shape)) + "]"


# ---- nodes --------------------------------------------------------------------------------


class _NodeWriter:
    """Numbers the nodes below some roots and writes a line for each."""

    def __init__(self, roots: list[Node]) -> None:
        self.order = postorder(roots)
        self.number = {node: i for i, node in enumerate(self.order)}
        self.body_number: dict[LoopBody, int] = {}
        for node in self.order:
            self._number_bodies(node.op)

    def _number_bodies(self, op: Op) -> None:
        body = getattr(op, "body", None)
        if isinstance(body, LoopBody) and body not in self.body_number:
            for instruction in body.instructions:
                self._number_bodies(instruction.op)
            self.body_number[body] = len(self.body_number)

    def ref(self, node: Node) -> str:
        return f"%{self.number[node]}"

    def op_text(self, op: Op) -> str:
        parts = []
        for f in fields(op):  # type: ignore[arg-type]
            value = getattr(op, f.name)
            if f.default is not MISSING and value == f.default:
                continue
            body = isinstance(value, LoopBody)
            text = f"@{self.body_number[value]}" if body else value_text(value)
            parts.append(f"{f.name} = {text}")
        return f"{op.name}({', '.join(parts)})"

    def nodes(self) -> Iterator[str]:
        for node in self.order:
            operands = "".join(f" {self.ref(source)}" for source in node.inputs)
            yield f"{self.ref(node)} = {self.op_text(node.op)}{operands} : {node.type}"

    def bodies(self) -> Iterator[str]:
        for body, number in self.body_number.items():
            carry = ", ".join(map(str, body.carries))
            capture = ", ".join(map(str, body.captures))
            yield f"body @{number} (count = {body.count}, carry = [{carry}], capture = [{capture}])"
            first = 1 + len(body.carries) + len(body.captures)
            for i, instruction in enumerate(body.instructions):
                operands = "".join(f" %{operand}" for operand in instruction.operands)
                yield f"  %{first + i} = {self.op_text(instruction.op)}{operands}"
            yield "  result " + " ".join(f"%{result}" for result in body.results)


class _Writer:
    """Writes the entries; the order of its roots fixes the numbering."""

    def __init__(self, graph: Graph, *, content: bool) -> None:
        self.graph = graph
        self.content = content
        self._nodes = _NodeWriter(list(self._roots()))

    def text(self) -> str:
        lines = [f"graph {VERSION}", *self._nodes.bodies(), "nodes", *self._nodes.nodes()]
        for path, info in self.graph.params.items():
            init = self.graph.inits.get(path)
            stored = " stored log" if info.positive else ""
            start = "" if init is None else f" init {self._ref(init)}"
            lines.append(
                f"param {name_text(path)} group {name_text(info.group)} "
                f"shape {shape_text(info.shape)}{stored}{start}"
            )
        for word, table in self._tables():
            lines += [f"{word} {name_text(k)} = {self._ref(n)}" for k, n in table.items()]
        for objective in self.graph.objectives.values():
            lines += self._objective(objective)
        for sampler in self.graph.samplers.values():
            lines += self._sampler(sampler)
        return "\n".join(lines) + "\n"

    def _roots(self) -> Iterator[Node]:
        """Losses first: their nodes get the low numbers."""
        graph = self.graph
        for objective in graph.objectives.values():
            yield objective.loss
            yield from objective.terms.values()
            yield from objective.updates.values()
            if not self.content:
                yield from objective.scope.values()
                yield from (show.node for show in objective.shows.values())
        for sampler in graph.samplers.values():
            yield from sampler.inputs.values()
            yield from (show.node for show in sampler.outputs.values())
        yield from graph.inits.values()
        for _, table in self._tables():
            yield from table.values()

    def _tables(self) -> Iterator[tuple[str, Mapping[str, Node]]]:
        yield "state", self.graph.states
        if not self.content:
            yield "schedule", self.graph.schedules
            yield "constant", self.graph.constants

    def _ref(self, node: Node) -> str:
        return self._nodes.ref(node)

    def _lines(self, word: str, table: Mapping[str, Node]) -> list[str]:
        return [f"  {word} {name_text(k)} = {self._ref(n)}" for k, n in table.items()]

    def _objective(self, o: ObjectiveGraph) -> Iterator[str]:
        yield f"objective {name_text(o.name)} {o.sense} {self._ref(o.loss)}"
        yield from self._lines("term", o.terms)
        yield from self._lines("update", o.updates)
        if not self.content:
            yield from self._lines("scope", o.scope)
            for name, show in o.shows.items():
                yield f"  show {name_text(name)} = {self._show(show)}"

    def _sampler(self, s: SamplerGraph) -> Iterator[str]:
        default = "" if self.content else f" default {s.default_size}"
        yield f"sampler {name_text(s.name)} size {name_text(s.size)}{default}"
        if not self.content:
            yield from (f"  size {name_text(name)} = {n}" for name, n in s.sizes.items())
        for name, node in s.inputs.items():
            start = "" if self.content else self._default(s, name)
            yield f"  input {name_text(name)} = {self._ref(node)}{start}"
        for name, show in s.outputs.items():
            yield f"  output {name_text(name)} = {self._show(show)}"

    def _default(self, s: SamplerGraph, name: str) -> str:
        default = f" default {s.defaults[name]}" if name in s.defaults else ""
        return default + (f" range {s.ranges[name]}" if name in s.ranges else "")

    def _show(self, show: Show) -> str:
        text = self._ref(show.node)
        if not self.content and show.range is not None:
            text += f" range {show.range}"
        if not self.content and show.image is not None:
            text += f" image {shape_text(show.image)}"
        return text


__all__ = [
    "content_text",
    "graph_hash",
    "graph_text",
    "name_text",
    "nodes_text",
    "read",
    "value_text",
]
