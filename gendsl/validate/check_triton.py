"""Triton source against the graph: every store of every task equals the node of its memory.

In: the text, the launches in order, which memory holds which node. Out: findings. By induction over
launches: what a task stores equals the node that its memory is to hold, where memories written by
earlier launches (and inputs) stand for their nodes. Checked for each task: addresses of loads and
stores lie in their memory, every element is written exactly once, padding lanes add nothing, and no
task of a launch reads or overwrites what another one writes. Always: for all sizes and all blocks
(`Scope` says where numbers had to be fixed), all inputs, over the reals.

Note [Chains]: a program may do several tasks in order, with barriers. One may then read or
overwrite what another one wrote if a barrier stands between them, and if what either touches of
that memory lies, for program p, in a span of its own: from p times a size up to the next multiple
of it. Then no other program is involved, and earlier tasks of the chain stand for their nodes too.
"""

from __future__ import annotations

import ast
import itertools
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from gendsl.ir.graph import Node
from gendsl.prove.budget import undisturbed
from gendsl.shape.tensor_type import Bool, Fin
from gendsl.validate import value as v
from gendsl.validate import whole as w
from gendsl.validate.addresses import covers, programs, settled, within
from gendsl.validate.alike import memories
from gendsl.validate.arena import Touched
from gendsl.validate.meaning import Meaning, Sizes, places
from gendsl.validate.normal import equal
from gendsl.validate.triton_text import WORDS, Access, At, Entry, Machine, functions_of
from gendsl.validate.triton_values import Pointer, single
from gendsl.validate.value import Value
from gendsl.validate.verdict import DIFFERS, PROVED, UNKNOWN, Finding, Kernel
from gendsl.validate.whole import Unmodelled, Whole

# For one task; what is not decided by then is unknown.
SECONDS = 60.0
# How deep a value that is computed again may be nested in stored ones.
_UNFOLDINGS = 24


@dataclass(frozen=True)
class Task:
    """A task function and the node that each memory it writes is to hold afterwards."""

    name: str
    writes: Mapping[str, Node]


@dataclass(frozen=True)
class Launch:
    """One launch: `arguments` are memories in the order of the kernel's pointers."""

    kernel: str
    grid: int
    arguments: Sequence[str]
    constants: Mapping[str, int | str]
    tasks: Sequence[Task]


@dataclass(frozen=True)
class Given:
    """What is in memory before the first launch: nodes by (memory, place), which memory holds the
    key words of which draw, and the step's words."""

    nodes: Mapping[Node, tuple[str, int]]
    draws: Mapping[str, str] = field(default_factory=dict)
    steps: str = ""


@dataclass
class Checker:
    """Runs over the launches; `held` says which memory holds which node now."""

    text: str
    sizes: Sizes
    numbers: Mapping[str, int]
    given: Given
    held: dict[Node, tuple[str, Whole]] = field(default_factory=dict)
    limit: float = SECONDS
    touched: dict[str, Touched] = field(default_factory=dict)  # by kernel, what it accesses

    def __post_init__(self) -> None:
        self.functions = functions_of(self.text)
        self.held = {n: (m, w.number(k)) for n, (m, k) in self.given.nodes.items()}
        self.contents: dict[str, Node] = {
            m: n for n, (m, k) in self.given.nodes.items() if n.type.rank or k == 0
        }

    def run(
        self, launches: Iterable[Launch], report: Callable[[Kernel], None] = lambda _: None
    ) -> list[Kernel]:
        """The verdicts, which `report` is told launch by launch."""
        found: list[Kernel] = []
        for launch in launches:
            made = self.launch(launch)
            for kernel in made:
                report(kernel)
            found += made
        return found

    def launch(self, launch: Launch) -> list[Kernel]:
        try:
            stage = Stage(self, launch)
        except Unmodelled as problem:
            self.skip(launch)
            finding = Finding("launch", UNKNOWN, 0, str(problem))
            return [Kernel(t.name, (finding,)) for t in launch.tasks]
        ran: list[tuple[Task, Machine]] = []
        found: list[list[Finding]] = []
        places = {t.name: stage.place(t) for t in launch.tasks}
        chained = [t for t in launch.tasks if places[t.name] is not None]
        chained.sort(key=lambda t: (places[t.name] or (None, 0))[1])  # as the program does them
        for task in [*(t for t in launch.tasks if t not in chained), *chained]:
            w.stop_at(time.process_time() + self.limit)
            try:
                with undisturbed():
                    machine, findings = self._ran(stage, task)
                    found.append(findings + list(self._findings(launch, task, machine)))
            finally:
                w.stop_at(float("inf"))
            ran.append((task, machine))
            if task in chained:
                self._finished(task)
        races = self._races(stage, ran)
        for task, _ in ran:
            self._finished(task)
        self._touched(launch, [machine for _, machine in ran])
        return [
            Kernel(t.name, tuple(findings + races.get(t.name, [])))
            for (t, _), findings in zip(ran, found, strict=True)
        ]

    def _touched(self, launch: Launch, machines: Sequence[Machine]) -> None:
        if all(machine.finished for machine in machines):
            reads = frozenset(x.memory for m in machines for x in m.loads)
            writes = frozenset(x.memory for m in machines for x in m.stores)
            self.touched[launch.kernel] = Touched(launch.kernel, reads, writes)

    def skip(self, launch: Launch) -> None:
        """Take it that a launch does what it claims."""
        for task in launch.tasks:
            self._finished(task)

    def _finished(self, task: Task) -> None:
        for memory, node in task.writes.items():
            self._holds(memory, node)

    def _holds(self, memory: str, node: Node) -> None:
        """From the next launch on, the memory holds the node, and no longer what it held."""
        for old in [n for n, (m, _) in self.held.items() if m == memory]:
            del self.held[old]
        self.held[node] = (memory, w.ZERO)
        self.contents[memory] = node

    # ---- execution ----------------------------------------------------------------------------

    def _ran(self, stage: Stage, task: Task) -> tuple[Machine, list[Finding]]:
        """A task of a launch, executed for a generic one of its programs."""
        machine = stage.machine(task)
        try:
            stage.execute(task, machine)
        except At as problem:
            return machine, [Finding("execution", UNKNOWN, problem.line, str(problem))]
        except Unmodelled as problem:
            return machine, [Finding("execution", UNKNOWN, 0, str(problem))]
        machine.finished = True
        return machine, []

    def entry(self, memory: str) -> Entry:
        """What loads of a memory find."""
        if memory in self.given.draws or memory == self.given.steps:
            return Entry("fin", WORDS)
        node = self.contents.get(memory)
        if node is None:
            return Entry("real")
        match node.type.elem:
            case Fin(bound):
                return Entry("fin", self.sizes.whole(bound))
            case Bool():
                return Entry("bool")
            case _:
                return Entry("real")

    def count(self, memory: str) -> Whole | None:
        """How many elements a memory has, where a node says so."""
        node = self.contents.get(memory)
        if node is None or memory in {m for m, k in self.given.nodes.values() if k}:
            return None
        return w.product(self.sizes.shape(node))

    # ---- findings -----------------------------------------------------------------------------

    def _findings(self, launch: Launch, task: Task, machine: Machine) -> Iterator[Finding]:
        written: dict[str, list[Access]] = {}
        for store in machine.stores:
            written.setdefault(store.memory, []).append(store)
        for memory, node in task.writes.items():
            stores = written.pop(memory, [])
            if len(stores) != 1:
                reason = f"{len(stores)} stores; one is expected"
                yield Finding(memory, UNKNOWN if stores else DIFFERS, 0, reason)
                continue
            yield self._store(stores[0], node, launch)
        for memory, stores in written.items():
            yield Finding(memory, DIFFERS, stores[0].line, "written, and no node is claimed for it")
        for load in dict.fromkeys(machine.loads):
            found = self._bounds(load)
            if found is not None:
                yield found

    def _store(self, store: Access, node: Node, launch: Launch) -> Finding:
        what = f"{store.memory} = {node.op.name}"
        try:
            reason = self._stored(store, node, launch)
        except Unmodelled as problem:
            reason = f"unknown: {problem}"
        if reason is None:
            return Finding(what, PROVED, store.line)
        status = UNKNOWN if reason.startswith("unknown") else DIFFERS
        return Finding(what, status, store.line, reason)

    def _stored(self, store: Access, node: Node, launch: Launch) -> str | None:
        assert store.value is not None
        extents = [d for d, lane in zip(store.shape, store.lanes, strict=True) if lane is None]
        if any(d is not w.ONE for d in extents):
            return "unknown: several lanes write one place"
        lanes = [lane for lane in store.lanes if lane is not None]
        variables = [*dict.fromkeys((*store.around, *lanes))]
        value = store.value if isinstance(store.value, Value) else v.real(store.value)
        conditions = v.conjuncts(store.mask)
        now, (offset, made), left = settled(variables, [store.offset, value], conditions)
        assert isinstance(offset, Whole) and isinstance(made, Value)
        if left:
            return f"unknown: the store's mask leaves {v.show(left[0])}"
        shape = self.sizes.shape(node)
        numel = w.product(shape)
        problem = covers(now, offset, numel)
        if problem is not None:
            return problem
        meaning = Meaning(self.sizes, self.held)
        expected = meaning.real(node, ()) if not shape else self._expected(meaning, node, offset)
        now, (found, wanted), _ = settled(now, [made, expected])
        assert isinstance(found, Value) and isinstance(wanted, Value)
        return equal(*self._unfolded(found, wanted))

    def _unfolded(self, a: Value, b: Value) -> tuple[Value, Value]:
        """Entries that only one side reads, as what they were computed from: a task may compute
        again what an earlier one has stored."""
        stored = (n for n in self.held if n.inputs and n not in self.given.nodes)
        names = {self.held[n][0]: n for n in stored}
        meaning = Meaning(self.sizes, self.held)
        for _ in range(_UNFOLDINGS):
            only = (memories(a) ^ memories(b)) & names.keys()
            if not only:
                break

            def define(memory: str, place: Whole, only: frozenset[str] = only) -> Value | None:
                if memory not in only:
                    return None
                node = names[memory]
                try:
                    made = meaning.at(node, places(place, self.sizes.shape(node)), own=True)
                except Unmodelled:  # of what is overwritten by now: it stays an entry
                    return None
                return made if isinstance(made, Value) else None

            before = a, b
            a, b = v.unfold(a, define), v.unfold(b, define)
            if (a, b) == before:
                break
        return a, b

    def _expected(self, meaning: Meaning, node: Node, offset: Whole) -> Value:
        at = places(offset, self.sizes.shape(node))
        found = meaning.at(node, at, own=node not in self.held)
        if isinstance(found, Whole):
            return v.real(found)
        return v.where(found, v.ONE, v.ZERO) if isinstance(node.type.elem, Bool) else found

    def _bounds(self, load: Access) -> Finding | None:
        count = self.count(load.memory)
        if count is None:
            return None
        try:
            inside = within(load, count)
        except Unmodelled as problem:
            return Finding(f"load of {load.memory}", UNKNOWN, load.line, str(problem))
        if inside:
            return None
        reason = f"the address {load.offset} is not shown to be in 0 .. {count} - 1"
        return Finding(f"load of {load.memory}", DIFFERS, load.line, reason)

    def _races(self, stage: Stage, ran: Sequence[tuple[Task, Machine]]) -> dict[str, list[Finding]]:
        """What one task of the launch reads or writes of another's results, other than behind it in
        a chain; and loads of what the task itself overwrites, elsewhere than where it writes."""
        found: dict[str, list[Finding]] = {}
        for task, machine in ran:
            here = found.setdefault(task.name, [])
            for other, writer in ran:
                for store in writer.stores:
                    for access in (*machine.loads, *machine.stores):
                        if access.memory != store.memory:
                            continue
                        if other is not task:
                            if stage.apart(task, other) and _own(machine, access, writer, store):
                                continue
                            reason = f"{other.name} of the same launch writes it"
                            here.append(Finding(access.memory, DIFFERS, access.line, reason))
                        elif access.value is None and not _same_place(access, store):
                            reason = "read elsewhere than where the task overwrites it"
                            here.append(Finding(access.memory, DIFFERS, access.line, reason))
                        elif access.value is None and access.line > store.line:
                            reason = "read after it was overwritten"
                            here.append(Finding(access.memory, DIFFERS, access.line, reason))
        return {name: list(dict.fromkeys(rows)) for name, rows in found.items()}


def _own(machine: Machine, access: Access, writer: Machine, store: Access) -> bool:
    """Whether both accesses lie in one span of the memory for each program. See Note [Chains]."""
    spans = [_span(m, x) for m, x in ((machine, access), (writer, store))]
    return spans[0] is not None and spans[0] is spans[1]


def _span(machine: Machine, access: Access) -> Whole | None:
    """The size S for which program p accesses the memory only from p * S on, below (p + 1) * S."""
    p = machine.around[0]
    slope, rest = w.affine_in(access.offset, p)
    if slope is None or not slope.terms or w.variables(slope) or p in access.mask.units:
        return None
    inside = Access(access.memory, rest, access.mask, access.line)
    try:
        return slope if within(inside, slope) else None
    except Unmodelled:
        return None


def _same_place(load: Access, store: Access) -> bool:
    """Whether each lane that stores has loaded from where it stores."""
    if load.offset is store.offset:
        return True
    lanes = [lane for lane in store.lanes if lane is not None]
    variables = [*dict.fromkeys((*store.around, *lanes))]
    _, (a, b), _ = settled(variables, [load.offset, store.offset], v.conjuncts(store.mask))
    return a is b


class Stage:
    """The kernel of one launch: which task each program does, and with what arguments."""

    def __init__(self, checker: Checker, launch: Launch) -> None:
        self.checker, self.launch = checker, launch
        function = checker.functions.get(launch.kernel)
        if function is None:
            raise Unmodelled(f"no function {launch.kernel}")
        self.function = function
        names = [a.arg for a in function.args.args]
        pointers = [n for n in names if n not in launch.constants]
        if len(pointers) != len(launch.arguments):
            raise Unmodelled(f"the arguments of {launch.kernel}")
        self.names: dict[str, object] = {
            n: single(Pointer(m, w.ZERO)) for n, m in zip(pointers, launch.arguments, strict=True)
        }
        for name, x in launch.constants.items():
            self.names[name] = self._constant(name, x)

    def _constant(self, name: str, x: int | str) -> object:
        """A size by its name, for all values; blocks as well; text as it is."""
        if isinstance(x, str):
            return x
        if name in self.checker.sizes.names:
            if x != self.checker.numbers.get(name, x):
                raise Unmodelled(f"{name} = {x} where the plan's sizes say otherwise")
            return single(self.checker.sizes.names[name])
        return single(w.size(name)) if x > 1 else single(w.number(x))

    def machine(self, task: Task) -> Machine:
        memories = self.launch.arguments
        return Machine(
            self.checker.functions,
            {m: self.checker.entry(m) for m in memories},
            self.checker.given.draws,
            self.checker.given.steps,
        )

    def place(self, task: Task) -> tuple[ast.If, int] | None:
        """The chain that a task is in, and how many barriers come before it there."""
        for statement in self.function.body:
            if not isinstance(statement, ast.If) or not _calls(statement.body, task.name):
                continue
            if len(statement.body) == 1:
                return None
            before = itertools.takewhile(lambda s: not _calls([s], task.name), statement.body)
            return statement, sum(ast.unparse(s) == "tl.debug_barrier()" for s in before)
        return None

    def apart(self, task: Task, other: Task) -> bool:
        """Whether both are in one chain, with a barrier between them."""
        a, b = self.place(task), self.place(other)
        return a is not None and b is not None and a[0] is b[0] and a[1] != b[1]

    def execute(self, task: Task, machine: Machine) -> None:
        """Run the programs of one task: the branch of the stage that calls it."""
        first, count, body = self._branch(task)
        if count is None:
            trial = self.machine(task)
            p = w.variable(w.size("PROGRAMS"), "p")
            trial.program = first + w.of_unit(p)
            trial.execute(self.names, body)
            sizes = [self.checker.sizes.shape(n) for n in task.writes.values()]
            count = programs(trial.stores, p, w.product(sizes[0]))
            numbers = self.numbers()
            if w.evaluate(first + count, numbers) != self.launch.grid:
                raise Unmodelled(f"{count} programs are needed, and {self.launch.grid} launched")
        elif w.evaluate(first + count, self.numbers()) > self.launch.grid:
            raise Unmodelled(f"programs up to {first + count} of {self.launch.grid} launched")
        p = w.variable(count, "p")
        machine.program = first + w.of_unit(p)
        machine.around.append(p)
        machine.execute(self.names, body)

    def numbers(self) -> dict[str, int]:
        """Sizes and blocks as they are in this launch."""
        blocks = {n: x for n, x in self.launch.constants.items() if isinstance(x, int)}
        return {**self.checker.sizes.numbers(self.checker.numbers), **blocks}

    def _branch(self, task: Task) -> tuple[Whole, Whole | None, list[ast.stmt]]:
        """(first program, how many, statements) of a task; None: as many as are left."""
        before: list[ast.stmt] = []
        for statement in self.function.body:
            if isinstance(statement, ast.If):
                if _calls(statement.body, task.name):
                    first, last = self._range(statement.test, before)
                    count = None if last is None else last - first
                    mine = [s for s in statement.body if _calls([s], task.name)]
                    if len(mine) != 1:
                        raise Unmodelled(f"{len(mine)} calls of {task.name}")
                    return first, count, [*before, *mine]
                if statement.orelse:
                    raise Unmodelled("a branch with an else")
                continue
            before.append(statement)
        if task.name == self.launch.kernel or _calls(before, task.name):
            return w.ZERO, None, before
        raise Unmodelled(f"{self.launch.kernel} does not call {task.name}")

    def _range(self, test: ast.expr, before: list[ast.stmt]) -> tuple[Whole, Whole | None]:
        """The programs for which `(pid >= a) & (pid < b)` or a part of it holds."""
        match test:
            case ast.BinOp(left=a, op=ast.BitAnd(), right=b):
                first, _ = self._range(a, before)
                return first, self._range(b, before)[1]
            case ast.Compare(left=ast.Name("pid"), ops=[ast.GtE()], comparators=[limit]):
                return self._number(limit, before), None
            case ast.Compare(left=ast.Name("pid"), ops=[ast.Lt()], comparators=[limit]):
                return w.ZERO, self._number(limit, before)
            case _:
                raise Unmodelled(f"a branch on `{ast.unparse(test)}`")

    def _number(self, e: ast.expr, before: list[ast.stmt]) -> Whole:
        """A number of programs, after these statements."""
        return self.machine(self.launch.tasks[0]).number(self.names, before, e)


def _calls(body: Sequence[ast.stmt], name: str) -> bool:
    calls = (y for s in body for y in ast.walk(s) if isinstance(y, ast.Call))
    return any(ast.unparse(c.func) == name for c in calls)
