"""Executable rules that every valid graph satisfies.

In: a `Graph`, or bare output nodes. Out: per rule, how often it was checked and what broke it. Runs
between passes in tests and with `--verify`; a broken rule is a bug of the compiler, not of a
program.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from gendsl.ir.graph import Graph, Node, reachable
from gendsl.ir.op import REGISTRY, TypingError
from gendsl.ops.leaf import Draw, Input
from gendsl.ops.loop import Loop, LoopCapture, LoopCarry, LoopIndex
from gendsl.shape.tensor_type import Real

# A rule yields one answer per thing it looked at: None, or what is wrong with it.
Answers = Iterator[str | None]
NodeRule = Callable[[Sequence[Node]], Answers]
GraphRule = Callable[[Graph], Answers]


@dataclass(frozen=True)
class Report:
    """`checked` and `broken` by rule name."""

    checked: Mapping[str, int]
    broken: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        return not self.broken

    def __str__(self) -> str:
        lines = [f"{name}: {count}" for name, count in self.checked.items()]
        lines += [f"{name}: {text}" for name, texts in self.broken.items() for text in texts]
        return "\n".join(lines)


class InvalidGraph(Exception):
    """A broken rule, from `require`."""


# ---- rules over nodes ---------------------------------------------------------------------


def operands_come_first(nodes: Sequence[Node]) -> Answers:
    """Every operand has a smaller id than its user, so ids are a topological order."""
    for node in nodes:
        for source in node.inputs:
            yield None if source.id < node.id else f"{node!r} reads {source!r}"


def types_are_inferred(nodes: Sequence[Node]) -> Answers:
    """Every node has the type that its op infers from its operands."""
    for node in nodes:
        try:
            inferred = node.op.infer([source.type for source in node.inputs])
        except TypingError as problem:
            yield f"{node!r}: {problem}"
        else:
            yield None if inferred == node.type else f"{node!r}: {node.type}, not {inferred}"


def equal_nodes_are_one(nodes: Sequence[Node]) -> Answers:
    """No two nodes have the same op and the same operands."""
    seen: dict[object, Node] = {}
    for node in nodes:
        other = seen.setdefault((node.op, node.inputs), node)
        yield None if other is node else f"{node!r} is {other!r} again"


def ops_are_registered(nodes: Sequence[Node]) -> Answers:
    """Every op is the registered class of its name."""
    for node in nodes:
        known = REGISTRY.get(node.op.name) is type(node.op)
        yield None if known else f"{node!r}: {type(node.op).__name__} is not registered"


def inputs_are_one(nodes: Sequence[Node]) -> Answers:
    """An input key, and a draw path, names one node."""
    seen: dict[tuple[str, str], Node] = {}
    for node in nodes:
        match node.op:
            case Input(kind, key):
                other = seen.setdefault((kind, key), node)
            case Draw(path):
                other = seen.setdefault(("draw", path), node)
            case _:
                continue
        yield None if other is node else f"{node!r} and {other!r} have one name"


def loops_are_closed(nodes: Sequence[Node]) -> Answers:
    """Values of an iteration occur inside of loop bodies only, and bodies are valid."""
    for node in nodes:
        match node.op:
            case LoopIndex() | LoopCarry() | LoopCapture():
                yield f"{node!r} outside of its loop"
            case Loop(body):
                opened = body.open()
                inner = reachable(opened.results)
                known = {opened.index, *opened.carries, *opened.captures}
                own = (LoopIndex, LoopCarry, LoopCapture)
                stray = [n for n in inner if isinstance(n.op, own) and n not in known]
                yield f"{node!r}: {stray[0]!r} belongs to another loop" if stray else None
                yield from types_are_inferred(inner)
            case _:
                pass


# ---- rules over entries -------------------------------------------------------------------


def losses_are_scalars(graph: Graph) -> Answers:
    """Losses and terms are real scalars, and the sense is one of two words."""
    for objective in graph.objectives.values():
        for name, node in {"": objective.loss, **objective.terms}.items():
            scalar = not node.type.shape and isinstance(node.type.elem, Real)
            yield None if scalar else f"{objective.name}.{name}: {node.type}"
        known = objective.sense in ("minimize", "maximize")
        yield None if known else f"{objective.name}: sense {objective.sense}"


def entries_are_in_the_builder(graph: Graph) -> Answers:
    """No entry's node has an id that the builder never gave."""
    for node in _entries(graph):
        yield None if node.id < len(graph.builder) else f"{node!r} is of another builder"


def parameters_are_declared(graph: Graph) -> Answers:
    """A parameter that is read is declared with its shape, and has an initial value of it."""
    for node in reachable(_entries(graph)):
        if isinstance(node.op, Input) and node.op.kind == "param":
            info = graph.params.get(node.op.key)
            fits = info is not None and info.shape == node.type.shape
            yield None if fits else f"parameter {node.op.key}: {node.type}, declared {info}"
    for path, info in graph.params.items():
        start = graph.inits.get(path)
        if graph.inits:
            fits = start is not None and start.type.shape == info.shape
            yield None if fits else f"initial value of {path}: {start}"


def states_keep_their_type(graph: Graph) -> Answers:
    """A state's update and its reads have the type of its initial value."""
    for objective in graph.objectives.values():
        for name, node in objective.updates.items():
            start = graph.states.get(name)
            fits = start is not None and start.type == node.type
            yield None if fits else f"update of {name}: {node.type}"
    for node in reachable(_entries(graph)):
        if isinstance(node.op, Input) and node.op.kind == "state":
            start = graph.states.get(node.op.key)
            fits = start is not None and start.type == node.type
            yield None if fits else f"state {node.op.key}: {node.type}"


def _entries(graph: Graph) -> Iterator[Node]:
    yield from graph.roots()
    for table in (graph.inits, graph.states, graph.schedules, graph.constants):
        yield from table.values()


NODE_RULES: tuple[NodeRule, ...] = (
    operands_come_first,
    types_are_inferred,
    equal_nodes_are_one,
    ops_are_registered,
    inputs_are_one,
    loops_are_closed,
)
GRAPH_RULES: tuple[GraphRule, ...] = (
    losses_are_scalars,
    entries_are_in_the_builder,
    parameters_are_declared,
    states_keep_their_type,
)


def verify(graph: Graph) -> Report:
    """All rules over a graph."""
    nodes = reachable(_entries(graph))
    answers = {rule.__name__: list(rule(nodes)) for rule in NODE_RULES}
    answers |= {rule.__name__: list(rule(graph)) for rule in GRAPH_RULES}
    return _report(answers)


def verify_nodes(outputs: Sequence[Node]) -> Report:
    """The rules over nodes, for those below `outputs`."""
    nodes = reachable(outputs)
    return _report({rule.__name__: list(rule(nodes)) for rule in NODE_RULES})


def require(report: Report, after: str) -> None:
    """Raises `InvalidGraph` where a rule is broken; `after` names what made the graph."""
    for name, texts in report.broken.items():
        raise InvalidGraph(f"after {after}: {name}: {texts[0]} ({len(texts)} such)")


def _report(answers: Mapping[str, Sequence[str | None]]) -> Report:
    broken = {name: tuple(t for t in texts if t is not None) for name, texts in answers.items()}
    return Report(
        {name: len(texts) for name, texts in answers.items()},
        {name: texts for name, texts in broken.items() if texts},
    )
