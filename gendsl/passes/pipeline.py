"""The passes between differentiation and planning, by name.

In: a step graph, or output nodes by name, and which passes to run (`none`, `all`, or names joined
by commas). Out: an equal one. Every pass takes a valid graph to a valid graph; with `verify` the
rules of `gendsl.ir.verify` are checked after each.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from gendsl.ir.graph import Builder, Node, reachable
from gendsl.ir.step import OptimizerGroup, StepGraph
from gendsl.ir.verify import require, verify_nodes
from gendsl.ops.arithmetic import StopGrad, StraightThrough
from gendsl.passes.share import share
from gendsl.passes.simplify import simplify
from gendsl.passes.slopes import slopes

Table = Mapping[Node, Node]


@dataclass(frozen=True)
class Pass:
    """Takes roots to equal nodes, in the same builder or in another."""

    name: str
    about: str
    run: Callable[[Builder, Sequence[Node]], tuple[Builder, Table]]


def forget_gradients(build: Builder, roots: Sequence[Node]) -> tuple[Builder, Table]:
    """`stop_grad(x)` is x and `straight_through(z, q)` is q, once gradients have been taken."""
    table: dict[Node, Node] = {}
    for node in reachable(roots):
        operands = [table[source] for source in node.inputs]
        match node.op:
            case StopGrad():
                table[node] = operands[0]
            case StraightThrough():
                table[node] = operands[1]
            case _:
                table[node] = build.apply(node.op, *operands, span=build.spans.get(node))
        if node in build.names:
            build.names.setdefault(table[node], build.names[node])
    return build, table


def _simplify(build: Builder, roots: Sequence[Node]) -> tuple[Builder, Table]:
    return build, simplify(build, roots)


PASSES = (
    Pass("values", "forget where gradients were stopped", forget_gradients),
    Pass("slopes", "derivatives of smooth units as ops of their own", slopes),
    Pass("simplify", "algebraic rules to a fixed point", _simplify),
    Pass("share", "drop what is not reached", share),
)


def select(text: str) -> tuple[Pass, ...]:
    """The passes that `none`, `all` or `a,b` names, in the order of the pipeline; raises
    `ValueError` for an unknown name."""
    if text in ("none", ""):
        return ()
    if text == "all":
        return PASSES
    wanted = {name.strip() for name in text.split(",")}
    known = [p.name for p in PASSES]
    if unknown := sorted(wanted.difference(known)):
        raise ValueError(f"no pass is named {unknown[0]}; there are {', '.join(known)}")
    return tuple(p for p in PASSES if p.name in wanted)


def transform(
    build: Builder, roots: Sequence[Node], passes: Sequence[Pass] = PASSES, *, verify: bool = False
) -> tuple[Builder, dict[Node, Node]]:
    """The passes one after the other: the builder of the results, and where each root went."""
    where = {root: root for root in roots}
    for chosen in passes:
        build, table = chosen.run(build, list(where.values()))
        where = {root: table[node] for root, node in where.items()}
        if verify:
            require(verify_nodes(list(where.values())), after=chosen.name)
    return build, where


def transform_step(
    step: StepGraph, passes: Sequence[Pass] = PASSES, *, verify: bool = False
) -> StepGraph:
    """The step after the passes."""
    roots = [*step.metrics.values(), *step.updates.values()]
    for group in step.groups:
        roots += [group.lr, *group.gradients, *([group.count] if group.count else [])]
        roots += [node for row in (*group.before, *group.after) for node in row]
    build, where = transform(step.builder, roots, passes, verify=verify)
    groups = tuple(_moved(group, where) for group in step.groups)
    return replace(
        step,
        builder=build,
        metrics={name: where[node] for name, node in step.metrics.items()},
        updates={key: where[node] for key, node in step.updates.items()},
        groups=groups,
    )


def _moved(group: OptimizerGroup, where: Table) -> OptimizerGroup:
    return replace(
        group,
        lr=where[group.lr],
        gradients=tuple(where[node] for node in group.gradients),
        count=where[group.count] if group.count else None,
        before=tuple(tuple(where[node] for node in row) for row in group.before),
        after=tuple(tuple(where[node] for node in row) for row in group.after),
    )


def transform_outputs(
    build: Builder,
    outputs: Mapping[str, Node],
    passes: Sequence[Pass] = PASSES,
    *,
    verify: bool = False,
) -> dict[str, Node]:
    """The outputs after the passes."""
    _, where = transform(build, list(outputs.values()), passes, verify=verify)
    return {name: where[node] for name, node in outputs.items()}
