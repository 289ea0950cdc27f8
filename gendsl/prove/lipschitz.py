"""Lipschitz claims as comparisons of norms.

In: a claim with `lipschitz(e, x, norm) <= L` as its proposition or among its hypotheses. Out: the
claim that says the same at points. As a proposition: |e(x') - e(x)| <= L |x' - x|, for a new
variable x' with the hypotheses of x. As a hypothesis: the same inequality at the pairs of points
that occur (x' and x; the operands of an opaque net), and L >= 0, which is weaker. The checker of
certificates makes the same instances on its own.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import replace

from gendsl.core import claim as c
from gendsl.ir import build as b
from gendsl.ir.graph import Builder, Node, reachable
from gendsl.ir.rewrite import substitute
from gendsl.ops.leaf import Input
from gendsl.ops.symbolic import NetCall
from gendsl.ops.unary import Abs
from gendsl.prove.props import IllPosed

PAIRS = 12  # of calls of one opaque net that a hypothesis is stated for


def restated(claim: c.Claim, build: Builder) -> c.Claim:
    """The claim without Lipschitz propositions (at its top, and among its hypotheses)."""
    body, given = claim.body, list(_conjuncts(claim.given))
    known = [p for p in given if isinstance(p, c.Lipschitz)]
    rest: tuple[c.Prop, ...] = tuple(p for p in given if not isinstance(p, c.Lipschitz))
    goal = body.prop if isinstance(body, c.Plain) and isinstance(body.prop, c.Lipschitz) else None
    if not known and goal is None:
        return claim
    moves = [] if goal is None else [(goal.argument, primed(goal.argument, build))]
    if goal is not None:
        _checked(goal, ("<=",))
        ((old, new),) = moves
        moved = substitute(build, [goal.body], {old: new})[0]
        body = c.Plain(_inequality(build, goal, (moved, goal.body), (new, old)))
        rest = tuple(dict.fromkeys((*rest, *(_moved(p, old, new, build) for p in rest))))
    if not isinstance(body, c.Plain | c.Iff):
        raise IllPosed("a Lipschitz hypothesis of a claim of this form")
    roots = list(_nodes(body)) + [x for p in rest for x in _nodes(p)]
    for p in known:
        _checked(p, ("<=", "<"))
        rest += tuple(_instances(p, roots, moves, build))
    return replace(claim, body=body, given=rest)


def _conjuncts(given: Sequence[c.Prop]) -> Iterator[c.Prop]:
    for p in given:
        yield from _conjuncts(p.parts) if isinstance(p, c.And) else (p,)


def primed(leaf: Node, build: Builder) -> Node:
    """Another leaf of the same kind."""
    op = leaf.op
    if not isinstance(op, Input):
        raise IllPosed("a Lipschitz constant in something that is not a variable")
    return build.apply(Input(op.kind, f"{op.key}'", op.shape, op.elem))


def _checked(p: c.Lipschitz, ops: tuple[str, ...]) -> None:
    if p.op not in ops:
        raise IllPosed(f"a Lipschitz constant compared by {p.op}")
    if p.argument in reachable([p.bound]):
        raise IllPosed("a Lipschitz constant that depends on the argument")


def _instances(
    p: c.Lipschitz, roots: Sequence[Node], moves: Sequence[tuple[Node, Node]], build: Builder
) -> Iterator[c.Compare]:
    yield c.Compare(">=", p.bound, b.const(build, 0))
    for old, new in moves:
        if old is p.argument:
            moved = substitute(build, [p.body], {old: new})[0]
            yield _inequality(build, p, (moved, p.body), (new, old))
    if isinstance(p.body.op, NetCall) and p.body.inputs == (p.argument,):
        calls = [x for x in reachable(roots) if x.op == p.body.op]
        pairs = list(itertools.combinations(calls, 2))
        for old, new in moves:  # each call, and the same at the other point
            pairs = list(zip(substitute(build, calls, {old: new}), calls, strict=True))
            pairs = [(x, y) for x, y in pairs if x is not y and x in calls]
        for x, y in pairs[:PAIRS]:
            yield _inequality(build, p, (x, y), (x.inputs[0], y.inputs[0]))


def _inequality(
    build: Builder, p: c.Lipschitz, values: tuple[Node, Node], points: tuple[Node, Node]
) -> c.Compare:
    """|value - value| <= L |point - point|."""
    left = norm(build, p.norm, b.sub(build, *values))
    return c.Compare("<=", left, b.mul(build, p.bound, norm(build, p.norm, b.sub(build, *points))))


def norm(build: Builder, name: str, x: Node) -> Node:
    match name:
        case "l2":
            return b.sqrt(build, b.sum_of(build, b.square(build, x)))
        case "l1":
            return b.sum_of(build, build.apply(Abs(), x))
        case _:
            raise IllPosed(f"the norm {name} is not settled")


def _moved(p: c.Prop, old: Node, new: Node, build: Builder) -> c.Prop:
    match p:
        case c.Compare(op, left, right):
            return c.Compare(op, *substitute(build, [left, right], {old: new}))
        case c.Holds(value):
            return c.Holds(substitute(build, [value], {old: new})[0])
        case c.And(parts):
            return c.And(tuple(_moved(q, old, new, build) for q in parts))
        case c.Or(parts):
            return c.Or(tuple(_moved(q, old, new, build) for q in parts))
        case c.Not(part):
            return c.Not(_moved(part, old, new, build))
        case _:
            raise IllPosed("a hypothesis of this form beside a Lipschitz constant")


def _nodes(p: object) -> Iterator[Node]:
    match p:
        case c.Plain(prop):
            yield from _nodes(prop)
        case c.Iff(left, right):
            yield from (*_nodes(left), *_nodes(right))
        case c.Compare(_, left, right):
            yield from (left, right)
        case c.Holds(value):
            yield value
        case c.And(parts) | c.Or(parts):
            for q in parts:
                yield from _nodes(q)
        case c.Not(part):
            yield from _nodes(part)
        case _:
            return
