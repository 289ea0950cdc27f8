"""A bounded loop with carried values, for samplers of many steps.

A body is written as ordinary nodes over the leaves `LoopIndex` and `LoopCarry` of one loop name;
`loop` closes it: what depends on those leaves goes into a `LoopBody`, a flat list of instructions
that is compared and hashed by content; what does not is computed once, outside, and captured.
`LoopBody.open` gives nodes again, for evaluators and targets. All results of a loop run together:
`Loop` nodes with the same body and inputs differ only in which carried value they yield.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any, ClassVar

from gendsl.ir.graph import Builder, Node, postorder
from gendsl.ir.op import Concrete, NodeType, NotDifferentiable, Op, TypingError, register
from gendsl.ops.arithmetic import Mul
from gendsl.ops.arity import M, N, Sample, count, kernel
from gendsl.ops.broadcast import Broadcast
from gendsl.ops.leaf import Const, Index, Iota, Leaf, SizeValue, Truth
from gendsl.ops.select import Gather
from gendsl.shape.dim import Dim
from gendsl.shape.tensor_type import Elem, Fin, Real

if TYPE_CHECKING:
    from gendsl.ops.arity import Array


@dataclass(frozen=True)
class Placeholder(Leaf):
    """A leaf that stands for a value that the enclosing loop supplies."""

    targets = kernel("placeholder")

    def reference(self, args: Sequence[Any], out: NodeType, env: Concrete) -> Any:
        raise KeyError(f"{self.name} outside of its loop")


@register
@dataclass(frozen=True)
class LoopIndex(Placeholder):
    """The number of the iteration, 0 to count - 1."""

    name: ClassVar[str] = "loop_index"
    loop: str
    count: Dim

    def infer(self, inputs: Sequence[NodeType]) -> NodeType:
        count(self, inputs, 0)
        return NodeType((), Fin(self.count))


@dataclass(frozen=True)
class LoopTensor(Placeholder):
    """A tensor of the loop's, by its position among those of its kind."""

    loop: str
    position: int
    shape: tuple[Dim, ...]
    elem: Elem = Real()  # noqa: RUF009  (frozen)

    def infer(self, inputs: Sequence[NodeType]) -> NodeType:
        count(self, inputs, 0)
        return NodeType(self.shape, self.elem)


@register
@dataclass(frozen=True)
class LoopCarry(LoopTensor):
    """The carried value at `position`, as it is before the iteration."""

    name: ClassVar[str] = "loop_carry"


@register
@dataclass(frozen=True)
class LoopCapture(LoopTensor):
    """The captured value at `position`, the same in every iteration (in opened bodies only)."""

    name: ClassVar[str] = "loop_capture"


@dataclass(frozen=True)
class Instruction:
    """One op of a body; operands are numbers of values, see `LoopBody`."""

    op: Op
    operands: tuple[int, ...]


@dataclass(frozen=True)
class OpenBody:
    """A body as nodes of a builder of its own."""

    builder: Builder
    index: Node
    carries: tuple[Node, ...]
    captures: tuple[Node, ...]
    results: tuple[Node, ...]


@dataclass(frozen=True)
class LoopBody:
    """What is done in each of `count` iterations.

    Values are numbered: 0 is the loop index, then come the carried and the captured values, then
    the results of the instructions in order. `results` are the numbers of the next carried values.
    """

    count: Dim
    carries: tuple[NodeType, ...]
    captures: tuple[NodeType, ...]
    instructions: tuple[Instruction, ...]
    results: tuple[int, ...]

    def __hash__(self) -> int:
        return _body_hash(self.count, self.carries, self.captures, self.instructions, self.results)

    def open(self) -> OpenBody:
        """The body as nodes (made once per body)."""
        return _opened(self)


@lru_cache(maxsize=256)
def _body_hash(*parts: object) -> int:
    return hash(parts)


@lru_cache(maxsize=256)
def _opened(body: LoopBody) -> OpenBody:
    build = Builder()
    index = build.apply(LoopIndex("", body.count))
    carries = [build.apply(LoopCarry("", i, t.shape, t.elem)) for i, t in enumerate(body.carries)]
    captures = [
        build.apply(LoopCapture("", i, t.shape, t.elem)) for i, t in enumerate(body.captures)
    ]
    values = [index, *carries, *captures]
    for instruction in body.instructions:
        operands = [values[i] for i in instruction.operands]
        values.append(build.apply(instruction.op, *operands))
    results = tuple(values[i] for i in body.results)
    return OpenBody(build, index, tuple(carries), tuple(captures), results)


@register
@dataclass(frozen=True)
class Loop(Op):
    """The final carried value `result` of a loop; operands are the initial carried values, then
    the captured values."""

    name: ClassVar[str] = "loop"
    targets = kernel("loop")
    body: LoopBody
    result: int

    def infer(self, inputs: Sequence[NodeType]) -> NodeType:
        body = self.body
        if tuple(inputs) != body.carries + body.captures:
            raise TypingError(f"loop over {', '.join(map(str, body.carries + body.captures))}")
        if tuple(node.type for node in body.open().results) != body.carries:
            raise TypingError("a loop body does not keep the types of its carried values")
        return body.carries[self.result]

    def reference(self, args: Sequence[Array], out: NodeType, env: Concrete) -> Any:
        from gendsl.ir.evaluate import run_loop

        return run_loop(self.body, args, env)[self.result]

    def gradient(self, build: Builder, node: Node, cotangent: Node) -> Sequence[Node | None]:
        raise NotDifferentiable("a loop that is not unrolled keeps only its last values")

    @classmethod
    def samples(cls) -> Iterable[Sample]:
        row, whole = NodeType((N,)), NodeType((), Fin(M))
        table = NodeType((M,))
        pick = Instruction(Gather(0), (4, 0))  # table[index]
        spread = Instruction(Broadcast((N,), ()), (5,))
        swap = LoopBody(
            M, (row, row, whole), (table,), (pick, spread, Instruction(Mul(), (1, 6))), (2, 7, 3)
        )
        for result in range(3):
            yield cls(swap, result), (row, row, whole, table)


def loop(
    build: Builder, name: str, count: Dim, initial: Sequence[Node], results: Sequence[Node]
) -> list[Node]:
    """The final values of carrying `initial` through `count` iterations, where `results` are the
    next values as nodes over `LoopIndex(name, ...)` and `LoopCarry(name, k, ...)`."""
    order = postorder(results)
    inside = _inside(order, name)
    read = {source for user in inside for source in user.inputs} | set(results)
    captured = [n for n in order if n in read and n not in inside and not _constant(n)]
    copied = set(postorder(n for n in order if n in read and _constant(n)))
    first = 1 + len(initial)
    placed = {node: first + position for position, node in enumerate(captured)}
    instructions: list[Instruction] = []
    for node in order:
        match node.op:
            case LoopIndex(loop=owner) if owner == name:
                placed[node] = 0
            case LoopCarry(loop=owner, position=position) if owner == name:
                placed[node] = 1 + position
            case _ if node in inside or node in copied:
                placed[node] = first + len(captured) + len(instructions)
                numbers = tuple(placed[source] for source in node.inputs)
                instructions.append(Instruction(node.op, numbers))
            case _:
                pass
    body = LoopBody(
        count,
        tuple(node.type for node in initial),
        tuple(node.type for node in captured),
        tuple(instructions),
        tuple(placed[node] for node in results),
    )
    return [build.apply(Loop(body, k), *initial, *captured) for k in range(len(initial))]


def with_results(body: LoopBody, results: Sequence[Node]) -> LoopBody:
    """The body with other results: nodes over the leaves of `body.open()`."""
    opened = body.open()
    leaves = (opened.index, *opened.carries, *opened.captures)
    placed = {node: i for i, node in enumerate(leaves)}
    instructions: list[Instruction] = []
    for node in postorder(results):
        if node not in placed:
            placed[node] = len(leaves) + len(instructions)
            numbers = tuple(placed[source] for source in node.inputs)
            instructions.append(Instruction(node.op, numbers))
    ends = tuple(placed[node] for node in results)
    return replace(body, instructions=tuple(instructions), results=ends)


def _inside(order: Sequence[Node], name: str) -> set[Node]:
    """The nodes that depend on the index or a carried value of the loop."""
    found: set[Node] = set()
    for node in order:
        own = isinstance(node.op, (LoopIndex, LoopCarry)) and node.op.loop == name
        if own or any(source in found for source in node.inputs):
            found.add(node)
    return found


def _constant(node: Node) -> bool:
    """Copied into a body rather than captured: as a value it would only hide what it is."""
    while isinstance(node.op, Broadcast):
        (node,) = node.inputs
    return isinstance(node.op, (Const, Truth, SizeValue, Index, Iota))
