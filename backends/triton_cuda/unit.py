"""A unit of a plan: outputs of one graph as launches in stages, loops as repeated units.

In: a lowered graph's outputs, and where each is to be. Out: steps over task texts. Always: a task
stands in a later stage than the tasks whose results it reads, and one that overwrites a carried
value in a later stage than every other reader of the old one, or else behind them in a chain
(`backends.triton_cuda.chains`). Where that is impossible, or a task
reads entries of the old value other than those it writes, the new value gets memory of its own and
is copied at the end.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from backends.triton_cuda import chains
from backends.triton_cuda.memories import Memories, is_number
from backends.triton_cuda.precision import exact_products
from backends.triton_cuda.tasks import Cut, Group
from backends.triton_cuda.tile import TaskText, write
from gendsl.ir.graph import Builder, Node, postorder
from gendsl.ir.grouping import pointwise
from gendsl.ops.arithmetic import StopGrad
from gendsl.ops.broadcast import Broadcast
from gendsl.ops.compare import And, Widen
from gendsl.ops.leaf import Const, Index, Input, SizeValue, Truth
from gendsl.ops.loop import Loop, LoopCarry, LoopIndex
from gendsl.ops.select import IndexAffine
from gendsl.ops.symbolic import Pi
from gendsl.shape.dim import Dim
from gendsl.shape.tensor_type import Bool, Fin

_ROUNDS = 200


@dataclass(frozen=True)
class Stage:
    """Tasks of one launch. `chain`: what each program of a sample does for it, one after another;
    a barrier stands between groups."""

    tasks: tuple[TaskText, ...]
    chain: tuple[tuple[TaskText, ...], ...] = ()

    @property
    def all(self) -> tuple[TaskText, ...]:
        """Every task, the chain's first."""
        return (*(t for group in self.chain for t in group), *self.tasks)


@dataclass(frozen=True)
class Repeated:
    """Steps that run `count` times; the last one counts up the memory `index`."""

    count: Dim
    index: str
    steps: tuple[Step, ...]


Step = Stage | Repeated


@dataclass(frozen=True)
class LoopTask:
    """A loop among tasks: copies of the initial values, and the repeated body."""

    steps: tuple[Step, ...]
    reads: frozenset[str]
    writes: tuple[str, ...]


@dataclass
class Unit:
    """See the module. `targets` are the memories that outputs go to, by name."""

    build: Builder
    memories: Memories
    outputs: Mapping[str, Node]
    targets: Mapping[str, str]
    numbers: set[Node]
    apart: set[str] = field(default_factory=set)
    roots: dict[Node, str] = field(default_factory=dict)
    prefix: str = ""
    batch: Dim | None = None

    def __post_init__(self) -> None:
        self._whole: set[tuple[Node, ...]] = set()  # tasks that are not worth a place in a chain
        self._fine = False  # whether tasks are cut for chains
        self._computing: set[Node] = set()
        self._copies: Sequence[Node] = ()
        self._answers: dict[Node, str | None] = {}
        self._written: dict[object, tuple[dict[Node, str | None], TaskText]] = {}
        self._forced: set[Node] = set()
        self._loading: set[Node] = set()
        self._loads: dict[tuple[Node, ...], set[Node]] = {}
        self._temporaries: dict[object, str] = {}
        self._made_loops: dict[object, LoopTask] = {}
        self._exact = exact_products(self.outputs.values())
        self._divided = chains.added_up(self.outputs.values())

    # ---- storage of a task ----------------------------------------------------------------

    def memory(self, node: Node) -> str | None:
        found = self._answers[node] = self._memory(node)
        return found

    def _memory(self, node: Node) -> str | None:
        if node in self._computing or node in self._copies:
            return None
        if node in self._forced and node not in self._loading:
            return None
        if isinstance(node.op, Input) and node not in self.numbers:
            return self.memories.given(node)
        return self.roots.get(node) or self.memories.placed.get(node)

    def slot(self, node: Node) -> int | None:
        if node in self.numbers and is_number(node):
            return self.memories.slot(node)
        return None

    def keys(self, node: Node) -> str:
        return self.memories.keys(node)

    def name(self, node: Node) -> str:
        return self.memories.wish(node)

    def exact(self, node: Node) -> bool:
        return node in self._exact

    # ---- steps ------------------------------------------------------------------------

    def steps(self) -> list[Step]:
        """Stages of the unit."""
        wanted = self._wanted()
        self._fine = self.batch is not None and chains.worthwhile(wanted, self.batch)
        tasks = self._tasks(wanted)
        if self._fine and not any(isinstance(t, TaskText) and t.sample for t in tasks):
            self._fine = False
            self._forced.clear()
            self._loads.clear()
            tasks = self._tasks(wanted)
        for _ in range(_ROUNDS):
            conflict = self._conflicts(tasks)
            if not conflict:
                levels, stuck = chains.levels(self._edges(tasks), _dots(tasks))
                if not stuck:
                    return self._staged(tasks, levels)
                conflict = self._stuck(tasks, stuck)
            self.apart |= conflict
            wanted = self._wanted()
            tasks = self._tasks(wanted)
        raise AssertionError(f"no order of the tasks that make {', '.join(self.outputs)}")

    def _wanted(self) -> dict[Node, str]:
        """The nodes that tasks have to leave in memory, with the memory."""
        found: dict[Node, str] = {}
        copies: dict[Node, str] = {}
        for name, node in self.outputs.items():
            target = self.targets[name]
            if isinstance(node.op, Input) and self.memories.placed.get(node) == target:
                continue
            if target in self.apart or node in found or node.op == StopGrad():
                copies[self._again(node, copies)] = target
                if node not in found and not self._lies(node):
                    found[node] = self._temporary(node)
            elif self._lies(node) or isinstance(node.op, (LoopCarry, Loop)):
                copies[self._again(node, copies)] = target
            else:
                found[node] = target
        self._copies = tuple(copies)
        return found | copies

    def _lies(self, node: Node) -> bool:
        """Whether a node is in memory before the unit starts."""
        if isinstance(node.op, Input) and node not in self.numbers:
            return True
        return node in self.memories.placed

    def _again(self, node: Node, taken: Mapping[Node, str]) -> Node:
        """The node again, as a node of its own that is not taken."""
        found = self._same(node)
        return self._again(found, taken) if found in taken else found

    def _same(self, node: Node) -> Node:
        match node.type.elem:
            case Fin(bound):
                return self.build.apply(Widen(bound), node)
            case Bool():
                return self.build.apply(And(), node, node)
            case _:
                return self.build.apply(StopGrad(), node)

    def _tasks(self, wanted: Mapping[Node, str]) -> list[TaskText | LoopTask]:
        """Cut and write until nothing in a task is taken entry by entry that could be stored. What
        is stored for that reason is loaded by the tasks that need it to be: others compute it
        again, and so need not wait for it."""
        for _ in range(_ROUNDS):
            cut = Cut(
                list(wanted),
                self._lies,
                self.numbers,
                self.memories.sizes,
                batch=self.batch if self._fine else None,
                forced=set(self._forced),
                claimed=set(self._copies),
            )
            groups = cut.run()
            self.roots = dict(wanted)
            plain = [g for g in groups if not isinstance(g.roots[0].op, Loop)]
            for group in plain:
                for root in group.roots:
                    if root not in self.roots:
                        self.roots[root] = self._temporary(root)
            loops = self._loops([g for g in groups if isinstance(g.roots[0].op, Loop)])
            texts = [self._write(group, number) for number, group in enumerate(plain)]
            settled = True
            for text in texts:
                slow = {n for n in text.slow if n not in text.roots}
                settled = settled and not slow
                self._loads.setdefault(text.roots, set()).update(slow)
                self._forced |= slow
            loose = self._loose([*texts, *loops]) if settled else set()
            if settled and not loose:
                return [*texts, *loops]
            self._whole |= loose
        raise AssertionError("the cut into tasks does not settle")

    def _temporary(self, node: Node) -> str:
        """The memory of a stored node; the same one in every round."""
        key = ("temporary", node)
        found = self._temporaries.get(key)
        if found is None:
            wish = self.memories.wish(node)
            found = self._temporaries[key] = self.memories.add(wish, node.type, "temporary")
        return found

    def _write(self, group: Group, number: int) -> TaskText:
        roots = [r for r in group.roots if r in self.roots]
        self._computing, self._loading = set(roots), self._loads.get(tuple(roots), set())
        results = {root: self.roots[root] for root in roots}
        sample = None
        if self._fine and chains.eligible(group, self.batch, self._divided):
            assert self.batch is not None
            sample = None if tuple(roots) in self._whole else chains.sample_of(self.batch)
        key = (tuple(results.items()), group.anchor, sample)
        answers, text = self._written.get(key, ({}, None))
        if text is None or any(self._memory(n) != m for n, m in answers.items()):
            self._answers = {}
            name = f"{self.prefix}{self.roots[roots[0]]}_task"
            text = write(name, roots, group.anchor, self, self.memories.sizes, results, sample)
            self._written[key] = self._answers, text
        self._computing, self._loading = set(), set()
        return text

    # ---- loops ------------------------------------------------------------------------

    def _loops(self, groups: Sequence[Group]) -> list[LoopTask]:
        made: dict[object, LoopTask] = {}
        for group in groups:
            (node,) = group.roots
            op = node.op
            assert isinstance(op, Loop)
            key = (op.body, node.inputs)
            if key not in self._made_loops:
                self._made_loops[key] = self._loop(node)
            made[key] = self._made_loops[key]
            self.memories_of_loop(node, made[key])
        return list(made.values())

    def memories_of_loop(self, node: Node, task: LoopTask) -> None:
        op = node.op
        assert isinstance(op, Loop)
        target = self.roots.get(node)
        place = task.writes[op.result]
        if target is not None and target != place:
            raise AssertionError("the result of a loop is written in its own place")
        self.roots[node] = place

    def _loop(self, node: Node) -> LoopTask:
        """Carried values in memory of their own, the body a unit that overwrites them."""
        op = node.op
        assert isinstance(op, Loop)
        opened, count = op.body.open(), len(op.body.carries)
        label = self.memories.name("loop")
        index = self.build.apply(LoopIndex(label, op.body.count))
        carries = [
            self.build.apply(LoopCarry(label, i, t.shape, t.elem))
            for i, t in enumerate(op.body.carries)
        ]
        places = [
            self.memories.add(f"{label}_carried", carry.type, "temporary") for carry in carries
        ]
        place = self.memories.add(f"{label}_index", index.type, "temporary")
        self.memories.placed |= {index: place, **dict(zip(carries, places, strict=True))}
        self.memories.pinned |= {place}
        table: dict[Node, Node] = {opened.index: index}
        table |= zip(opened.carries, carries, strict=True)
        table |= zip(opened.captures, node.inputs[count:], strict=True)
        for part in postorder(opened.results):
            if part not in table:
                operands = [table[source] for source in part.inputs]
                table[part] = self.build.apply(part.op, *operands)
        saved = set(self.memories.placed)
        self.memories.placed |= self.roots
        before = self.inner({str(i): n for i, n in enumerate(node.inputs[:count])}, places)
        after = self.inner({str(i): table[r] for i, r in enumerate(opened.results)}, places)
        body = [*after.steps(), Stage((counting(f"{label}_next", place),))]
        first = before.steps()
        for made in self.roots:  # what lies there only while this unit runs
            if made not in saved:
                del self.memories.placed[made]
        steps = (*first, Repeated(op.body.count, place, tuple(body)))
        reads = frozenset(_reads(steps)) - set(places) - {place}
        return LoopTask(steps, reads, tuple(places))

    def inner(self, outputs: Mapping[str, Node], places: Sequence[str]) -> Unit:
        """A unit that reads what this one has in memory."""
        targets = dict(zip(outputs, places, strict=True))
        numbers = host_numbers(outputs.values())
        return Unit(
            *(self.build, self.memories, outputs, targets, numbers),
            prefix=self.prefix,
            batch=self.batch,
        )

    # ---- order ------------------------------------------------------------------------

    def _conflicts(self, tasks: Sequence[TaskText | LoopTask]) -> set[str]:
        """Places that a task overwrites and reads elsewhere."""
        found: set[str] = set()
        for task in tasks:
            if isinstance(task, TaskText):
                for name in task.writes:
                    for node, at in task.reads.get(name, ()):
                        if at != task.at or node.type.shape != task.roots[0].type.shape:
                            found.add(name)
        return found - self.apart

    def _edges(self, tasks: Sequence[TaskText | LoopTask]) -> list[dict[int, bool]]:
        """What each task waits for, and whether only for its own sample."""
        made = {name: i for i, task in enumerate(tasks) for name in task.writes}
        new = {(name, root) for root, name in self.roots.items()}
        edges: list[dict[int, bool]] = [{} for _ in tasks]

        def add(later: int, earlier: int, own: bool) -> None:
            edges[later][earlier] = edges[later].get(earlier, True) and own

        for i, task in enumerate(tasks):
            for name, nodes in _reading(task).items():
                writer = made.get(name)
                if writer is None or writer == i:
                    continue
                own = _own(task, tasks[writer], name)
                old = nodes is not None and not any((name, n) in new for n in nodes)
                if old:
                    add(writer, i, own)
                else:
                    add(i, writer, own)
                    if nodes is not None and any((name, n) not in new for n in nodes):
                        add(writer, i, own)
        return edges

    def _loose(self, tasks: Sequence[TaskText | LoopTask]) -> set[tuple[Node, ...]]:
        """Tasks that are written sample by sample for nothing."""
        own = [t for t in tasks if isinstance(t, TaskText) and t.sample is not None]
        wide = {t.roots for t in own if t.count > chains.PARTS[t.precision]}
        if wide:
            return wide
        kept = chains.kept(len(tasks), _dots(tasks), self._edges(tasks))
        worth = {id(tasks[i]) for i in kept}
        return {t.roots for t in own if id(t) not in worth}

    def _stuck(self, tasks: Sequence[TaskText | LoopTask], stuck: set[int]) -> set[str]:
        """The carried places that tasks which wait for each other overwrite."""
        held = set(self.targets.values())
        names = {name for i in stuck for name in tasks[i].writes if name in held} - self.apart
        if not names:
            raise AssertionError("the tasks of a unit wait for each other")
        return names

    def _staged(
        self, tasks: Sequence[TaskText | LoopTask], levels: Sequence[tuple[int, int]]
    ) -> list[Step]:
        found: list[Step] = []
        for level in range(max((at for at, _ in levels), default=-1) + 1):
            texts: list[TaskText] = []
            chain: dict[int, list[TaskText]] = {}
            loops: list[LoopTask] = []
            for task, (at, place) in zip(tasks, levels, strict=True):
                if at != level:
                    continue
                if isinstance(task, LoopTask):
                    loops.append(task)
                elif task.sample is None:
                    texts.append(task)
                else:
                    chain.setdefault(place, []).append(task)
            if texts or chain:
                groups = tuple(tuple(chain[place]) for place in sorted(chain))
                found.append(Stage(tuple(texts), groups))
            for loop in loops:
                found.extend(loop.steps)
        return found


def _dots(tasks: Sequence[TaskText | LoopTask]) -> list[bool]:
    """Which tasks multiply on tensor cores."""
    return [isinstance(t, TaskText) and t.precision for t in tasks]


def _own(task: TaskText | LoopTask, other: TaskText | LoopTask, name: str) -> bool:
    """Whether a task reads of a memory that another one writes only what belongs to its sample."""
    if isinstance(task, LoopTask) or isinstance(other, LoopTask):
        return False
    if task.sample is None or other.sample is None:
        return False
    batch = (task.sample.size,)
    places = task.reads[name]
    return all(n.type.shape[:1] == batch and at[0] == task.sample for n, at in places)


def _reading(task: TaskText | LoopTask) -> dict[str, set[Node] | None]:
    """The memories that a task reads, with the nodes it means by them (None: what was made)."""
    if isinstance(task, LoopTask):
        return dict.fromkeys(sorted(task.reads))
    return {name: {n for n, _ in places} for name, places in task.reads.items() if places}


def _reads(steps: Sequence[Step]) -> set[str]:
    found: set[str] = set()
    for step in steps:
        match step:
            case Stage():
                found.update(name for task in step.all for name in task.memories)
            case Repeated(steps=inner):
                found |= _reads(inner)
    return found


def counting(name: str, index: str) -> TaskText:
    """The task that counts up the index of a loop."""
    line = f"tl.store({index}_ptr, tl.load({index}_ptr) + 1)"
    return TaskText(
        name=name,
        roots=(),
        lines=(line,),
        memories=(index,),
        sizes=(),
        constants={},
        programs="1",
        count=1,
        precision=False,
        reads={},
        writes=(index,),
        inlined=(),
        slow=(),
        folds=False,
    )


def host_numbers(roots: Sequence[Node] | object) -> set[Node]:
    """Nodes that need no device: constants, hyperparameters, the step, and what is computed from
    them alone; tensors that hold one such number everywhere."""
    found: set[Node] = set()
    for node in postorder(roots):  # type: ignore[arg-type]
        match node.op:
            case Const() | Truth() | SizeValue() | Index() | Pi():
                found.add(node)
            case Input(kind="hyper" | "step"):
                found.add(node)
            case op if pointwise(op) or isinstance(op, (IndexAffine, Broadcast)):
                if node.inputs and all(source in found for source in node.inputs):
                    found.add(node)
            case _:
                pass
    return found
