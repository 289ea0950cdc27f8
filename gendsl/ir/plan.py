"""A plan: what to run, in which order, over which buffers, for given sizes.

In: output nodes by name and a number for every size. Out: a `Plan`, calls in an order in which the
operands of each exist, and every buffer's shape, bytes and last use. A target takes the plan and
writes source text for it; `str(plan)` is what `--emit plan` prints.

Always: each call computes the last of its `nodes`; the others are read nowhere else and belong to
the same expression, save for constants and broadcasts, which are repeated in every call that reads
them since they cost nothing. Scalars that depend only on numbers, sizes, hyperparameters, the step
and loop indices are `host` values: a target computes them without its device.

Note [Updates in place]: a `StepGraph` may describe a step line's optimizer as an `OptimizerGroup`.
If a target has a kernel for it, the plan holds one `UpdateCall` that overwrites the parameters and
slots, in place of the nodes between gradients and new values. It must come after every other reader
of the old values; where that is impossible (something needs old and new values together), the plan
keeps the nodes instead, which is always correct.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from gendsl.ir.graph import Node
from gendsl.ir.step import OptimizerGroup
from gendsl.ops.leaf import Input
from gendsl.shape.tensor_type import Bool, Elem, Fin


@dataclass(frozen=True)
class Buffer:
    """Where a node's value lives. kind: "input", "temporary", "output", "view" (of `base`'s memory)
    or "host" (a number). `bytes` counts own memory, with reals of 4 bytes."""

    name: str
    node: Node = field(repr=False)
    shape: tuple[int, ...]
    kind: str
    bytes: int
    base: str | None = None

    @property
    def elem(self) -> Elem:
        return self.node.type.elem

    def __str__(self) -> str:
        sizes = ", ".join(map(str, self.shape))
        return f"{self.name}: {self.elem}[{sizes}]" if self.shape else f"{self.name}: {self.elem}"


@dataclass(frozen=True)
class Call:
    """One expression: computes `nodes` (operands first) and keeps the last one's value in `result`.

    `reads` are the buffers it uses, `frees` those that nothing reads after it."""

    result: Buffer
    nodes: tuple[Node, ...] = field(repr=False)
    reads: tuple[str, ...]
    frees: tuple[str, ...]
    flops: int


@dataclass(frozen=True)
class UpdateCall:
    """An optimizer kernel that overwrites parameters and slots; see Note [Updates in place].

    `nodes` are the constants and broadcasts among its operands."""

    group: OptimizerGroup = field(repr=False)
    results: tuple[tuple[Buffer, ...], ...]
    nodes: tuple[Node, ...] = field(repr=False)
    reads: tuple[str, ...]
    frees: tuple[str, ...]
    flops: int


@dataclass(frozen=True)
class LoopCall:
    """`body` once per iteration: its outputs "0", "1", ... are the next carried values, its leaves
    the loop's index, carried and captured values. `results` are the last ones that are needed, by
    position; the last of `nodes` is a `Loop`."""

    results: Mapping[int, Buffer]
    nodes: tuple[Node, ...] = field(repr=False)
    body: Plan = field(repr=False)
    reads: tuple[str, ...]
    frees: tuple[str, ...]
    flops: int


AnyCall = Call | UpdateCall | LoopCall


@dataclass(frozen=True)
class Plan:
    """Calls in order. `buffers` holds every value that has a name, leaves included; `host` are the
    values that are numbers."""

    name: str
    sizes: Mapping[str, int]
    calls: tuple[AnyCall, ...]
    buffers: Mapping[Node, Buffer] = field(repr=False)
    outputs: Mapping[str, Node]
    host: frozenset[Node] = field(repr=False)
    peak_bytes: int

    @property
    def flops(self) -> int:
        return sum(call.flops for call in self.calls)

    @cached_property
    def overwritten(self) -> Mapping[Node, str]:
        """The new values that updates leave in the old ones' place, with the keys of the places."""
        table: dict[Node, str] = {}
        for call in self.calls:
            if isinstance(call, UpdateCall):
                for key, row in zip(call.group.parameters, call.results, strict=True):
                    path = key.partition(":")[2]
                    keys = (key, *(f"slot:{name}:{path}" for name in call.group.slots))
                    table |= {b.node: place for b, place in zip(row, keys, strict=True)}
        return table

    def settled(self, name: str) -> bool:
        """Whether an output is where its name says without being assigned: updated in place, or
        the unchanged input of that name."""
        node = self.outputs[name]
        op = node.op
        same = isinstance(op, Input) and name == f"{op.kind}:{op.key}"
        return same or self.overwritten.get(node) == name

    def name_of(self, node: Node) -> str:
        """The buffer's name, or the expression of something too cheap to have one."""
        return self.buffers[node].name if node in self.buffers else node.op.name

    @property
    def inputs(self) -> tuple[Buffer, ...]:
        return tuple(b for b in self.buffers.values() if b.kind == "input")

    def __str__(self) -> str:
        return "\n".join(_lines(self)) + "\n"


def width(elem: Elem) -> int:
    """Bytes of one entry."""
    match elem:
        case Fin():
            return 8
        case Bool():
            return 1
        case _:
            return 4


# ---- text --------------------------------------------------------------------------------


def quantity(value: int, unit: str) -> str:
    """`131.1 kB`, `4.2 Mflop`."""
    for prefix, scale in (("G", 10**9), ("M", 10**6), ("k", 10**3)):
        if value >= scale:
            return f"{value / scale:.1f} {prefix}{unit}"
    return f"{value} {unit}"


def _lines(plan: Plan) -> Iterator[str]:
    sizes = ", ".join(f"{name} = {value}" for name, value in plan.sizes.items())
    yield f"plan {plan.name}" + (f" at {sizes}" if sizes else "")
    yield f"  {len(plan.calls)} calls, {quantity(plan.flops, 'flop')}, " + (
        f"{quantity(plan.peak_bytes, 'B')} of temporaries at most"
    )
    for buffer in plan.inputs:
        if buffer.node not in _replaced(plan):
            yield f"  given {buffer}"
    for number, call in enumerate(plan.calls, 1):
        cost = quantity(call.flops, "flop")
        frees = f"; frees {', '.join(call.frees)}" if call.frees else ""
        match call:
            case Call(result=result):
                text = f"{result} = {expression(plan, call.nodes)}"
                cost = f"{quantity(result.bytes, 'B')}, {cost}" if result.bytes else cost
            case UpdateCall(group=group):
                rows = zip(group.parameters, group.gradients, strict=True)
                pairs = (f"{name} by {plan.name_of(node)}" for name, node in rows)
                text = f"{group.rule} in place: {', '.join(pairs)}"
            case LoopCall():
                results = ", ".join(map(str, call.results.values()))
                text = f"{results} = {expression(plan, call.nodes)}"
        yield f"  {number:3}  {text}   # {cost}{frees}"
        if isinstance(call, LoopCall):
            yield from (f"       {line}" for line in _lines(call.body))
    for name, node in plan.outputs.items():
        if not plan.settled(name):
            yield f"  yields {name} = {plan.name_of(node)}"


def _replaced(plan: Plan) -> set[Node]:
    """Slots: they go through updates in place and nowhere else."""
    return {
        node
        for call in plan.calls
        if isinstance(call, UpdateCall)
        for row in call.group.before
        for node in row[1:]
    }


def expression(plan: Plan, nodes: Sequence[Node]) -> str:
    """The last of `nodes` as nested applications of ops to buffer names."""
    inside = set(nodes)

    def show(node: Node) -> str:
        if node not in inside:
            return plan.buffers[node].name
        hidden = ("shape", "body", "positions")
        attributes = [str(v) for k, v in node.op.attributes().items() if k not in hidden]
        if not node.inputs:
            named = [node.op.name, *attributes[:1]]
            return attributes[0] if len(attributes) == 1 else " ".join(named)
        operands = ", ".join(show(source) for source in node.inputs)
        bracket = f"[{', '.join(attributes)}]" if attributes else ""
        return f"{node.op.name}{bracket}({operands})"

    return show(nodes[-1])
