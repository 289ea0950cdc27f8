"""Gradient claims: equality and independence of gradients by parameter group, and training steps.

In: claim bodies about `grad(value, group)`. Out: an `Outcome`. A gradient that no path reaches is
zero by structure; others are compared as directional derivatives along an arbitrary direction of
the group's parameters, which is equality parameter by parameter: one subgoal, "gradient", for each
alternative of the hypotheses.
"""

from __future__ import annotations

from collections.abc import Sequence

from gendsl.core import claim as c
from gendsl.ir.graph import Builder, Node, ParamInfo
from gendsl.ir.rewrite import substitute
from gendsl.ops.arithmetic import Add, Mul, Sub
from gendsl.ops.broadcast import fill
from gendsl.ops.leaf import Input
from gendsl.passes.differentiate import gradients
from gendsl.prove.case import Case, Outcome
from gendsl.prove.derive import Tangents, reaches
from gendsl.prove.kernel import normal as n
from gendsl.prove.kernel import rules as r
from gendsl.prove.kernel.term import ONE, ZERO, Poly
from gendsl.prove.props import Comparison, IllPosed
from gendsl.prove.reading import Reading, Sequent, readings
from gendsl.prove.refute import refute_gradients
from gendsl.prove.subgoal import Scope, Subgoal

Row = tuple[int, c.GradTerm]


def grad_equal(case: Case, prop: c.GradEqual) -> Outcome:
    """The two sums of gradients agree, for every parameter of the group."""
    if len({t.group for t in (*prop.left, *prop.right)}) != 1:
        raise IllPosed("gradients of several groups are compared")
    rows: list[Row] = [(1, t) for t in prop.left] + [(-1, t) for t in prop.right]
    live = [t for _, t in rows if t.value in reaches(t.value, group_params(case, t.group))]
    failing = _refuted(case, prop) if live else None
    if failing is not None:
        return failing
    subgoals: list[Subgoal] = []
    for given in case.given:
        found = _show(case, rows, given)
        if found is None:
            return Outcome("unknown", goal="the two gradients were not shown equal")
        subgoals.append(found)
    return Outcome("proved", laws=("chain rule",), subgoals=tuple(subgoals))


def grad_independent(case: Case, value: Node, group: str, variable: Node) -> Outcome:
    """The gradient is the same for any other value of the variable."""
    if not isinstance(variable.op, Input):
        raise IllPosed("independence of something that is not a variable")
    build, op = case.graph.builder, variable.op
    new = build.apply(Input(op.kind, f"{op.key}'", op.shape, op.elem))
    moved = substitute(build, [value], {variable: new})[0]
    return grad_equal(case, c.GradEqual((c.GradTerm(value, group),), (c.GradTerm(moved, group),)))


def _refuted(case: Case, prop: c.GradEqual) -> Outcome | None:
    """A point where the gradients of the graph that trains differ."""
    group = next(t.group for t in (*prop.left, *prop.right))
    paths = sorted(group_params(case, group))
    build = case.graph.builder
    sides = [
        _nodes(build, terms, [case.graph.params[p] for p in paths])
        for terms in (prop.left, prop.right)
    ]
    return refute_gradients(case, sides, paths, range(8, 14))


def _nodes(
    build: Builder, terms: Sequence[c.GradTerm], params: Sequence[ParamInfo]
) -> list[Node | None]:
    """The sum of gradients for each parameter, as the training graph computes it."""
    leaves = [build.apply(Input("param", p.path, p.shape)) for p in params]
    total: list[Node | None] = [None] * len(leaves)
    for t in terms:
        for k, g in enumerate(gradients(build, t.value, leaves)):
            part = g if t.factor is None else build.apply(Mul(), g, fill(build, t.factor, g))
            before = total[k]
            total[k] = part if before is None else build.apply(Add(), before, part)
    return total


def group_params(case: Case, group: str) -> frozenset[str]:
    found = frozenset(p.path for p in case.graph.params.values() if p.group == group)
    if not found:
        raise IllPosed(f"no parameters belong to {group}")
    return found


def _show(case: Case, rows: Sequence[Row], given: tuple[Comparison, ...]) -> Subgoal | None:
    live = [(s, t, reaches(t.value, group_params(case, t.group))) for s, t in rows]
    live = [(s, t, active) for s, t, active in live if t.value in active]
    if not live:  # no path: each derivative is 0 by its definition
        zero = r.linear("eq", ZERO, ())
        roots = tuple(t.value for _, t in rows)
        return Subgoal("gradient", given, zero, (), roots, term=(ZERO, ()))
    values = [t.value for _, t, _ in live]
    probe = values[0]
    for v in values[1:]:
        probe = case.graph.builder.apply(Sub(), probe, v)
    sequent = Sequent(given, Comparison("eq", probe, probe, probe))
    for reading in readings(sequent, case.setting):
        if case.setting.expired():
            break
        try:
            found = _attempt(case, live, given, reading)
        except (n.KernelError, RecursionError):
            continue
        if found is not None:
            return found
    return None


def _attempt(
    case: Case,
    live: Sequence[tuple[int, c.GradTerm, frozenset[Node]]],
    given: tuple[Comparison, ...],
    reading: Reading,
) -> Subgoal | None:
    """The sum of derivatives along an arbitrary direction is 0. Nodes of the reading are variables,
    and so are their derivatives where a gradient reaches the group through them."""
    reader = case.setting.reader(reading.opaque)
    total: Poly = ZERO
    for sign, t, active in live:
        seeds = {x: f"d%{x.id}" for x in reading.opaque if x in active}
        slope = Tangents(reader, active, seeds).of(t.value, ())
        factor = ONE if t.factor is None else reader.real(t.factor)
        total = n.add(total, n.scale(n.mul(factor, slope), sign))
    roots = tuple(x for _, t, _ in live for x in (t.value, t.factor) if x is not None)
    scope = Scope(case.setting, given, roots, reading.opaque)
    return scope.show("gradient", ("eq", total), reader, (), (total, ()))


def leaves(case: Case, objective: str, group: str) -> Outcome:
    """The steps of an objective update only the groups that they name."""
    recipe = case.interface.recipe
    steps = [s for s in (recipe.steps_lines if recipe else ()) if s.objective == objective]
    if not steps:
        raise IllPosed(f"no training step minimizes {objective}")
    if not any(group in s.groups for s in steps):
        return Outcome("proved", laws=("a step updates the groups that it names",))
    loss = case.graph.objectives[objective].loss
    still = grad_equal(case, c.GradEqual((c.GradTerm(loss, group),)))
    if still.verdict == "refuted":
        return still
    return Outcome("unknown", goal=f"the step of {objective} updates {group}")
