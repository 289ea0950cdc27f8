"""The joint graph of one training step: losses, gradients, optimizer updates, states, averages.

In: a program's graph and its recipe. Out: a `StepGraph` over the same builder; `initial` gives the
first values of everything it carries. The step lines run in order, `times n` repeated: a later one
reads the values that the earlier ones made. Always: the keys of `updates` are all that a step
carries over (parameters, also untrained ones, slots, states, shadow weights), and the keys of
`initial` are the same; repeated draws have different paths and therefore different values.

Note [Counts and slots]: an optimizer counts its updates of a parameter, from 1. Lines with equal
optimizers share a parameter's slots and count; lines with different ones have slots of their own
("m@2:encoder.h.w" for the second optimizer), since moments under two rules do not mix.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction

from gendsl.core.program import OptimizerSpec, Recipe, RecipeStep
from gendsl.ir.build import add, const, mul, neg, zeros
from gendsl.ir.graph import Builder, Graph, Node, ObjectiveGraph, ParamInfo
from gendsl.ir.op import NodeType, Op
from gendsl.ir.rewrite import rebuilt
from gendsl.ir.step import OptimizerGroup, StepGraph
from gendsl.ops.leaf import Draw, Input
from gendsl.ops.loop import Loop
from gendsl.passes.differentiate import gradients
from gendsl.passes.optim import Stored, averaged, clipped, options_of, slots_of, update

SpecKey = tuple[str, tuple[tuple[str, Fraction], ...]]


def step_input(build: Builder) -> Node:
    """The number of the step, from 0, as a real scalar."""
    return build.apply(Input("step", "step"))


def param_input(build: Builder, info: ParamInfo) -> Node:
    """The stored tensor of a parameter."""
    return build.apply(Input("param", info.path, info.shape))


def substitute(
    build: Builder, roots: Sequence[Node], values: Mapping[Node, Node], repeat: int = 0
) -> dict[Node, Node]:
    """Every node below `roots` with inputs replaced by `values`; in repetition `repeat` > 0 the
    draws get paths of their own."""
    return rebuilt(build, roots, values, lambda op: _repeated(op, repeat) if repeat else op)


def _repeated(op: Op, repeat: int) -> Op:
    """The op in a repetition: draws, those in loops too, get paths of their own."""
    match op:
        case Draw(path=path):
            return replace(op, path=f"{path}#{repeat}")
        case Loop(body=body):
            parts = tuple(replace(i, op=_repeated(i.op, repeat)) for i in body.instructions)
            return replace(op, body=replace(body, instructions=parts))
        case _:
            return op


def _spec_key(spec: OptimizerSpec) -> SpecKey:
    return spec.name, tuple(sorted(options_of(spec).items()))


def _trained(graph: Graph, line: RecipeStep) -> list[ParamInfo]:
    return [info for info in graph.params.values() if info.group in line.groups]


@dataclass
class _Uses:
    """How a recipe trains each parameter: its optimizers, and how often each updates it a step."""

    counts: dict[str, dict[SpecKey, int]] = field(default_factory=dict)

    @staticmethod
    def of(graph: Graph, recipe: Recipe) -> _Uses:
        uses = _Uses()
        for line in recipe.steps_lines:
            for info in _trained(graph, line):
                table = uses.counts.setdefault(info.path, {})
                key = _spec_key(line.optimizer)
                table[key] = table.get(key, 0) + line.times
        return uses

    def slots(self, path: str, spec: OptimizerSpec) -> tuple[str, ...]:
        """The names of the slots of `path` under `spec`: "m", or "m@2" for its second optimizer."""
        place = list(self.counts[path]).index(_spec_key(spec)) + 1
        return tuple(slot if place == 1 else f"{slot}@{place}" for slot in slots_of(spec))


def initial(graph: Graph, recipe: Recipe) -> Mapping[str, Node]:
    """The value before the first step, by the keys of `StepGraph.updates`."""
    build, uses = graph.builder, _Uses.of(graph, recipe)
    values: dict[str, Node] = {f"param:{path}": graph.inits[path] for path in graph.params}
    for line in recipe.steps_lines:
        for info in _trained(graph, line):
            zero = zeros(build, NodeType(info.shape))
            for slot in uses.slots(info.path, line.optimizer):
                values[f"slot:{slot}:{info.path}"] = zero
    values |= {f"state:{name}": node for name, node in graph.states.items()}
    if recipe.ema is not None:
        values |= {f"ema:{path}": graph.inits[path] for path in graph.params if path in uses.counts}
    return values


@dataclass
class _Joint:
    """The step under construction. `current` maps inputs to what they hold by now."""

    graph: Graph
    recipe: Recipe
    uses: _Uses
    current: dict[Node, Node] = field(default_factory=dict)
    metrics: dict[str, Node] = field(default_factory=dict)
    groups: list[OptimizerGroup] = field(default_factory=list)
    done: dict[tuple[str, SpecKey], int] = field(default_factory=dict)
    runs: dict[str, int] = field(default_factory=dict)
    slots: dict[str, Node] = field(default_factory=dict)

    @property
    def build(self) -> Builder:
        return self.graph.builder

    def now(self, node: Node) -> Node:
        return self.current.get(node, node)

    def scheduled(self) -> None:
        """Scheduled hyperparameters are their schedules from the start."""
        build = self.build
        for name in self.recipe.schedules:
            if name != "lr":
                hyper = build.apply(Input("hyper", name))
                self.current[hyper] = self.graph.schedules[name]

    def rate(self, spec: OptimizerSpec) -> Node:
        if "lr" in self.recipe.schedules:
            return self.graph.schedules["lr"]
        return const(self.build, options_of(spec)["lr"])

    def line(self, line: RecipeStep) -> None:
        build, objective = self.build, self.graph.objectives[line.objective]
        trained = _trained(self.graph, line)
        loss = objective.loss
        if line.maximize or objective.sense == "maximize":
            loss = neg(build, loss)
        slopes = gradients(build, loss, [param_input(build, info) for info in trained])
        for info, slope in zip(trained, slopes, strict=True):
            if slope.inputs:
                build.names.setdefault(slope, f"grad.{info.path}")
        for _ in range(line.times):
            self._once(line, objective, trained, slopes)

    def _once(
        self,
        line: RecipeStep,
        objective: ObjectiveGraph,
        trained: Sequence[ParamInfo],
        slopes: Sequence[Node],
    ) -> None:
        repeat = self.runs.get(objective.name, 0)
        self.runs[objective.name] = repeat + 1
        roots = [objective.loss, *objective.terms.values(), *objective.updates.values(), *slopes]
        table = substitute(self.build, roots, self.current, repeat)
        self.metrics[objective.name] = table[objective.loss]
        for name, term in objective.terms.items():
            self.metrics[f"{objective.name}.{name}"] = table[term]
            self.build.names.setdefault(table[term], name)
        self.build.names.setdefault(table[objective.loss], objective.name)
        found: tuple[Node, ...] = tuple(table[slope] for slope in slopes)
        if self.recipe.clip is not None:
            found = clipped(self.build, found, self.recipe.clip)
        self._train(line, trained, found)
        for name, node in objective.updates.items():
            self.current[self.state_input(name)] = table[node]

    def _train(self, line: RecipeStep, trained: Sequence[ParamInfo], found: Sequence[Node]) -> None:
        """Update the parameters, in groups of equal count and slots."""
        spec = line.optimizer
        alike: dict[tuple[Node, tuple[str, ...]], list[tuple[ParamInfo, Node]]] = {}
        for info, gradient in zip(trained, found, strict=True):
            key = self._count(info.path, spec), self.uses.slots(info.path, spec)
            alike.setdefault(key, []).append((info, gradient))
        for (count, slots), members in alike.items():
            rows = [self._update(info, spec, count, slots, slope) for info, slope in members]
            self.groups.append(
                OptimizerGroup(
                    rule=spec.name,
                    options={name: float(value) for name, value in options_of(spec).items()},
                    lr=self.rate(spec),
                    parameters=tuple(f"param:{info.path}" for info, _ in members),
                    gradients=tuple(gradient for _, gradient in members),
                    count=count,
                    before=tuple(before for before, _ in rows),
                    after=tuple(after for _, after in rows),
                    slots=slots,
                )
            )

    def _update(
        self,
        info: ParamInfo,
        spec: OptimizerSpec,
        count: Node,
        slots: tuple[str, ...],
        gradient: Node,
    ) -> tuple[tuple[Node, ...], tuple[Node, ...]]:
        """Value and slots of one parameter before and after."""
        build = self.build
        inputs = [param_input(build, info)]
        for slot in slots:
            node = build.apply(Input("slot", f"{slot}:{info.path}", info.shape))
            self.slots[f"slot:{slot}:{info.path}"] = node
            inputs.append(node)
        value, *kept = (self.now(node) for node in inputs)
        new = update(build, spec, self.rate(spec), count, Stored(value, tuple(kept)), gradient)
        build.names.setdefault(new.value, f"{info.path}.new")
        made = (new.value, *new.slots)
        self.current |= dict(zip(inputs, made, strict=True))
        return (value, *kept), made

    def _count(self, path: str, spec: OptimizerSpec) -> Node:
        """The number of the coming update of a parameter; see Note [Counts and slots]."""
        key = _spec_key(spec)
        number = self.done.get((path, key), 0) + 1
        self.done[path, key] = number
        each = self.uses.counts[path][key]
        step = step_input(self.build)
        count = add(self.build, step if each == 1 else mul(self.build, step, each), number)
        self.build.names.setdefault(count, "count")
        return count

    def state_input(self, name: str) -> Node:
        type_ = self.graph.states[name].type
        return self.build.apply(Input("state", name, type_.shape, type_.elem))

    def finish(self) -> StepGraph:
        build, updates = self.build, {}
        for path, info in self.graph.params.items():
            updates[f"param:{path}"] = self.now(param_input(build, info))
        for key, node in self.slots.items():
            updates[key] = self.now(node)
        for name in self.graph.states:
            updates[f"state:{name}"] = self.now(self.state_input(name))
        if self.recipe.ema is not None:
            for path in self.uses.counts:
                info = self.graph.params[path]
                shadow = build.apply(Input("ema", path, info.shape))
                value = updates[f"param:{path}"]
                updates[f"ema:{path}"] = averaged(build, self.recipe.ema, shadow, value)
        return StepGraph(build, self.metrics, updates, tuple(self.groups))


def joint(graph: Graph, recipe: Recipe) -> StepGraph:
    """One training step of `recipe` as a graph."""
    state = _Joint(graph, recipe, _Uses.of(graph, recipe))
    state.scheduled()
    for line in recipe.steps_lines:
        state.line(line)
    return state.finish()
