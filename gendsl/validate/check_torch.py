"""The torch source of a plan against the graph: every assignment equals the node it is named for.

In: the text, and the plan it was written for. Out: findings. The proof is by induction over
statements: each right-hand side equals its node's op, where names assigned before stand for their
nodes. Always: for the sizes that the text fixes, all inputs, over the reals; nothing is passed
over: a name, an output or a carried value without a finding of its own is `unknown`.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Mapping

from gendsl.ir.graph import Node
from gendsl.ir.plan import LoopCall, Plan, UpdateCall
from gendsl.ops.leaf import Input
from gendsl.shape.tensor_type import Bool, Fin
from gendsl.validate import value as v
from gendsl.validate import whole as w
from gendsl.validate.meaning import At, Meaning, Sizes, offset, places
from gendsl.validate.normal import equal
from gendsl.validate.optimizers import updated
from gendsl.validate.torch_memory import Memories
from gendsl.validate.torch_text import Assigned, Event, Machine, Returned, Trouble, Updated
from gendsl.validate.torch_values import Anything, Tensor, scalar
from gendsl.validate.value import Value
from gendsl.validate.verdict import DIFFERS, PROVED, UNKNOWN, Finding, Kernel
from gendsl.validate.whole import Unmodelled, Whole


def check_torch(text: str, plan: Plan, containers: Mapping[str, str], *, carries: bool) -> Kernel:
    """The verdict on the function `plan.name`; `containers` maps its dictionaries to input kinds,
    `carries` says that outputs named by a kind are assigned there."""
    checker = _Checker(plan, containers, carries)
    return Kernel(plan.name, tuple(checker.findings(text)))


def _inputs(plan: Plan) -> list[Node]:
    """Leaves of a plan; slots that only updates in place read have no buffer of their own."""
    updates = [c.group.before for c in plan.calls if isinstance(c, UpdateCall)]
    found = [b.node for b in plan.buffers.values()]
    found += [node for rows in updates for row in rows for node in row]
    found += list(plan.outputs.values())
    return [node for node in dict.fromkeys(found) if isinstance(node.op, Input)]


class _Checker:
    def __init__(self, plan: Plan, containers: Mapping[str, str], carries: bool) -> None:
        self.plan, self.carries = plan, carries
        self.sizes = Sizes((), dict(plan.sizes))
        # What an update in place leaves behind has the name of what was there before.
        self.nodes = {b.name: node for node, b in reversed(list(plan.buffers.items()))}
        self.nodes |= {b.name: b.node for b in plan.inputs}
        self.held: dict[Node, tuple[str, Whole]] = {}
        cells: dict[str, Anything] = {}
        self.machine = Machine(dict(containers), Memories(cells))
        for node in _inputs(plan):
            op = node.op
            assert isinstance(op, Input)
            key = f"{op.kind}:{op.key}"
            self.held[node] = (key, w.ZERO)
            scalar_ = not node.type.rank and op.kind in ("hyper", "step")
            cells[key] = v.get(key, w.ZERO) if scalar_ else self._tensor(node, key)
            if op.kind == "argument":  # read through the dictionary of data
                cells[f"data:{op.key}"] = cells[key]
            if op.kind == "step":
                self.machine.names["number"] = cells[key]
        self.done: dict[str, str] = {}
        self.stored: dict[str, Anything] = {}  # what cells held when that was shown
        self.updates: set[int] = set()

    def _tensor(self, node: Node, memory: str) -> Tensor:
        shape = self.sizes.shape(node)
        extents = tuple(d.constant or 0 for d in shape)

        def entry(at: At) -> Value | Whole:
            place = offset(at, shape)
            match node.type.elem:
                case Fin(bound):
                    return v.index_of(v.get(memory, place, "fin"), self.sizes.whole(bound))
                case Bool():
                    return v.get(memory, place, "bool")
                case _:
                    return v.get(memory, place)

        return Tensor(extents, entry, frozenset((memory,)))

    def findings(self, text: str) -> Iterable[Finding]:
        for event in self.machine.run(text, self.plan.name):
            yield from self._event(event)
        yield from self._outputs()

    def _event(self, event: Event) -> Iterable[Finding]:
        match event:
            case Trouble(reason=reason, line=line, name=name):
                yield Finding(name or "statement", UNKNOWN, line, reason)
                self._give(name)
            case Assigned(cell=cell) if cell:
                yield from self._stored(event)
            case Assigned(name=name, value=made, line=line):
                node = self.nodes.get(name)
                if node is None or (isinstance(node.op, Input) and node in self.held):
                    if node is not None:
                        yield self._finding(name, node, made, line, own=False)
                    return
                yield self._finding(name, node, made, line)
                self._give(name)
            case Updated():
                yield from self._updated(event)
            case Returned(values=values, line=line):
                for name, made in values.items():
                    node = self.plan.outputs.get(name)
                    if node is None:
                        yield Finding(name, DIFFERS, line, "no output has this name")
                    else:
                        yield self._finding(f"output {name}", node, made, line, own=False)
                        self.done[name] = "returned"

    def _stored(self, event: Assigned) -> Iterable[Finding]:
        """A value in the place of a carried tensor: the output of that name, or a part of it."""
        cell, made, line = event.cell, event.value, event.line
        node, output = self.nodes.get(event.name), self.plan.outputs.get(cell)
        part = node is not None and node is not output and not isinstance(node.op, Input)
        if node is None and event.name != cell:
            return  # a value that has no name in the plan: what reads it is shown
        if output is None:
            yield Finding(cell, DIFFERS, line, "no output has this name")
            return
        held = node if part and node is not None else output
        yield self._finding(cell, held, made, line)
        yield from self._kept_apart(cell, made, line)
        if isinstance(made, Tensor):
            memory = f"{cell}@{line}"
            shown = self._tensor(held, memory)
            self.machine.cells[cell] = Tensor(shown.shape, shown.entry, made.memory)
            self.held[held] = (memory, w.ZERO)
        if not part:
            self.done[cell], self.stored[cell] = "stored", self.machine.cells[cell]

    def _give(self, name: str) -> None:
        """From here on the name stands for its node."""
        node = self.nodes.get(name)
        if node is None:
            return
        memory = f"value:{name}"
        self.held[node] = (memory, w.ZERO)
        machine = self.machine
        old: Anything = machine.memory.contents.get(name, machine.names.get(name))
        if name in machine.views:
            try:
                old = machine.value(ast.Name(name))
            except Unmodelled:
                return  # it was reported when the name was bound
        number = not node.type.rank and not isinstance(old, Tensor)
        if number and isinstance(old, Value | Whole):
            self.machine.names[name] = Meaning(self.sizes, self.held).at(node, ())
            return
        tensor = self._tensor(node, memory)
        kept = old.memory if isinstance(old, Tensor) else tensor.memory
        given = Tensor(tensor.shape, tensor.entry, kept)
        if name in machine.views:
            machine.shown[name] = given
        elif name in machine.memory.contents:
            machine.memory.contents[name] = given
        elif name not in machine.memory.places:
            machine.names[name] = given

    def _kept_apart(self, name: str, made: Anything, line: int) -> Iterable[Finding]:
        """A carried value must not share memory with another one."""
        if not isinstance(made, Tensor):
            return
        others = [k for k, x in self.machine.cells.items()
                  if k != name and isinstance(x, Tensor) and x.memory & made.memory]  # fmt: skip
        if others or made.memory & self.machine.overwritten:
            yield Finding(name, DIFFERS, line, f"shares memory with {', '.join(others)}")

    def _finding(
        self, what: str, node: Node, made: Anything, line: int, *, own: bool = True
    ) -> Finding:
        try:
            reason = self._differs(node, made, own and node not in self.held)
        except Unmodelled as problem:
            return Finding(what, UNKNOWN, line, str(problem))
        if reason is None:
            return Finding(what, PROVED, line)
        return Finding(what, UNKNOWN if reason.startswith("unknown") else DIFFERS, line, reason)

    def _differs(self, node: Node, made: Anything, own: bool) -> str | None:
        tensor = scalar(made)
        shape = self.sizes.shape(node)
        if tuple(map(w.number, tensor.shape)) != shape and (tensor.shape or made is tensor):
            return f"the shape is {tensor.shape}, not {tuple(map(str, shape))}"
        at = tuple(w.of_unit(w.variable(d)) if d is not w.ONE else w.ZERO for d in shape)
        expected = Meaning(self.sizes, self.held).at(node, at, own=own)
        found = tensor.at(at if tensor.shape else ())
        a, b = (v.real(x) if isinstance(x, Whole) else x for x in (found, expected))
        return self._equal(a, b, set())

    def _equal(self, a: Value, b: Value, opened: set[Node]) -> str | None:
        """Also with numbers, and the values of `opened`, by their definitions: the other side may
        be made of what these are made of."""
        reason = equal(a, b)
        if reason is None:
            return None
        names = {memory: node for node, (memory, _) in self.held.items()}
        meaning = Meaning(self.sizes, self.held)

        def define(memory: str, place: Whole) -> Value | None:
            node = names.get(memory)
            if node is None or isinstance(node.op, Input):
                return None
            if node.type.rank and node not in opened:
                return None
            made = meaning.at(node, places(place, self.sizes.shape(node)), own=True)
            return made if isinstance(made, Value) else None

        a, b = v.unfold(a, define), v.unfold(b, define)
        return reason if equal(a, b) is not None else None

    # ---- updates in place, and the end --------------------------------------------------------

    def _updated(self, event: Updated) -> Iterable[Finding]:
        calls = [c for c in self.plan.calls if isinstance(c, UpdateCall)]
        group = next((c.group for c in calls if self._fits(c, event)), None)
        if group is None:
            yield Finding(event.rule, UNKNOWN, event.line, "no group has these parameters")
            return
        self.updates.add(id(group))
        slots = event.options.get("slots", ("m", "v") if event.rule != "sgd" else ("m",))
        columns = (group.parameters, group.gradients, group.before, group.after)
        for key, slope, before, after in zip(*columns, strict=True):
            path = key.partition(":")[2]
            cells = [key, *(f"slot:{s}:{path}" for s in slots)][: len(after)]
            yield self._row(event, path, cells, {slope, *before}, after)

    def _fits(self, call: UpdateCall, event: Updated) -> bool:
        """Whether this is the call of the update, and has not come yet."""
        group = call.group
        paths = [k.partition(":")[2] for k in group.parameters]
        new = id(group) not in self.updates
        return new and group.rule == event.rule and paths == list(event.gradients)

    def _row(
        self,
        event: Updated,
        path: str,
        cells: list[str],
        opened: set[Node],
        after: tuple[Node, ...],
    ) -> Finding:
        """One parameter and its slots."""
        what = f"{event.rule} {path}"
        shape = self.sizes.shape(after[0])
        at = tuple(w.of_unit(w.variable(d)) if d is not w.ONE else w.ZERO for d in shape)
        reason: str | None = None
        try:
            given = scalar(event.gradients[path])
            if given.memory & self.machine.overwritten:
                raise Unmodelled("a gradient that was overwritten")
            meaning = Meaning(self.sizes, self.held)
            gradient = given.real(at)
            old = [scalar(self.machine.cells[c]).real(at) for c in cells]
            new = updated(event.rule, event.options, old, gradient)
            for node, made in zip(after, new, strict=True):
                reason = reason or self._equal(made, meaning.real(node, at), opened)
        except (Unmodelled, KeyError) as problem:
            reason = f"unknown: {problem}"
        for node, cell in zip(after, cells, strict=False):
            if cell in self.machine.cells:
                memory = f"{cell}@{event.line}"
                self.machine.overwrite(cell, self._tensor(node, memory))
                self.held[node] = (memory, w.ZERO)
            self.done[cell] = "updated"
        if reason is None:
            return Finding(what, PROVED, event.line)
        return Finding(
            what, UNKNOWN if reason.startswith("unknown") else DIFFERS, event.line, reason
        )

    def _outputs(self) -> Iterable[Finding]:
        """Every output is returned, stored, or where its name says."""
        for name, node in self.plan.outputs.items():
            cell = self.machine.cells.get(name)
            if self.done.get(name) == "returned":
                continue
            if self.done.get(name) == "stored" and cell is self.stored[name]:
                continue
            if self.carries and cell is not None:
                made = self._finding(f"final {name}", node, cell, 0, own=False)
                if made.status != PROVED:
                    yield made
            else:
                yield Finding(name, UNKNOWN, 0, "this output is not returned")
        for call in self.plan.calls:
            if isinstance(call, LoopCall):
                yield Finding("loop", UNKNOWN, 0, "a loop is not modelled")
