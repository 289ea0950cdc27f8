"""Reverse-mode differentiation on the graph.

In: a builder, a scalar real node, and the nodes to differentiate by. Out: one node per variable, of
its type; a zero tensor where no gradient flows. Only nodes that lie between the variables and the
loss are visited, so a gradient graph holds nothing that does not flow into a result. The result is
an ordinary graph: it can be differentiated again.
"""

from __future__ import annotations

from collections.abc import Sequence

from gendsl.diagnostics.model import Diagnostic, GendslError, Label
from gendsl.ir.build import const, zeros
from gendsl.ir.graph import Builder, Node, reachable
from gendsl.ir.op import NotDifferentiable
from gendsl.ops.arithmetic import Add
from gendsl.shape.tensor_type import Real


def gradients(build: Builder, loss: Node, wrt: Sequence[Node]) -> list[Node]:
    """The derivatives of the scalar `loss` by each of `wrt`."""
    found = cotangents(build, loss, wrt)
    return [found.get(v) or zeros(build, v.type) for v in wrt]


def flows(build: Builder, loss: Node, wrt: Sequence[Node]) -> list[bool]:
    """For each of `wrt`, whether any gradient flows: False means zero by structure alone."""
    found = cotangents(build, loss, wrt)
    return [v in found for v in wrt]


def cotangents(build: Builder, loss: Node, wrt: Sequence[Node]) -> dict[Node, Node]:
    """The derivatives of `loss` by those of `wrt` that gradient flows to."""
    if loss.type.shape or not isinstance(loss.type.elem, Real):
        raise ValueError(f"a gradient is taken of a real scalar, not of {loss.type}")
    between = _depend(reachable([loss]), set(wrt))
    sums: dict[Node, Node] = {loss: const(build, 1)} if loss in between else {}
    kept: dict[Node, Node] = {}
    for node in sorted(between, key=lambda n: -n.id):
        cotangent = sums.pop(node, None)
        if cotangent is None:
            continue
        kept[node] = cotangent
        if not any(source in between for source in node.inputs):
            continue
        for source, part in zip(node.inputs, _pull(build, node, cotangent), strict=True):
            if part is None or source not in between:
                continue
            if part.type != source.type:
                raise TypeError(f"{node.op.name}: cotangent {part.type} of {source.type}")
            earlier = sums.get(source)
            sums[source] = part if earlier is None else build.apply(Add(), earlier, part)
    return {v: kept[v] for v in wrt if v in kept}


def _depend(nodes: Sequence[Node], variables: set[Node]) -> set[Node]:
    """Those of the nodes (in topological order) that are or read a variable."""
    found: set[Node] = set()
    for node in nodes:
        real = isinstance(node.type.elem, Real)
        if real and (node in variables or any(source in found for source in node.inputs)):
            found.add(node)
    return found


def _pull(build: Builder, node: Node, cotangent: Node) -> Sequence[Node | None]:
    span = build.spans.get(node)
    before = len(build)
    try:
        parts = node.op.gradient(build, node, cotangent)
    except NotDifferentiable as problem:
        raise GendslError(_not_differentiable(build, node, problem)) from problem
    if span is not None:
        _inherit(build, parts, before, span_of=node)
    return parts


def _inherit(build: Builder, parts: Sequence[Node | None], before: int, *, span_of: Node) -> None:
    """Nodes made for a gradient point at the place of the node they differentiate."""
    stack = [p for p in parts if p is not None]
    while stack:
        part = stack.pop()
        if part.id >= before and part not in build.spans:
            build.spans[part] = build.spans[span_of]
            stack.extend(part.inputs)


def _not_differentiable(build: Builder, node: Node, problem: NotDifferentiable) -> Diagnostic:
    span = build.spans.get(node)
    name = build.names.get(node)
    subject = f"`{name}`, a `{node.op.name}`," if name else f"`{node.op.name}`"
    return Diagnostic(
        "E0701",
        f"no gradient flows through {subject}: {problem}",
        Label(span, "the gradient would have to pass through this") if span else None,
        help="put `stop_grad(...)` around it if no gradient is meant to flow",
    )
