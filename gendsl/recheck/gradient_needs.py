"""Needs of claims about gradients: a sum of derivatives along every direction of the parameters.

In: a claim that two sums of gradients agree, or that a gradient does not depend on a variable. Out:
`Need`s with the name "gradient": the sum of the derivatives on the left minus that on the right,
along an arbitrary direction of the group's parameters, is 0 (and so the gradients agree parameter
by parameter). Derivatives are computed on the graph by numbers that carry one. A node that a
theorem reads as a variable has a derivative of its own, "d" and its name, if a derivative reaches
the parameters through it, and otherwise none.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mpmath import mpf

from .arrays import Array, Dual, scalar
from .evaluate import Evaluator
from .needs import Need, View
from .node_text import Node, below
from .obligation import Claim, Record
from .points import Point
from .replay import need

Term = tuple[int, Node, Node | None]  # sign, the value that is differentiated, a factor


def gradient_needs(claim: Claim, groups: Mapping[str, str]) -> list[Need]:
    """One for each equation of gradients and each alternative of the hypotheses."""
    found = []
    for terms, group in _equations(claim):
        params = frozenset(f"param:{k}" for k, g in groups.items() if g == group)
        need(params, f"no parameters in {group}")
        found += [_need(claim, terms, params, h) for h in claim.hypotheses]
    return found


def _equations(claim: Claim) -> list[tuple[list[Term], str]]:
    body = claim.body
    if body["is"] == "Independent":
        value, variable = claim.node(body["value"]), claim.node(body["variable"])
        need(variable.op.name == "input", "not a variable")
        moved = claim.nodes.replaced(value, variable, claim.primed(variable))
        return [([(1, value, None), (-1, moved, None)], body["group"])]
    found, stack = list[tuple[list[Term], str]](), [body["prop"]]
    while stack:
        p = stack.pop()
        if p["is"] == "And":
            stack += p["parts"]
        elif p["is"] == "GradEqual":
            found.append(_equation(claim, p))
        else:
            need(p["is"] == "Compare", f"a gradient beside {p['is']}")
    return found


def _equation(claim: Claim, p: Record) -> tuple[list[Term], str]:
    rows = [(1, t) for t in p["left"]] + [(-1, t) for t in p["right"]]
    names = {t["group"] for _, t in rows}
    need(len(names) == 1, "gradients of several groups in one equation")
    terms = [
        (sign, claim.node(t["value"]), None if t["factor"] is None else claim.node(t["factor"]))
        for sign, t in rows
    ]
    return terms, str(names.pop())


def _need(claim: Claim, terms: Sequence[Term], params: frozenset[str], given: Any) -> Need:
    reached = reaching([x for _, x, _ in terms], params)

    def total(view: View, point: Point) -> Array:
        stands = view.subgoal.stands
        moving = frozenset(x for x in stands if x in reached)
        at = Evaluator(point, stands, params, moving)
        found = mpf(0)
        for sign, value, factor in terms:
            if value not in reached:
                continue
            slope = at.value(value).entries[0]
            slope = slope.d if isinstance(slope, Dual) else mpf(0)
            scale = mpf(1) if factor is None else view.at(point).value(factor).entries[0]
            found += sign * scale * slope
        return scalar(found)

    return Need("gradient", given, "eq", total, total)


def reaching(roots: list[Node], params: frozenset[str]) -> frozenset[Node]:
    """The nodes through which a derivative reaches one of the parameters."""
    found: set[Node] = set()
    for x in below(roots):
        if x.type.elem == "real" and (x.key in params or any(y in found for y in _paths(x))):
            found.add(x)
    return frozenset(found)


def _paths(x: Node) -> tuple[Node, ...]:
    """The operands that a derivative passes to."""
    match x.op.name:
        case "stop_grad" | "floor" | "sign":
            return ()
        case "straight_through" | "gather":
            return x.inputs[:1]
        case "where" | "scatter_add":
            return x.inputs[1:]
        case _:
            return tuple(y for y in x.inputs if y.type.elem == "real")
