"""Lipschitz claims, rebuilt as comparisons of norms; written from their meaning.

In: a claim whose proposition or hypotheses say `lipschitz(e, x, norm) <= L`. Out: its duties. As a
proposition: |e(x') - e(x)| <= L |x' - x| from the hypotheses at x and x'. As a hypothesis: L >= 0
and the inequality at pairs of points that occur: x' and x, and the operands of each two calls of an
opaque net, if e is one applied to x.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from .node_text import Node, Op, Type, below, read_attributes
from .obligation import Claim, Comparison, Conjunction, Duty
from .sizes import Malformed

Record = Mapping[str, Any]


def mentioned(claim: Claim) -> bool:
    """Whether the claim is about a Lipschitz constant."""
    props = [*_conjuncts(claim.given), claim.body.get("prop", {"is": ""})]
    return any(p["is"] == "Lipschitz" for p in props)


def duties(claim: Claim) -> list[Duty]:
    if claim.body["is"] != "Plain":
        raise Malformed("a Lipschitz hypothesis of a claim of this form")
    given, prop = list(_conjuncts(claim.given)), claim.body["prop"]
    known = [p for p in given if p["is"] == "Lipschitz"]
    plain = [p for p in given if p["is"] != "Lipschitz"]
    rows = claim.alternatives({"is": "And", "parts": plain})
    moves: list[tuple[Node, Node]] = []
    if prop["is"] == "Lipschitz":
        if prop["op"] != "<=":
            raise Malformed("a Lipschitz constant that is not bounded above")
        old = _argument(claim, prop)
        new = claim.primed(old)
        moves = [(old, new)]
        rows = [(*a, *_replaced(claim, b, old, new)) for a in rows for b in rows]
        points = claim.nodes.replaced(claim.node(prop["body"]), old, new), claim.node(prop["body"])
        goals: tuple[Conjunction, ...] = ((_inequality(claim, prop, points, (new, old)),),)
    else:
        goals = tuple(claim.alternatives(prop))
    nodes = [x for row in (*rows, *goals) for q in row for x in (q.left, q.right)]
    more = tuple(q for p in known for q in _instances(claim, p, nodes, moves))
    return [Duty((*row, *more), goals) for row in rows]


def _conjuncts(given: Sequence[Record]) -> Iterator[Record]:
    for p in given:
        yield from _conjuncts(p["parts"]) if p["is"] == "And" else (p,)


def _argument(claim: Claim, p: Record) -> Node:
    leaf, bound = claim.node(p["argument"]), claim.node(p["bound"])
    if leaf.op.name != "input" or leaf in below([bound]):
        raise Malformed("not a function of a variable, or a bound that depends on it")
    return leaf


def _replaced(claim: Claim, row: Conjunction, old: Node, new: Node) -> Conjunction:
    at = claim.nodes.replaced
    return tuple(Comparison(q.rel, at(q.left, old, new), at(q.right, old, new)) for q in row)


def _instances(
    claim: Claim, p: Record, nodes: list[Node], moves: Sequence[tuple[Node, Node]]
) -> Iterator[Comparison]:
    if p["op"] not in ("<=", "<"):
        raise Malformed("a Lipschitz constant that is not bounded above")
    leaf, body = _argument(claim, p), claim.node(p["body"])
    zero = claim.nodes.leaf("const", "value = 0", Type("real", None, ()))
    yield Comparison("ge", claim.node(p["bound"]), zero)
    for old, new in moves:
        if old is leaf:
            points = (new, old)
            yield _inequality(claim, p, (claim.nodes.replaced(body, old, new), body), points)
    if body.op.name == "net_call" and body.inputs == (leaf,):
        calls = [x for x in below(nodes) if x.op == body.op and x.type == body.type]
        for x, y in itertools.permutations(calls, 2):
            yield _inequality(claim, p, (x, y), (x.inputs[0], y.inputs[0]))


def _inequality(
    claim: Claim, p: Record, values: tuple[Node, Node], points: tuple[Node, Node]
) -> Comparison:
    """|value - value| <= L |point - point|."""
    right = _node(claim, "mul", "", claim.node(p["bound"]), _norm(claim, p["norm"], *points))
    return Comparison("ge", right, _norm(claim, p["norm"], *values))


def _norm(claim: Claim, name: str, x: Node, y: Node) -> Node:
    gap = _node(claim, "sub", "", x, y)
    if name not in ("l1", "l2"):
        raise Malformed(f"the norm {name}")
    part = _node(claim, "square" if name == "l2" else "abs", "", gap)
    axes = ", ".join(map(str, range(len(x.type.shape))))
    total = _node(claim, "sum", f"axes = [{axes}]", part, shape=()) if axes else part
    return _node(claim, "sqrt", "", total) if name == "l2" else total


def _node(
    claim: Claim, name: str, text: str, *inputs: Node, shape: tuple[Any, ...] | None = None
) -> Node:
    type_ = inputs[0].type if shape is None else Type("real", None, shape)
    return claim.nodes.make(Op(name, text, read_attributes(text)), inputs, type_)
