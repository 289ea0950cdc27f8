"""Lower a checked program: one graph with objectives, samplers, parameters, states, schedules.

Nothing here can fail for a reason the user should know, except strides and kernel sizes that stay
symbolic (E0415) and parameters whose shape mentions a batch size (E0503).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from gendsl.core.claim import Claim
from gendsl.core.program import Program
from gendsl.core.show import plain
from gendsl.core.term import FnDef, Term
from gendsl.ir.build import broadcast_to
from gendsl.ir.graph import Builder, Graph, Node, ObjectiveGraph, SamplerGraph, Show
from gendsl.lower.calls import run
from gendsl.lower.claims import lower_claim
from gendsl.lower.environment import Env
from gendsl.lower.terms import Lowering
from gendsl.ops import leaf
from gendsl.shape.dim import Dim
from gendsl.shape.tensor_type import Axis, TensorType


@dataclass(frozen=True)
class Lowered:
    """The graph, and the claims over its nodes."""

    graph: Graph
    claims: tuple[Claim, ...] = field(default_factory=tuple)


def lower(program: Program) -> Lowered:
    """The graph of a program and its claims."""
    build = Builder()
    batch = frozenset(n for n, d in program.interface.dims.items() if d.kind == "batch")
    root = Env(batch=batch)
    lowering = Lowering(build, root=root)
    lowering.positive = {n for n, p in program.params.items() if p.positive}
    for name, term in program.constants.items():
        shape = root.shape(program.value_types[name].items)
        lowering.constants[name] = broadcast_to(build, lowering.lower(term, root), shape)
    for name, param in program.params.items():
        shape = root.shape(param.type.items)
        lowering.register(name, name, shape, param.positive, param.init, root, param.span)
    states = {
        n: broadcast_to(build, lowering.lower(term, root), root.shape(program.value_types[n].items))
        for n, term in program.states.items()
    }
    objective_envs = {n: root.inner(draws=n) for n in program.objectives}
    objectives = {
        n: _objective(n, program, lowering, objective_envs[n]) for n in program.objectives
    }
    samplers = {n: _sampler(d, lowering, root) for n, d in program.samplers.items()}
    schedules = {
        n: lowering.lower(term, root.inner(draws=f"schedule.{n}"))
        for n, term in program.schedules.items()
    }
    for name in schedules:
        _no_draws(name, schedules[name])
    graph = Graph(
        build,
        objectives,
        samplers,
        lowering.params,
        lowering.inits,
        states,
        schedules,
        dict(lowering.constants),
    )
    claims = tuple(lower_claim(c, lowering, objective_envs) for c in program.claims)
    return Lowered(graph, claims)


def _no_draws(name: str, node: Node) -> None:
    assert not isinstance(node.op, leaf.Draw), f"schedule {name} draws"


def _objective(name: str, program: Program, lowering: Lowering, env: Env) -> ObjectiveGraph:
    definition = program.objectives[name]

    def all_of(terms: Mapping[str, Term]) -> dict[str, Node]:
        return {n: lowering.lower(term, env) for n, term in terms.items()}

    terms = all_of(definition.terms)
    loss = lowering.lower(definition.loss, env)
    shows = {
        n: Show(lowering.lower(s.term, env), s.range, image_sizes(s.term.type, env))
        for n, s in definition.shows.items()
    }
    updates = {
        n: broadcast_to(lowering.build, node, env.shape(program.value_types[n].items))
        for n, node in all_of(definition.updates).items()
    }
    return ObjectiveGraph(
        name, loss, definition.sense, terms, all_of(definition.scope), shows, updates
    )


def _sampler(definition: FnDef, lowering: Lowering, root: Env) -> SamplerGraph:
    signature = definition.signature
    sizes = {name: Dim.name(plain(name)) for name, _ in signature.sizes}
    defaults = {plain(n): d for n, d in signature.sizes if d is not None}
    example = plain(signature.sizes[0][0]) if signature.sizes else ""
    env = root.inner(draws=signature.name, dims=sizes, batch=frozenset({example}))
    inputs: dict[str, Node] = {}
    for formal in signature.formals:
        type_ = env.node_type(formal.type)
        inputs[formal.name] = lowering.build.apply(
            leaf.Input("argument", formal.name, type_.shape, type_.elem)
        )
    env = env.inner(args=inputs)
    results = run(lowering, definition, env)
    names = signature.result_names or ("",)
    outputs = {
        n: Show(node, type_.range, image_sizes(type_, env))
        for n, node, type_ in zip(names, results, signature.results, strict=True)
    }
    given = {
        f.name: f.default
        for f in signature.formals
        if f.default is not None and not isinstance(f.default, bool)
    }
    count = defaults[example].constant if example in defaults else None
    ranges = {f.name: f.type.range for f in signature.formals if f.type.range is not None}
    return SamplerGraph(
        signature.name, example, count or 64, inputs, outputs, given, defaults, ranges
    )


def image_sizes(type_: TensorType, env: Env) -> tuple[Dim, Dim, Dim] | None:
    """The sizes (C, H, W) of one example when the type is an image: a group of three factors, or
    three axes, after the example axis."""
    rest = type_.items[1:]
    if len(rest) == 1 and isinstance(rest[0], Axis) and len(rest[0].factors) == 3:
        c, h, w = (env.dim(f.size) for f in rest[0].factors)
        return c, h, w
    if len(rest) == 3 and all(isinstance(i, Axis) for i in rest):
        c, h, w = env.shape(rest)
        return c, h, w
    return None
