"""Lowering of claims: their terms as nodes, in the environment of what the claim is about.

In a claim about an objective, the objective's own terms give the very nodes that train. Terms that
only claims have are lowered here: substitution of hyperparameters and expectations.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from fractions import Fraction

from gendsl.core import term as t
from gendsl.core.check_claim import ClaimTerms
from gendsl.core.claim import Claim
from gendsl.core.program import CheckedClaim
from gendsl.core.show import plain
from gendsl.ir.build import broadcast_to
from gendsl.ir.graph import Node, reachable
from gendsl.ir.rewrite import substitute
from gendsl.lower.environment import Env
from gendsl.lower.terms import Lowering
from gendsl.ops import leaf
from gendsl.ops.symbolic import Expectation
from gendsl.shape.dim import Dim
from gendsl.shape.tensor_type import Axis


def lower_claim(claim: CheckedClaim, lowering: Lowering, objectives: Mapping[str, Env]) -> Claim:
    """The claim over nodes."""
    checked = claim.body
    assert isinstance(checked, ClaimTerms)
    sizes = {
        name: Dim.name(plain(name))
        for type_ in claim.locals.values()
        for item in type_.items
        if isinstance(item, Axis)
        for name in item.size.names
        if "@" in name
    }
    env = objectives.get(claim.subject) or lowering.root.inner(
        dims=sizes, draws=f"claim.{claim.name}"
    )
    probe = checked.build([_placeholder(lowering)] * len(checked.terms))
    if probe.any_nets:
        env = env.inner(opaque=env.opaque | frozenset(probe.any_nets))
    nodes = [_claim_term(term, lowering, env) for term in checked.terms]
    made = checked.build(nodes)
    bound = tuple(
        replace(v, low=_own(v.low, sizes), high=_own(v.high, sizes)) for v in made.variables
    )
    return replace(made, variables=bound)


def _own(end: Fraction | Dim | None, sizes: Mapping[str, Dim]) -> Fraction | Dim | None:
    """The end of an index range in the sizes of the claim."""
    return end.substitute(sizes) if isinstance(end, Dim) else end


def _placeholder(lowering: Lowering) -> Node:
    return lowering.apply(leaf.Truth(True))


def _claim_term(term: t.Term, lowering: Lowering, env: Env) -> Node:
    """A term that may hold claim-only terms at its top (arithmetic of them included)."""
    match term:
        case t.WithTerm(arg=arg, bindings=bindings):
            node = _claim_term(arg, lowering, env)
            replacement: dict[Node, Node] = {}
            for name, value in bindings.items():
                new = _claim_term(value, lowering, env)
                for old in reachable([node]):
                    if (
                        isinstance(old.op, leaf.Input)
                        and old.op.key == name
                        and old.op.kind in ("hyper", "argument")
                    ):
                        replacement[old] = broadcast_to(lowering.build, new, old.type.shape)
            return substitute(lowering.build, [node], replacement)[0]
        case t.ExpectTerm(arg=arg, draws=draws):
            node = _claim_term(arg, lowering, env)
            paths = tuple(f"{env.draws}.{d}" for d in draws)
            return lowering.apply(Expectation(paths), node)
        case t.Apply(op=op, args=args):
            return lowering.apply(op, *(_claim_term(a, lowering, env) for a in args))
        case t.Spreadout(arg=arg, positions=positions):
            at = env.axes(term.type.items)
            places = tuple(p for i in positions for p in at[i])
            inner = _claim_term(arg, lowering, env)
            return broadcast_to(lowering.build, inner, env.shape(term.type.items), places)
        case _:
            return lowering.lower(term, env)
